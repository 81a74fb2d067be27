//! Names of code that a program compiles as it runs, in the words of the program: its perf map.
//!
//! ```text
//! 7f3a5c001000 40 py::work:/app/main.py
//! ```
//! Each line is a start, a length, both in hexadecimal, and a name. Programs only append. Code
//! moves, and memory of code is used again: a later line takes the place of what it overlaps. A
//! line has no time. What one look at the file has brought is therefore kept apart until the next:
//! it holds for samples taken after the look before. For older ones, what was known then holds, if
//! anything was; some programs tell all names at their end.
//!
//! The text is untrusted: lines that make no sense are skipped, names are cut, and there is a
//! limit on how many are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Longer names are cut, bytes.
const LONGEST_NAME: usize = 1024;
/// Pieces of code with a name, in what is settled and in what is fresh.
const MOST_PIECES: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };
/// User code ends below.
const END_OF_CODE: u64 = 1 << 47;

/// The names that a perf map gives to addresses, over time.
#[derive(Default)]
pub struct PerfMap {
    settled: Pieces,
    fresh: Pieces,
    /// The look before that which has brought what is fresh, CLOCK_MONOTONIC in ns.
    fresh_since_ns: u64,
}

impl PerfMap {
    /// Takes in the whole lines of `text`, which was not there at `since_ns`, CLOCK_MONOTONIC.
    /// Returns how long they are, bytes.
    pub fn append(&mut self, since_ns: u64, text: &[u8]) -> usize {
        if since_ns != self.fresh_since_ns {
            self.fresh_since_ns = since_ns;
            self.settle();
        }
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in text[..whole].split(|byte| *byte == b'\n').filter_map(Line::parse) {
            self.fresh.insert(line.start, line.end, line.name());
        }
        whole
    }

    fn settle(&mut self) {
        for (start, piece) in std::mem::take(&mut self.fresh).0 {
            self.settled.insert(start, piece.end, piece.name);
        }
    }

    /// The name of the code at an address at a time, CLOCK_MONOTONIC in ns.
    pub fn find(&self, address: u64, time_ns: u64) -> Option<&Arc<str>> {
        let (settled, fresh) = (|| self.settled.find(address), || self.fresh.find(address));
        if time_ns > self.fresh_since_ns {
            fresh().or_else(settled)
        } else {
            settled().or_else(fresh)
        }
    }

    /// Whether no code has a name.
    pub fn is_empty(&self) -> bool {
        self.settled.0.is_empty() && self.fresh.0.is_empty()
    }
}

/// Code by its start; no two pieces overlap.
#[derive(Default)]
struct Pieces(BTreeMap<u64, Piece>);

struct Piece {
    /// First address behind.
    end: u64,
    name: Arc<str>,
}

impl Pieces {
    fn find(&self, address: u64) -> Option<&Arc<str>> {
        let (_, piece) = self.0.range(..=address).next_back()?;
        (address < piece.end).then_some(&piece.name)
    }

    /// Enters a piece; of others, only what lies outside of it is left.
    fn insert(&mut self, start: u64, end: u64, name: Arc<str>) {
        if let Some((_, before)) = self.0.range_mut(..start).next_back()
            && before.end > start
        {
            let behind = Piece { end: before.end, name: before.name.clone() };
            before.end = start;
            self.insert_rest(end, behind);
        }
        while let Some((&inner, _)) = self.0.range(start..end).next()
            && let Some(piece) = self.0.remove(&inner)
        {
            self.insert_rest(end, piece);
        }
        if self.0.len() < MOST_PIECES {
            self.0.insert(start, Piece { end, name });
        }
    }

    /// Enters what is left of a piece from `start` on.
    fn insert_rest(&mut self, start: u64, piece: Piece) {
        if start < piece.end {
            self.0.insert(start, piece);
        }
    }
}

/// A line that makes sense.
struct Line<'a> {
    start: u64,
    end: u64,
    name: &'a [u8],
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.trim_ascii().splitn(3, |byte| *byte == b' ');
        let (start, length) = (hexadecimal(fields.next()?)?, hexadecimal(fields.next()?)?);
        let name = fields.next()?.trim_ascii();
        let end = start.checked_add(length).filter(|end| *end <= END_OF_CODE)?;
        (start < end && !name.is_empty()).then_some(Self { start, end, name })
    }

    fn name(&self) -> Arc<str> {
        let name = self.name.get(..LONGEST_NAME).unwrap_or(self.name);
        String::from_utf8_lossy(name).into()
    }
}

/// A number, with or without `0x`.
fn hexadecimal(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    // A sign would be read, too.
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests;
