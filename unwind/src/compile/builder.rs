//! Rows and rules to the bytes of a table.

use std::collections::HashMap;

use super::functions::Function;
use super::{CompileError, Stats};
use crate::rule::Rule;
use crate::table::{HEADER, MAGIC, MAX_RULES, PAGE, VERSION};

/// 4 GiB of code but one page, so that offsets fit into 32 bits.
const MAX_PAGES: u64 = (1 << 20) - 1;
/// Sixteen times what a compiler's own library of 100 MB has.
const MAX_ROWS: usize = 1 << 24;

const GAP: u32 = 0;
const UNSUPPORTED: u32 = 1;

/// A table in the making. Rows come in the order of their addresses.
pub struct Builder {
    /// Address of the first page.
    start: u64,
    pages: u32,
    /// Offset from `start`, number of the rule.
    rows: Vec<(u32, u32)>,
    rules: Vec<Rule>,
    numbers: HashMap<Rule, u32>,
}

impl Builder {
    /// For rows in `functions`, which are sorted.
    pub fn new(functions: &[Function]) -> Result<Self, CompileError> {
        let (Some(first), Some(last)) = (functions.first(), functions.last()) else {
            return Err(CompileError::NoCallFrameInformation);
        };
        let start = first.start - first.start % PAGE;
        let pages = (last.end - start).div_ceil(PAGE);
        if pages > MAX_PAGES {
            return Err(CompileError::TooLarge);
        }
        let mut builder = Self {
            start,
            pages: pages as u32,
            rows: Vec::new(),
            rules: Vec::new(),
            numbers: HashMap::new(),
        };
        builder.number(Rule::GAP);
        builder.number(Rule::UNSUPPORTED);
        Ok(builder)
    }

    /// From `address` on, until the next row, `rule` holds. Replaces a row at the same address.
    pub fn push(&mut self, address: u64, rule: Rule) {
        let rule = self.number(rule);
        let offset = (address - self.start) as u32;
        self.rows.pop_if(|row| row.0 == offset);
        let before = self.rows.last().map_or(GAP, |row| row.1);
        if rule != before {
            self.rows.push((offset, rule));
        }
    }

    fn number(&mut self, rule: Rule) -> u32 {
        if let Some(number) = self.numbers.get(&rule) {
            return *number;
        }
        if self.rules.len() == MAX_RULES {
            return UNSUPPORTED;
        }
        let number = self.rules.len() as u32;
        self.rules.push(rule);
        self.numbers.insert(rule, number);
        number
    }

    /// The bytes of the table.
    pub fn finish(self, stats: &mut Stats) -> Result<Vec<u8>, CompileError> {
        if self.rows.len() > MAX_ROWS {
            return Err(CompileError::TooLarge);
        }
        let (pages, rows) = self.paged();
        stats.rows = rows.len();
        stats.rules = self.rules.len();
        let header = [
            MAGIC,
            VERSION,
            self.start as u32,
            (self.start >> 32) as u32,
            self.pages,
            rows.len() as u32,
            self.rules.len() as u32,
            0,
        ];
        let mut bytes =
            Vec::with_capacity(HEADER + 4 * (pages.len() + rows.len()) + 16 * stats.rules);
        for number in header.iter().chain(&pages).chain(&rows) {
            bytes.extend(number.to_le_bytes());
        }
        for rule in &self.rules {
            bytes.extend(rule.encode());
        }
        Ok(bytes)
    }

    /// The page index, and rows in the format of a table: what holds at the end of a page is
    /// said again at the start of the next, unless that page is a gap throughout.
    fn paged(&self) -> (Vec<u32>, Vec<u32>) {
        let mut pages = Vec::with_capacity(self.pages as usize + 1);
        let mut rows = Vec::with_capacity(self.rows.len() + self.pages as usize);
        let mut unpaged = self.rows.iter().peekable();
        let mut carried = GAP;
        for page in 0..self.pages {
            pages.push(rows.len() as u32);
            let in_page = |row: &&(u32, u32)| row.0 / PAGE as u32 == page;
            let starts_with_row =
                unpaged.peek().is_some_and(|row| in_page(row) && row.0 % PAGE as u32 == 0);
            let has_rows = unpaged.peek().is_some_and(in_page);
            if !starts_with_row && (has_rows || carried != GAP) {
                rows.push(carried << 12);
            }
            while let Some((offset, rule)) = unpaged.next_if(in_page) {
                rows.push((offset % PAGE as u32) | (rule << 12));
                carried = *rule;
            }
        }
        pages.push(rows.len() as u32);
        (pages, rows)
    }
}
