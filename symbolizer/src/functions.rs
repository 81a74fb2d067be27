//! Starts of functions that have no name, from the information that unwinding needs.
//!
//! Stripping a file leaves its `.eh_frame` alone: one entry for each function, and a sorted table
//! of them in `.eh_frame_hdr`. An address is looked up in that table, or in the entries
//! themselves where there is none. The part of a function that a compiler moved away because it
//! hardly ever runs has an entry of its own.
//!
//! An entry counts where it covers the address and starts in the same section. A whole procedure
//! linkage table often is one entry, though no function: addresses there have no start.

use std::ops::Range;

use gimli::{
    BaseAddresses, CieOrFde, EhFrame, EhFrameHdr, EhFrameOffset, EndianSlice,
    FrameDescriptionEntry, ParsedEhFrameHdr, Reader, RunTimeEndian, UnwindSection,
};
use object::{Object, ObjectSection};

use crate::debug_info;
use crate::elf;
use crate::plt;

type Slice<'d> = EndianSlice<'d, RunTimeEndian>;

/// Bytes of a common entry at most; compilers need some 20. It is read anew for each function
/// that refers to it, and a long one would make that slow.
const LONGEST_COMMON_ENTRY: u32 = 512;

/// The functions of one file.
pub struct Functions<'d> {
    /// Sections of code, without those of stubs.
    code: Vec<Range<u64>>,
    entries: Entries<'d>,
    index: Index<'d>,
}

enum Index<'d> {
    /// The table of `.eh_frame_hdr`, and how many entries it says it has.
    Table(ParsedEhFrameHdr<Slice<'d>>, usize),
    /// All functions, sorted.
    Scanned(Vec<Range<u64>>),
}

impl<'d> Functions<'d> {
    /// Reads the head of the table; without one, all entries.
    pub fn of(elf: &object::File<'d>) -> Self {
        let entries = Entries::of(elf);
        let index = table(elf, &entries.bases).unwrap_or_else(|| Index::Scanned(entries.scan()));
        let code = elf.sections().filter(|section| elf::is_code(section) && !plt::is_plt(section));
        let code = code.map(|section| range(section.address(), section.size())).collect();
        Self { code, entries, index }
    }

    /// Where the function that `address` lies in starts.
    pub fn start(&self, address: u64) -> Option<u64> {
        let section = self.code.iter().find(|range| range.contains(&address))?;
        let function = match &self.index {
            Index::Table(table, length) => self.entries.listed(table, *length, address)?,
            Index::Scanned(functions) => {
                let behind = functions.partition_point(|function| function.start <= address);
                functions[..behind].last()?.clone()
            }
        };
        let covers = function.contains(&address) && section.contains(&function.start);
        covers.then_some(function.start)
    }
}

/// Bytes of code, and how many of them have unwind information. Stubs of the linker do not count.
pub fn unwindable(elf: &object::File<'_>) -> (u64, u64) {
    let code = elf.sections().filter(|section| elf::is_code(section) && !plt::is_plt(section));
    let code = merged(code.map(|section| range(section.address(), section.size())).collect());
    let all = code.iter().map(|range| range.end - range.start).sum();
    (all, overlap(&code, &merged(Entries::of(elf).scan())))
}

/// The same addresses as ranges in order that do not meet.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// How many addresses are in both; each is [`merged`].
fn overlap(a: &[Range<u64>], b: &[Range<u64>]) -> u64 {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut overlap = 0_u64;
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let (start, end) = (one.start.max(other.start), one.end.min(other.end));
        overlap += end.saturating_sub(start);
        if one.end < other.end {
            a.next()
        } else {
            b.next()
        };
    }
    overlap
}

/// The table, if there is one that can be searched.
fn table<'d>(elf: &object::File<'d>, bases: &BaseAddresses) -> Option<Index<'d>> {
    let bytes = slice(elf, ".eh_frame_hdr");
    let head = EhFrameHdr::from(bytes).parse(bases, address_size(elf)).ok()?;
    // An entry has at least a byte, so that no sum of what the file says can overflow.
    let length = head.table()?.iter(bases).size_hint().0.min(bytes.len());
    head.table()?.iter(bases).nth(0).ok()?; // fails for rows of varying size
    Some(Index::Table(head, length))
}

