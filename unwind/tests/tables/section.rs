//! One section of call frame information against the table that was made of it.

use std::collections::BTreeMap;
use std::ops::Range;

use gimli::{
    BaseAddresses, CieOrFde, EndianSlice, FrameDescriptionEntry, LittleEndian, UnwindContext,
    UnwindOffset, UnwindSection, UnwindTableRow,
};
use sigspy_unwind::{Rule, Table};

use crate::rows::{self, Exactness};

pub type Reader<'a> = EndianSlice<'a, LittleEndian>;
pub type Fde<'a> = FrameDescriptionEntry<Reader<'a>>;

/// What a comparison has found.
#[derive(Default)]
pub struct Findings {
    pub rows: u64,
    pub addresses: u64,
    /// Rows, and other things worth a count, by what is special about them.
    pub counts: BTreeMap<&'static str, u64>,
    /// Where the table says something else than gimli.
    pub differences: Vec<String>,
}

impl Findings {
    pub fn count(&mut self, what: &'static str, number: usize) {
        if number > 0 {
            *self.counts.entry(what).or_default() += number as u64;
        }
    }

    pub fn expect(&mut self, pc: u64, found: Rule, expected: Rule) {
        self.addresses += 1;
        if found != expected {
            self.differences.push(format!("{pc:#x}: {found:?} instead of {expected:?}"));
        }
    }
}

/// A section of call frame information.
pub struct Section<'a, S> {
    section: S,
    pub bases: BaseAddresses,
    /// By address, each cut where the next one starts.
    pub functions: Vec<(Range<u64>, Fde<'a>)>,
    /// Functions of Go that run on another stack than they say, in part.
    pub switching: Vec<Range<u64>>,
}

impl<'a, S: UnwindSection<Reader<'a>>> Section<'a, S>
where
    S::Offset: UnwindOffset<usize>,
{
    pub fn new(
        section: S,
        bases: BaseAddresses,
        code: &[Range<u64>],
        findings: &mut Findings,
    ) -> Self {
        let mut fdes = Vec::new();
        for entry in section.entries(&bases) {
            match entry {
                Ok(CieOrFde::Cie(_)) => {}
                Ok(CieOrFde::Fde(partial)) => match partial.parse(S::cie_from_offset) {
                    Ok(fde) => fdes.push(fde),
                    Err(_) => findings.count("malformed entry", 1),
                },
                Err(_) => findings.count("malformed section", 1),
            }
        }
        let mut functions: Vec<_> = fdes
            .into_iter()
            .filter_map(|fde| {
                let start = fde.initial_address();
                let code = code.iter().find(|range| range.contains(&start));
                findings.count("function outside of code", usize::from(code.is_none()));
                Some((start..start.saturating_add(fde.len()).min(code?.end), fde))
            })
            .collect();
        functions.retain(|(range, _)| !range.is_empty());
        functions.sort_by_key(|(range, _)| range.start);
        let before = functions.len();
        functions.dedup_by_key(|(range, _)| range.start);
        findings.count("function with the start of another", before - functions.len());
        let starts: Vec<_> = functions.iter().skip(1).map(|(range, _)| range.start).collect();
        for ((range, _), next) in functions.iter_mut().zip(starts) {
            findings.count("function cut where the next starts", usize::from(next < range.end));
            range.end = range.end.min(next);
        }
        Self { section, bases, functions, switching: Vec::new() }
    }

    pub fn at(&self, pc: u64) -> Option<&(Range<u64>, Fde<'a>)> {
        let behind = self.functions.partition_point(|(range, _)| range.start <= pc);
        let found = self.functions.get(behind.checked_sub(1)?)?;
        found.0.contains(&pc).then_some(found)
    }

    pub fn is_empty_entry(&self, offset: u64) -> bool {
        let offset = (offset as usize).into();
        let fde = self.section.fde_from_offset(&self.bases, offset, S::cie_from_offset);
        fde.is_ok_and(|fde| fde.len() == 0)
    }

    /// Checks the first and the last address of each row, and every `step`th of those between.
    pub fn check_rows(&self, table: &Table, step: usize, findings: &mut Findings) {
        let mut context = UnwindContext::new();
        for (range, fde) in &self.functions {
            let mut covered = range.start;
            if let Ok(mut rows) = fde.rows(&self.section, &self.bases, &mut context) {
                while let Ok(Some(row)) = rows.next_row() {
                    let end = row.end_address().min(range.end);
                    if row.start_address() != covered || end < covered {
                        break;
                    }
                    self.check_row(fde, row, covered..end, table, step, findings);
                    covered = end;
                }
            }
            if covered < range.end {
                findings.count("function with malformed instructions", 1);
                for pc in addresses(covered..range.end, step) {
                    findings.expect(pc, table.lookup(pc).unwrap(), Rule::UNSUPPORTED);
                }
            }
        }
    }

    fn check_row(
        &self,
        fde: &Fde<'a>,
        row: &UnwindTableRow<usize>,
        range: Range<u64>,
        table: &Table,
        step: usize,
        findings: &mut Findings,
    ) {
        if range.is_empty() {
            return;
        }
        let exactness = self.compare(fde, row, range.start, table, findings);
        findings.rows += 1;
        if let Exactness::Less(reason) = exactness {
            findings.count(reason, 1);
        }
        for pc in addresses(range, step).skip(1) {
            self.compare(fde, row, pc, table, findings);
        }
    }

    fn compare(
        &self,
        fde: &Fde<'a>,
        row: &UnwindTableRow<usize>,
        pc: u64,
        table: &Table,
        findings: &mut Findings,
    ) -> Exactness {
        findings.addresses += 1;
        let frame = rows::MadeUp { section: &self.section, fde, row, pc };
        let rule = table.lookup(pc).unwrap();
        frame.compare(&rule).unwrap_or_else(|difference| {
            if self.switching.iter().any(|range| range.contains(&pc)) {
                return Exactness::Less("Go code on another stack than it says");
            }
            findings.differences.push(format!("{pc:#x}: {difference}: {rule:?} for {row:?}"));
            Exactness::Whole
        })
    }

    /// Checks one address by gimli's way to look up addresses; false: this section has nothing.
    pub fn check_address(&self, pc: u64, table: &Table, findings: &mut Findings) -> bool {
        let Some((_, fde)) = self.at(pc) else { return false };
        let mut context = UnwindContext::new();
        match fde.unwind_info_for_address(&self.section, &self.bases, &mut context, pc) {
            Ok(row) => {
                self.compare(fde, row, pc, table, findings);
            }
            Err(_) => findings.expect(pc, table.lookup(pc).unwrap(), Rule::UNSUPPORTED),
        }
        true
    }
}

/// Every `step`th address of a range that is not empty, and the last one.
pub fn addresses(range: Range<u64>, step: usize) -> impl Iterator<Item = u64> {
    let last = range.end - 1;
    range.step_by(step).chain([last])
}
