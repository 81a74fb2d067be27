//! Frames of one module as bytes, to be kept on disk.
//!
//! ```text
//! addresses, frames, texts, bytes of text: u32 each
//! u64      for each address, ascending: the address
//! u32      for each address: how many frames there are up to its last
//! 4 x u32  for each frame, innermost first: function, file, line, kind
//! u32      for each text: where it ends
//! bytes    the texts, UTF-8
//! ```
//! Little-endian. Functions and files are numbers of texts, from 1; 0 is none, as for lines. Of the
//! kind, the lowest bit says that the function is inlined, the others are its language.
//!
//! Nothing here trusts the bytes: any can be read, and those that make no sense are no frames.

use std::ops::Range;
use std::sync::Arc;

use sigspy_model::{Frame, Language};

use crate::demangle::clean;
use crate::texts::{ByPlace, Texts};

const LANGUAGES: [Language; 3] = [Language::Plain, Language::Rust, Language::Cpp];

/// Frames that were stored.
pub struct Stored<'b> {
    addresses: &'b [[u8; 8]],
    ends: &'b [[u8; 4]],
    frames: &'b [[u8; 16]],
    text_ends: &'b [[u8; 4]],
    text: &'b [u8],
    texts: &'b Texts,
    /// Texts that were asked for, by number.
    shared: Vec<Option<Arc<str>>>,
}

impl<'b> Stored<'b> {
    /// `None` for bytes that [`store`] has not made.
    pub fn read(bytes: &'b [u8], texts: &'b Texts) -> Option<Self> {
        let mut rest = bytes;
        let [addresses, frames, text_count, text_bytes] =
            take::<4>(&mut rest, 4)?.try_into().ok()?;
        let (addresses, ends) =
            (take(&mut rest, number(&addresses))?, take(&mut rest, number(&addresses))?);
        let frames = take(&mut rest, number(&frames))?;
        let text_ends = take(&mut rest, number(&text_count))?;
        let shared = vec![None; text_ends.len()];
        let is_ascending = |ends: &[[u8; 4]]| ends.iter().is_sorted_by_key(number);
        let is_whole = rest.len() == number(&text_bytes);
        (is_whole && is_ascending(ends) && is_ascending(text_ends)).then_some(Self {
            addresses,
            ends,
            frames,
            text_ends,
            text: rest,
            texts,
            shared,
        })
    }

    /// All addresses.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + use<'b> {
        self.addresses.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The frames of an address; `None` if it has none here.
    pub fn frames(&mut self, address: u64) -> Option<Vec<Frame>> {
        let index = self.addresses.binary_search_by_key(&address, |at| u64::from_le_bytes(*at));
        let index = index.ok()?;
        let stored = self.frames.get(span(self.ends, index)?)?;
        let mut frames = Vec::with_capacity(stored.len());
        for bytes in stored {
            frames.push(self.frame(bytes)?);
        }
        (!frames.is_empty()).then_some(frames)
    }

    fn frame(&mut self, bytes: &[u8; 16]) -> Option<Frame> {
        let [function, file, line, kind] = bytes.as_chunks().0 else { return None };
        let kind = number(kind);
        Some(Frame {
            function: self.text(number(function))?,
            file: match number(file) {
                0 => None,
                file => Some(self.text(file)?),
            },
            line: Some(u32::from_le_bytes(*line)).filter(|line| *line > 0),
            language: *LANGUAGES.get(kind >> 1)?,
            inlined: kind & 1 == 1,
        })
    }

    fn text(&mut self, number: usize) -> Option<Arc<str>> {
        let index = number.checked_sub(1)?;
        let shared = self.shared.get_mut(index)?;
        if shared.is_none() {
            let text = self.text.get(span(self.text_ends, index)?)?;
            *shared = Some(self.texts.share(&clean(std::str::from_utf8(text).ok()?)));
        }
        shared.clone()
    }
}

