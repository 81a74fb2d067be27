//! A section of call frame information.

use std::collections::HashMap;
use std::ops::Range;

use gimli::{
    BaseAddresses, CieOrFde, CommonInformationEntry, FrameDescriptionEntry, UnwindContext,
    UnwindSection,
};

use super::Stats;
use super::builder::Builder;
use super::elf::{Elf, Reader};
use super::functions::{Function, Source};
use super::rules::rule_of;
use crate::arch;
use crate::rule::{Kind, Rule, Saved};

type Cie<'a> = CommonInformationEntry<Reader<'a>>;
type Fde<'a> = FrameDescriptionEntry<Reader<'a>>;

/// Bytes of a common entry at most. Its instructions run once for each of its functions, so that
/// a long one could make a small file take very long. Compilers need some 20 bytes.
const LONGEST_COMMON_ENTRY: usize = 512;

/// `.eh_frame` or `.debug_frame`.
pub struct Frames<'a, S> {
    section: S,
    bases: BaseAddresses,
    common: HashMap<usize, gimli::Result<Cie<'a>>>,
    context: UnwindContext<usize>,
}

impl<'a, S: UnwindSection<Reader<'a>>> Frames<'a, S>
where
    S::Offset: gimli::UnwindOffset<usize>,
{
    pub fn new(section: S, bases: BaseAddresses) -> Self {
        Self { section, bases, common: HashMap::new(), context: UnwindContext::new() }
    }

    /// All functions of the section, in its order. `source` makes one of an offset.
    pub fn functions(
        &mut self,
        source: impl Fn(usize) -> Source,
        stats: &mut Stats,
    ) -> Vec<Function> {
        let mut functions = Vec::new();
        let bases = self.bases.clone();
        for entry in self.section.clone().entries(&bases) {
            let fde = match entry {
                Ok(CieOrFde::Cie(_)) => continue,
                Ok(CieOrFde::Fde(partial)) => self.parse(partial.offset()),
                Err(error) => Err(error),
            };
            match fde {
                Ok(fde) => functions.push(Function {
                    start: fde.initial_address(),
                    end: fde.initial_address().saturating_add(fde.len()),
                    source: source(fde.offset()),
                }),
                Err(_) => stats.malformed += 1,
            }
        }
        functions
    }

    /// Adds the rows of the function whose entry is at `offset`.
    pub fn emit(
        &mut self,
        offset: usize,
        function: &Function,
        elf: &Elf,
        builder: &mut Builder,
        stats: &mut Stats,
    ) {
        let covered = match self.parse(offset) {
            Ok(fde) => self.emit_rows(&fde, function, elf, builder, stats),
            Err(_) => function.start,
        };
        if covered < function.end {
            stats.malformed += 1;
            builder.push(covered, Rule::UNSUPPORTED);
        }
    }

    /// Returns the end of the last row that could be read.
    fn emit_rows(
        &mut self,
        fde: &Fde<'a>,
        function: &Function,
        elf: &Elf,
        builder: &mut Builder,
        stats: &mut Stats,
    ) -> u64 {
        let mut covered = function.start;
        let elsewhere = on_other_stacks(function, elf);
        let Ok(mut rows) = fde.rows(&self.section, &self.bases, &mut self.context) else {
            return covered;
        };
        while let Ok(Some(row)) = rows.next_row() {
            let end = row.end_address().min(function.end);
            if row.start_address() != covered || end < covered {
                break; // addresses went round
            }
            if covered < end {
                let rule = rule_of(row, fde, &self.section);
                stats.unsupported += usize::from(rule.kind == Kind::Unsupported);
                builder.push(covered, rule);
                if elsewhere.is_empty() && rule.rbp == Saved::BesideRbp(0) {
                    push_popped(covered..end, rule, elf, builder);
                }
                push_pieces(covered..end, rule, &elsewhere, builder);
                covered = end;
            }
            if end == function.end {
                break;
            }
        }
        covered
    }

    fn parse(&mut self, offset: usize) -> gimli::Result<Fde<'a>> {
        let common = &mut self.common;
        self.section.fde_from_offset(&self.bases, offset.into(), |section, bases, at| {
            let offset = gimli::UnwindOffset::into(at);
            common.entry(offset).or_insert_with(|| parse_common(section, bases, at)).clone()
        })
    }
}

/// Corrects a row where the caller's frame pointer is not beside the register, but in it: its slot
/// is part of the frame, which is gone for good where the CFA is just above the return address.
fn push_popped(row: Range<u64>, rule: Rule, elf: &Elf, builder: &mut Builder) {
    if (rule.kind, rule.register, rule.offset) == (Kind::Register, arch::RSP, 8) {
        builder.push(row.start, Rule { rbp: Saved::Kept, ..rule });
        return;
    }
    const AROUND: u64 = 4;
    let around = row.start.saturating_sub(AROUND)..row.end.saturating_add(AROUND);
    for popped in arch::code::with_popped_frame_pointer(elf.mapped_in(&around)) {
        let start = row.start.max(around.start + popped.start as u64);
        let end = row.end.min(around.start + popped.end as u64);
        if start < end {
            builder.push(start, Rule { rbp: Saved::Kept, ..rule });
            if end < row.end {
                builder.push(end, rule);
            }
        }
    }
}

/// Pieces of a function that are on another stack than it says. Only Go has such, and describes its
/// functions in `.debug_frame`.
fn on_other_stacks(function: &Function, elf: &Elf) -> Vec<(Range<u64>, Rule)> {
    let Function { start, end, source: Source::DebugFrame(_) } = *function else {
        return Vec::new();
    };
    let at = |offset: usize| start.saturating_add(offset as u64);
    let pieces = arch::code::on_other_stacks(elf.mapped_in(&(start..end)));
    pieces.into_iter().map(|(piece, rule)| (at(piece.start)..at(piece.end), rule)).collect()
}

/// Replaces a row's rule in these pieces of it.
fn push_pieces(row: Range<u64>, rule: Rule, pieces: &[(Range<u64>, Rule)], builder: &mut Builder) {
    let first = pieces.partition_point(|(piece, _)| piece.end <= row.start);
    let pieces = pieces.get(first..).unwrap_or_default().iter();
    for (piece, other) in pieces.take_while(|(piece, _)| piece.start < row.end) {
        builder.push(piece.start.max(row.start), *other);
        if piece.end < row.end {
            builder.push(piece.end, rule);
        }
    }
}

fn parse_common<'a, S: UnwindSection<Reader<'a>>>(
    section: &S,
    bases: &BaseAddresses,
    offset: S::Offset,
) -> gimli::Result<Cie<'a>> {
    let cie = section.cie_from_offset(bases, offset)?;
    if cie.entry_len() > LONGEST_COMMON_ENTRY {
        return Err(gimli::Error::TooManyRegisterRules);
    }
    Ok(cie)
}
