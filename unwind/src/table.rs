//! Reading a table. The bytes come from a file and may be anything: a wrong table gives wrong
//! rules, and never a panic or a read beyond its bytes.

use crate::rule::{self, Kind, Rule};

pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"SIGU");
/// Of the format; a table of another version is no table.
pub(crate) const VERSION: u32 = 2;
pub(crate) const HEADER: usize = 32;
pub(crate) const PAGE: u64 = 4096;
/// Rows name rules with 20 bits.
pub(crate) const MAX_RULES: usize = 1 << 20;

/// Rules of one module, by relative address.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Address of the first page.
    start: u64,
    /// The first row of each page, and the number of rows.
    pages: &'a [[u8; 4]],
    rows: &'a [[u8; 4]],
    rules: &'a [[u8; rule::SIZE]],
}

impl<'a> Table<'a> {
    /// `None`: no table, or one of another version, or shorter than it says. Looks at the header
    /// only, so that a handler can afford it for every frame. Async-signal-safe.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let ([magic, version, start_low, start_high, pages, rows, rules, zero], _) =
            header.as_chunks::<4>().0.split_first_chunk::<8>()?;
        let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        if number(magic) != MAGIC || number(version) != VERSION || number(zero) != 0 {
            return None;
        }
        let (pages, rest) = split(rest, 4, u64::from(number(pages)).wrapping_add(1))?;
        let (rows, rest) = split(rest, 4, number(rows).into())?;
        let (rules, _) = split(rest, rule::SIZE, number(rules).into())?;
        Some(Self {
            start: u64::from(number(start_low)) | u64::from(number(start_high)) << 32,
            pages: pages.as_chunks().0,
            rows: rows.as_chunks().0,
            rules: rules.as_chunks().0,
        })
    }

    /// The rule at an address; [`Rule::GAP`] outside of what is covered. `None`: the table is
    /// inconsistent there. Async-signal-safe.
    #[inline(always)] // a walk takes half the time if rules stay in registers
    pub fn lookup(&self, relative_pc: u64) -> Option<Rule> {
        let Some(offset) = relative_pc.checked_sub(self.start) else { return Some(Rule::GAP) };
        let Ok(page) = usize::try_from(offset / PAGE) else { return Some(Rule::GAP) };
        let Some(end) = self.first_row(page.wrapping_add(1)) else { return Some(Rule::GAP) };
        let rows = self.rows.get(self.first_row(page)?..end)?;
        match last_at_or_below(rows, (offset % PAGE) as u32) {
            Some(row) => self.rule((row >> 12) as usize),
            None => Some(Rule::GAP),
        }
    }

    /// Whether the table is consistent throughout, so that no lookup will ever be `None`.
    pub fn validate(&self) -> bool {
        let pages = self.pages.len().wrapping_sub(1);
        let in_order = (0..pages).all(|page| self.page_is_valid(page).unwrap_or(false));
        let fixed = [(0, Kind::Gap), (1, Kind::Unsupported)]
            .iter()
            .all(|(index, kind)| self.rule(*index).is_some_and(|rule| rule.kind == *kind));
        self.start.is_multiple_of(PAGE)
            && self.rules.len() <= MAX_RULES
            && (0..self.rules.len()).all(|rule| self.rule(rule).is_some())
            && fixed
            && self.first_row(0) == Some(0)
            && self.first_row(pages) == Some(self.rows.len())
            && in_order
    }

    fn page_is_valid(&self, page: usize) -> Option<bool> {
        let rows = self.rows.get(self.first_row(page)?..self.first_row(page.wrapping_add(1))?)?;
        let rows = rows.iter().map(|row| u32::from_le_bytes(*row));
        let starts_at_zero = rows.clone().next().is_none_or(|row| low12(row) == 0);
        let ascending = rows.clone().map(low12).is_sorted_by(|a, b| a < b);
        let known = rows.clone().all(|row| ((row >> 12) as usize) < self.rules.len());
        Some(starts_at_zero && ascending && known)
    }

    fn first_row(&self, page: usize) -> Option<usize> {
        self.pages.get(page).map(|row| u32::from_le_bytes(*row) as usize)
    }

    #[inline(always)]
    fn rule(&self, index: usize) -> Option<Rule> {
        Rule::decode(self.rules.get(index)?)
    }
}