/// `.eh_frame`.
struct Entries<'d> {
    bytes: Slice<'d>,
    address: u64,
    section: EhFrame<Slice<'d>>,
    bases: BaseAddresses,
}

impl<'d> Entries<'d> {
    fn of(elf: &object::File<'d>) -> Self {
        let address = |name| {
            elf.section_by_name(name)
                .map_or(0, |section: object::Section<'_, '_>| section.address())
        };
        let bases = BaseAddresses::default()
            .set_eh_frame_hdr(address(".eh_frame_hdr"))
            .set_eh_frame(address(".eh_frame"))
            .set_text(address(".text"))
            .set_got(address(".got"));
        let bytes = slice(elf, ".eh_frame");
        let mut section = EhFrame::from(bytes);
        section.set_address_size(address_size(elf));
        Self { bytes, address: address(".eh_frame"), section, bases }
    }

    /// The last function of the table that does not start behind `address`.
    fn listed(
        &self,
        table: &ParsedEhFrameHdr<Slice<'d>>,
        length: usize,
        address: u64,
    ) -> Option<Range<u64>> {
        let row = |index| table.table()?.iter(&self.bases).nth(index).ok()?;
        let (mut from, mut to) = (0, length);
        while from < to {
            let middle = from + (to - from) / 2;
            if row(middle)?.0.direct().ok()? <= address { from = middle + 1 } else { to = middle }
        }
        let entry = row(from.checked_sub(1)?)?.1.direct().ok()?;
        let offset = usize::try_from(entry.checked_sub(self.address)?).ok()?;
        self.function(EhFrameOffset(offset)).ok()
    }

    /// Every function, sorted. Entries behind one that is malformed are not found.
    fn scan(&self) -> Vec<Range<u64>> {
        let entries = self.section.entries(&self.bases).map_while(Result::ok);
        let offsets = entries.filter_map(|entry| match entry {
            CieOrFde::Fde(entry) => Some(EhFrameOffset(entry.offset())),
            CieOrFde::Cie(_) => None,
        });
        let functions = offsets.filter_map(|offset| self.function(offset).ok());
        let mut functions: Vec<_> = functions.filter(|function| !function.is_empty()).collect();
        functions.sort_unstable_by_key(|function| (function.start, function.end));
        functions
    }

    fn function(&self, offset: EhFrameOffset) -> gimli::Result<Range<u64>> {
        let entry: FrameDescriptionEntry<_> =
            self.section.fde_from_offset(&self.bases, offset, |section, bases, common| {
                let mut head = self.bytes;
                head.skip(common.0)?;
                if head.read_u32()? > LONGEST_COMMON_ENTRY {
                    return Err(gimli::Error::UnsupportedOffset);
                }
                section.cie_from_offset(bases, common)
            })?;
        Ok(range(entry.initial_address(), entry.len()))
    }
}

fn slice<'d>(elf: &object::File<'d>, name: &str) -> Slice<'d> {
    let bytes = elf.section_by_name(name).and_then(|section| section.data().ok());
    Slice::new(bytes.unwrap_or_default(), debug_info::endian(elf))
}

fn address_size(elf: &object::File<'_>) -> u8 {
    if elf.is_64() { 8 } else { 4 }
}

fn range(start: u64, length: u64) -> Range<u64> {
    start..start.saturating_add(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_lists_of_ranges_share_is_counted_once() {
        let code = merged(vec![0x200..0x300, 0x100..0x180, 0x280..0x320]);
        assert_eq!(code, [0x100..0x180, 0x200..0x320]);
        assert_eq!(overlap(&code, &merged(vec![0x170..0x210, 0x310..0x400])), 0x10 + 0x10 + 0x10);
        assert_eq!(overlap(&code, &[]), 0);
    }

    #[test]
    fn this_program_can_be_unwound() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let (code, covered) = unwindable(&object::File::parse(&*bytes).unwrap());
        assert!(covered <= code && covered as f64 > 0.95 * code as f64, "{covered} of {code}");
    }
}
