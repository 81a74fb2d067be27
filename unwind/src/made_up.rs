//! Tables, modules and memory for tests.

use std::collections::BTreeMap;

use crate::rule::Rule;
use crate::table::{MAGIC, Table, VERSION};
use crate::walk::{Memory, Modules};

/// A table of one page at address 0. Each row holds from its address to the next.
pub fn table(rows: &[(u32, Rule)]) -> Vec<u8> {
    let mut rules = vec![Rule::GAP, Rule::UNSUPPORTED];
    let mut numbers = vec![MAGIC, VERSION, 0, 0, 1, rows.len() as u32, 2 + rows.len() as u32, 0];
    numbers.extend([0, rows.len() as u32]);
    for (address, rule) in rows {
        numbers.push(address | (rules.len() as u32) << 12);
        rules.push(*rule);
    }
    let rules = rules.iter().flat_map(Rule::encode);
    numbers.into_iter().flat_map(u32::to_le_bytes).chain(rules).collect()
}

/// Modules of one page, by their start.
#[derive(Default)]
pub struct MadeUpModules(pub BTreeMap<u64, Vec<u8>>);

impl Modules for MadeUpModules {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let (start, table) = self.0.range(..=pc).next_back()?;
        let relative = pc - start;
        if relative < 0x1000 { Some((Table::new(table)?, relative)) } else { None }
    }
}

/// Words by address; there is nothing else.
#[derive(Default)]
pub struct MadeUpMemory(BTreeMap<u64, u64>);

impl MadeUpMemory {
    /// Adds words from an address on.
    pub fn with(mut self, address: u64, words: &[u64]) -> Self {
        self.0.extend((address..).step_by(8).zip(words.iter().copied()));
        self
    }
}

impl Memory for MadeUpMemory {
    fn word(&mut self, address: u64) -> Option<u64> {
        self.0.get(&address).copied()
    }
}