fn low12(row: u32) -> u32 {
    row & 0xfff
}

/// The first `count` elements of `size` bytes each, and the rest.
fn split(bytes: &[u8], size: usize, count: u64) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::try_from(count).ok()?.checked_mul(size)?)
}

/// The last row at or below `low`, where the first one is.
fn last_at_or_below(rows: &[[u8; 4]], low: u32) -> Option<u32> {
    let (mut found, mut end) = (u32::from_le_bytes(*rows.first()?), rows.len());
    let mut from = 1_usize;
    while from < end {
        let middle = from.wrapping_add(end.wrapping_sub(from) / 2);
        let row = u32::from_le_bytes(*rows.get(middle)?);
        if low12(row) <= low {
            (found, from) = (row, middle.wrapping_add(1));
        } else {
            end = middle;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up;
    use proptest::prelude::*;

    const ROWS: [(u32, Rule); 3] = [(0, Rule::GAP), (16, Rule::END), (4095, Rule::SIGNAL)];

    #[test]
    fn a_row_holds_until_the_next() {
        let bytes = made_up::table(&ROWS);
        let table = Table::new(&bytes).unwrap();
        assert!(table.validate());
        let found = [15, 16, 4094, 4095, 4096, u64::MAX].map(|pc| table.lookup(pc).unwrap());
        let expected = [Rule::GAP, Rule::END, Rule::END, Rule::SIGNAL, Rule::GAP, Rule::GAP];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_table_that_is_cut_is_no_table() {
        let bytes = made_up::table(&ROWS);
        assert!((0..bytes.len()).all(|length| Table::new(&bytes[..length]).is_none()));
        assert!(Table::new(&[&*bytes, &[0]].concat()).is_some());
    }

    #[test]
    fn what_is_inconsistent_is_found() {
        let bytes = made_up::table(&ROWS);
        let changed = |place: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[place] = byte;
            Table::new(&bytes).map(|table| table.validate())
        };
        assert_eq!(changed(0, 0), None); // magic
        assert_eq!(changed(4, 99), None); // version
        assert_eq!(changed(9, 1), Some(false)); // start is not that of a page
        assert_eq!(changed(23, 1), None); // rows
        assert_eq!(changed(32, 1), Some(false)); // first row of the first page
        assert_eq!(changed(36, 2), Some(false)); // last row of the last page
        assert_eq!(changed(40, 1), Some(false)); // page does not begin with a row
        assert_eq!(changed(44, 0), Some(false)); // rows not ascending
        assert_eq!(changed(46, 99), Some(false)); // no such rule
        assert_eq!(changed(52, 2), Some(false)); // rule 0 is not GAP
        assert_eq!(changed(16, 0), Some(false)); // index one shorter
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_table_or_not_but_never_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..256),
            addresses: [u64; 8],
            counts: [u8; 3],
        ) {
            let header = made_up::table(&[]);
            let start = bytes.len().min(16);
            bytes[..start].copy_from_slice(&header[..start]);
            for (place, count) in [16, 20, 24].into_iter().zip(counts) {
                if let Some(number) = bytes.get_mut(place..place + 4) {
                    number.copy_from_slice(&u32::from(count % 16).to_le_bytes());
                }
            }
            bytes.get_mut(28..32).into_iter().for_each(|zero| zero.fill(0));
            if let Some(table) = Table::new(&bytes) {
                let is_sound = table.validate();
                for pc in addresses.into_iter().flat_map(|pc| [pc, pc % 0x1_0000]) {
                    prop_assert!(table.lookup(pc).is_some() || !is_sound);
                }
            }
        }
    }
}
