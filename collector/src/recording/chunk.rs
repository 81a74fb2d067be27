//! The recording as a file: a short header, then chunks until the end.
//!
//! ```text
//! file    b"SIGSPY\r\n" | version u32 | 0 u32
//! chunk   b"CHNK" | stored length u32 | raw length u32 | CRC-32 u32 | stored bytes
//! ```
//! All numbers are little-endian. The stored bytes are an LZ4 block of whole events, each in
//! postcard's encoding. The CRC is that of both lengths and the stored bytes. Chunks do not
//! refer to one another, so a reader that finds a bad one looks for the next `CHNK` with a good
//! CRC, and a file that was cut loses its last chunk only.

/// Length of [`file_header`], bytes.
pub const FILE_HEADER: usize = 16;
const FILE_MAGIC: &[u8; 8] = b"SIGSPY\r\n";
/// Changes with every change of an event or of this file's layout.
const VERSION: u32 = 4;

const CHUNK_MAGIC: &[u8; 4] = b"CHNK";
const CHUNK_HEADER: usize = 16;
/// Raw bytes of a chunk at most: what a reader allocates because a file says so.
pub const MAX_RAW: usize = 16 << 20;
/// How often a file may be read in vain. With a damaged one that is once or twice. In one that was
/// made for it, every other word begins a chunk that seems to reach to the end of the file.
const PATIENCE: usize = 16;

/// The first bytes of a recording.
pub fn file_header() -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(FILE_MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// What the first bytes of a file say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ours,
    OtherVersion(u32),
    Foreign,
}

/// Looks at the first bytes of a file.
pub fn kind(file: &[u8]) -> Kind {
    let version = file.strip_prefix(FILE_MAGIC).and_then(|rest| rest.first_chunk());
    match version.map(|bytes| u32::from_le_bytes(*bytes)) {
        Some(VERSION) => Kind::Ours,
        Some(other) => Kind::OtherVersion(other),
        None => Kind::Foreign,
    }
}

/// One chunk with the events in `raw`, at most [`MAX_RAW`] bytes.
pub fn encode(raw: &[u8]) -> Vec<u8> {
    let stored = lz4_flex::block::compress(raw);
    let lengths = [stored.len() as u32, raw.len() as u32].map(u32::to_le_bytes).concat();
    let mut chunk = Vec::with_capacity(CHUNK_HEADER + stored.len());
    chunk.extend(CHUNK_MAGIC);
    chunk.extend(&lengths);
    chunk.extend(crc(&lengths, &stored).to_le_bytes());
    chunk.extend(stored);
    chunk
}

fn crc(lengths: &[u8], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(lengths);
    hasher.update(stored);
    hasher.finalize()
}

/// The raw bytes of all good chunks of a file, and how many bytes belong to none.
pub struct Chunks<'a> {
    rest: &'a [u8],
    /// Bytes that may still be read in vain; longer chunks are not looked at any more.
    patience: usize,
    /// Bytes in the middle of the file that are in no good chunk.
    pub damaged: u64,
    /// Bytes at the end of the file that are in no good chunk.
    pub cut: u64,
}

impl<'a> Chunks<'a> {
    /// `file` without its header.
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest, patience: rest.len().saturating_mul(PATIENCE), damaged: 0, cut: 0 }
    }
}

impl Iterator for Chunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut skipped = 0;
        loop {
            let bytes = self.rest.get(skipped..)?;
            if let Some((raw, behind)) = decode(bytes, &mut self.patience) {
                self.damaged += skipped as u64;
                self.rest = behind;
                return Some(raw);
            }
            let next = bytes.get(1..).and_then(|behind| find(behind, CHUNK_MAGIC));
            let Some(next) = next else {
                self.cut = self.rest.len() as u64;
                self.rest = &[];
                return None;
            };
            skipped += 1 + next;
        }
    }
}

fn find(bytes: &[u8], pattern: &[u8; 4]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

/// The raw bytes of a good chunk, and what lies behind it. What a bad one costs is taken off
/// `patience`.
fn decode<'a>(bytes: &'a [u8], patience: &mut usize) -> Option<(Vec<u8>, &'a [u8])> {
    let bytes = bytes.strip_prefix(CHUNK_MAGIC)?;
    let (lengths, bytes) = bytes.split_first_chunk::<8>()?;
    let (&sum, bytes) = bytes.split_first_chunk::<4>()?;
    let length = |half: &[u8]| half.first_chunk().map(|word| u32::from_le_bytes(*word) as usize);
    let (stored, raw) = (length(lengths)?, length(lengths.get(4..)?)?);
    if raw > MAX_RAW || stored > *patience {
        return None;
    }
    let (stored, behind) = bytes.split_at_checked(stored)?;
    if crc(lengths, stored) != u32::from_le_bytes(sum) {
        *patience = patience.saturating_sub(stored.len());
        return None;
    }
    let unpacked = lz4_flex::block::decompress(stored, raw);
    if unpacked.is_err() {
        *patience = patience.saturating_sub(stored.len() + raw);
    }
    Some((unpacked.ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(chunks: &[&[u8]]) -> Vec<u8> {
        chunks.iter().flat_map(|raw| encode(raw)).collect()
    }

    #[test]
    fn chunks_survive_the_trip() {
        let bytes = file(&[b"one", &[7; 100_000], b""]);
        let mut chunks = Chunks::new(&bytes);
        let raw: Vec<_> = chunks.by_ref().collect();
        assert_eq!(raw, [b"one".to_vec(), vec![7; 100_000], Vec::new()]);
        assert_eq!((chunks.damaged, chunks.cut), (0, 0));
    }

    #[test]
    fn a_bad_chunk_costs_itself_alone() {
        let mut bytes = file(&[b"first", b"second", b"third"]);
        bytes[file(&[b"first"]).len() + CHUNK_HEADER + 2] ^= 0x10;
        let mut chunks = Chunks::new(&bytes);
        let raw: Vec<_> = chunks.by_ref().collect();
        assert_eq!(raw, [b"first".to_vec(), b"third".to_vec()]);
        assert_eq!(chunks.damaged, file(&[b"second"]).len() as u64);
    }

    #[test]
    fn a_file_cut_anywhere_keeps_the_chunks_before() {
        let bytes = file(&[b"first", b"second"]);
        let first = file(&[b"first"]).len();
        for length in 0..bytes.len() {
            let whole = Chunks::new(&bytes[..length]).count();
            assert_eq!(whole, usize::from(length >= first));
        }
    }

    /// Each of 32,768 chunks reaches over all those behind it: 8 GiB to check.
    #[test]
    fn chunks_within_chunks_do_not_take_long() {
        const COUNT: usize = 1 << 15;
        let chunk = |number: usize| {
            let stored = ((COUNT - 1 - number) * CHUNK_HEADER) as u32;
            [u32::from_le_bytes(*CHUNK_MAGIC), stored, 0, 0].map(u32::to_le_bytes).concat()
        };
        let nested: Vec<u8> = (0..COUNT).flat_map(chunk).collect();
        let mut chunks = Chunks::new(&nested);
        chunks.by_ref().for_each(drop);
        assert_eq!(chunks.cut + chunks.damaged, nested.len() as u64);
        assert_eq!(chunks.patience, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            Chunks::new(&bytes).for_each(drop);
            kind(&bytes);
        }
    }
}
