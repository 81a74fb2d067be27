//! Rules for code that comes without call frame information, known by its bytes.

use std::ops::Range;

use super::elf::{Elf, Mapped};
use super::functions::{Function, Functions, Source};
use crate::arch;
use crate::rule::Rule;

/// Procedure linkage tables, `.init` and `.fini`. Some linkers describe the first, others do
/// not (lld); nobody describes the others.
pub fn linkage(elf: &Elf) -> Vec<Function> {
    let mut functions = Vec::new();
    for (name, section) in elf.code_sections() {
        let pieces = match name {
            b".init" | b".fini" => arch::code::bracketed(section.bytes),
            _ if name.starts_with(b".plt") || name.starts_with(b".iplt") => {
                arch::code::linkage_table(section.bytes)
            }
            _ => continue,
        };
        add_pieces(section, &pieces, &mut functions);
    }
    functions
}

/// Each piece holds from its offset to the next.
fn add_pieces(section: Mapped, pieces: &[(usize, Rule)], functions: &mut Vec<Function>) {
    let ends = pieces.iter().skip(1).map(|(offset, _)| *offset).chain([section.bytes.len()]);
    for ((offset, rule), end) in pieces.iter().zip(ends) {
        let at = |offset: usize| section.address.saturating_add(offset as u64);
        functions.push(Function { start: at(*offset), end: at(end), source: Source::Rule(*rule) });
    }
}

/// The first function of a dynamic linker, if it is in none of the others.
pub fn loader_start(elf: &Elf) -> Vec<Function> {
    let start = elf.entry();
    let length = elf.mapped_from(start).and_then(arch::code::loader_start);
    let function = |length| Function {
        start,
        end: start.saturating_add(length as u64),
        source: Source::Rule(Rule::END),
    };
    length.map(function).into_iter().collect()
}

/// What signal handlers return to, in C libraries that do not describe it (musl), in language
/// runtimes and in other profilers. Looked for in all code that is in none of `functions`.
pub fn restorers(elf: &Elf, functions: &Functions) -> Vec<Function> {
    let mut found = Vec::new();
    for gap in functions.gaps() {
        let bytes = elf.mapped_in(&gap);
        for (offset, code) in bytes.windows(arch::RESTORER.len()).enumerate() {
            if code == arch::RESTORER {
                found.push(restorer(gap.start + offset as u64, &gap));
            }
        }
    }
    found
}

/// Nobody calls a restorer: it is returned to, and return addresses are looked up one lower.
fn restorer(address: u64, gap: &Range<u64>) -> Function {
    let start = gap.start.max(address.saturating_sub(1));
    let end = address + arch::RESTORER.len() as u64;
    Function { start, end, source: Source::Rule(Rule::SIGNAL) }
}
