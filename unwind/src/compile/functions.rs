//! Which ranges of code something is known about.
//!
//! All between them is a gap, even if it looks like padding. That costs one row in eight; but a
//! small function without information is not taken for the end of the one before it.

use std::ops::Range;

use super::elf::Elf;
use crate::rule::Rule;

/// A range of code, and where its rules come from.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    pub source: Source,
}

/// Offsets are those of a frame description entry in its section.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    EhFrame(usize),
    DebugFrame(usize),
    /// The same rule everywhere.
    Rule(Rule),
}

/// Functions by address, without overlaps, and all of them in code.
pub struct Functions {
    /// Sorted, without overlaps.
    code: Vec<Range<u64>>,
    /// Likewise.
    functions: Vec<Function>,
}

impl Functions {
    pub fn new(elf: &Elf) -> Self {
        let mut code: Vec<_> = elf.code().collect();
        code.sort_unstable_by_key(|range| (range.start, range.end));
        code.dedup_by(|next, range| {
            let touches = next.start <= range.end;
            if touches {
                range.end = range.end.max(next.end);
            }
            touches
        });
        Self { code, functions: Vec::new() }
    }

    pub fn as_slice(&self) -> &[Function] {
        &self.functions
    }

    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Code that is in none of the functions.
    pub fn gaps(&self) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut functions = self.functions.iter().peekable();
        for code in &self.code {
            let mut position = code.start;
            while let Some(function) = functions.next_if(|function| function.start < code.end) {
                gaps.push(position..function.start);
                position = function.end;
            }
            gaps.push(position..code.end);
        }
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// Adds those that overlap none of the functions that are here already. Among themselves, a
    /// function ends where the next one starts, and of several with one start the first counts.
    pub fn add(&mut self, mut more: Vec<Function>) {
        more.retain_mut(|function| self.clip(function));
        more.sort_by_key(|function| function.start);
        more.dedup_by_key(|function| function.start);
        let starts: Vec<_> = more.iter().skip(1).map(|function| function.start).collect();
        for (function, next) in more.iter_mut().zip(starts) {
            function.end = function.end.min(next);
        }
        more.retain(|function| !self.overlaps(function));
        self.functions.append(&mut more);
        self.functions.sort_by_key(|function| function.start);
    }

    /// To the range of code that the function starts in; false: there is none.
    fn clip(&self, function: &mut Function) -> bool {
        let behind = self.code.partition_point(|range| range.start <= function.start);
        let range = behind.checked_sub(1).and_then(|index| self.code.get(index));
        let Some(range) = range else { return false };
        function.end = function.end.min(range.end);
        function.start < function.end
    }

    fn overlaps(&self, function: &Function) -> bool {
        let behind = self.functions.partition_point(|other| other.start < function.end);
        let before = behind.checked_sub(1).and_then(|index| self.functions.get(index));
        before.is_some_and(|other| function.start < other.end)
    }
}
