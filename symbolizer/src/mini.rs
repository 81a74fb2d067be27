//! `.gnu_debugdata`: a symbol table as an ELF file of its own, compressed by xz into a file that
//! is otherwise stripped. Fedora and its relatives ship their programs so.
//!
//! Format: gdb's documentation, "Debugging information in a special section".

use std::io::Read;
use std::num::NonZeroUsize;

use object::{Object, ObjectSection};
use xz4rust::{DICT_SIZE_MIN, XzDecoder, XzReader};

/// Larger tables are not read, packed or unpacked: bytes. That of the largest programs takes some tens of megabytes.
const LARGEST: u64 = 128 << 20;
/// What xz may remember of the bytes before, at its highest level: bytes.
const LARGEST_DICTIONARY: usize = 64 << 20;
const BUFFER: NonZeroUsize = NonZeroUsize::new(64 << 10).expect("it is not zero");

/// The file in the file. `None` where there is none, or one that is damaged or too large.
pub fn unpack(elf: &object::File<'_>) -> Option<Vec<u8>> {
    let section = elf.section_by_name(".gnu_debugdata")?;
    let packed = section.data().ok().filter(|packed| packed.len() as u64 <= LARGEST)?.to_owned();
    let decoder = XzDecoder::in_heap_with_alloc_dict_size(DICT_SIZE_MIN, LARGEST_DICTIONARY);
    let reader =
        XzReader::new_with_buffer_size_and_decoder(std::io::Cursor::new(packed), BUFFER, decoder);
    let mut unpacked = Vec::new();
    let length = reader.take(LARGEST + 1).read_to_end(&mut unpacked).ok()?;
    (length as u64 <= LARGEST).then_some(unpacked)
}