/// The bytes to store frames as; `None` for too many. Addresses are ascending.
pub fn store<'a>(entries: impl Iterator<Item = (u64, &'a [Frame])>) -> Option<Vec<u8>> {
    let (mut addresses, mut ends, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    let mut texts = Numbered { numbers: ByPlace::new(), ends: Vec::new(), text: Vec::new() };
    for (address, of_address) in entries {
        for frame in of_address {
            let language = LANGUAGES.iter().position(|language| *language == frame.language)?;
            let function = texts.number(&frame.function);
            let file = frame.file.as_ref().map_or(0, |file| texts.number(file));
            let kind = (language as u32) << 1 | u32::from(frame.inlined);
            frames.extend([function, file, frame.line.unwrap_or(0), kind]);
        }
        addresses.push(address);
        ends.push((frames.len() / 4) as u32);
    }
    let counts = [addresses.len(), frames.len() / 4, texts.ends.len(), texts.text.len()];
    let mut bytes = Vec::new();
    for count in counts {
        bytes.extend(u32::try_from(count).ok()?.to_le_bytes());
    }
    bytes.extend(addresses.into_iter().flat_map(u64::to_le_bytes));
    bytes.extend([ends, frames, texts.ends].into_iter().flatten().flat_map(u32::to_le_bytes));
    bytes.extend(texts.text);
    Some(bytes)
}

/// Texts by number, in the order in which they were met. Equal ones are one in memory, too.
struct Numbered<'a> {
    numbers: ByPlace<'a, u32>,
    ends: Vec<u32>,
    text: Vec<u8>,
}

impl<'a> Numbered<'a> {
    /// From 1. Only right as long as the length of all texts is a `u32`.
    fn number(&mut self, text: &'a str) -> u32 {
        let (ends, all) = (&mut self.ends, &mut self.text);
        self.numbers.get(text.as_bytes(), || {
            all.extend(text.as_bytes());
            ends.push(all.len() as u32);
            ends.len() as u32
        })
    }
}

/// The first `count` pieces of `rest`, which goes on behind them.
fn take<'b, const N: usize>(rest: &mut &'b [u8], count: usize) -> Option<&'b [[u8; N]]> {
    let (pieces, behind) = rest.split_at_checked(count.checked_mul(N)?)?;
    *rest = behind;
    Some(pieces.as_chunks().0)
}

fn number(bytes: &[u8; 4]) -> usize {
    u32::from_le_bytes(*bytes) as usize
}

/// From the end of the piece before to that of piece `index`.
fn span(ends: &[[u8; 4]], index: usize) -> Option<Range<usize>> {
    let start = index.checked_sub(1).map_or(Some(0), |before| Some(number(ends.get(before)?)))?;
    Some(start..number(ends.get(index)?))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn frame() -> impl Strategy<Value = Frame> {
        let text = "[a-zé<>:]{0,9}";
        let file = proptest::option::of(text);
        let line = proptest::option::of(1..u32::MAX);
        (text, file, line, 0..3usize, any::<bool>()).prop_map(
            |(function, file, line, language, inlined)| Frame {
                function: function.into(),
                file: file.map(Arc::from),
                line,
                language: LANGUAGES[language],
                inlined,
            },
        )
    }

    proptest! {
        #[test]
        fn frames_are_read_as_they_were_stored(
            entries in proptest::collection::btree_map(any::<u64>(), vec(frame(), 1..5), 0..20),
            other in any::<u64>(),
        ) {
            let stored = store(entries.iter().map(|(at, frames)| (*at, &**frames))).unwrap();
            let texts = Texts::default();
            let mut read = Stored::read(&stored, &texts).unwrap();
            prop_assert!(read.addresses().eq(entries.keys().copied()));
            for (address, frames) in &entries {
                prop_assert!(read.frames(*address).as_ref() == Some(frames));
            }
            prop_assert!(read.frames(other).as_ref() == entries.get(&other));
        }

        #[test]
        fn any_bytes_can_be_read(
            entries in proptest::collection::btree_map(0..9u64, vec(frame(), 1..5), 1..9),
            changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            length in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = store(entries.iter().map(|(at, frames)| (*at, &**frames))).unwrap();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes.truncate(length.index(bytes.len() + 1));
            let texts = Texts::default();
            if let Some(mut read) = Stored::read(&bytes, &texts) {
                for address in 0..9 {
                    let frames = read.frames(address).unwrap_or_default();
                    prop_assert!(frames.len() <= bytes.len() / 16);
                    prop_assert!(frames.iter().all(|frame| !frame.function.contains('\0')));
                }
            }
        }
    }
}
