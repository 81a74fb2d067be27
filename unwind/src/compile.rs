//! From an ELF file to a table.
//!
//! ```text
//! elf.rs        what the file maps, and where its call frame information is
//! functions.rs  every range of code that something is known about, sorted, without overlaps
//! synthesis.rs  the same for code that linkers and C libraries leave without information
//! frames.rs     a section of call frame information, one function at a time
//! rules.rs      one row of call frame information to one rule
//! builder.rs    rows and rules to the bytes of a table
//! ```
//! The file may be anything. Time and memory are bounded by its size: a row needs at least one
//! byte of it, rows and pages have limits, and what is malformed is skipped and counted.

mod builder;
mod elf;
mod frames;
mod functions;
mod rules;
mod synthesis;

use std::fmt;

use builder::Builder;
use elf::Elf;
use functions::{Functions, Source};

use crate::rule::Rule;

/// A table, and what went into it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// For [`Table::new`](crate::Table::new).
    pub bytes: Vec<u8>,
    pub stats: Stats,
}

/// Of one compilation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Functions with call frame information, and pieces of code with rules of our own.
    pub functions: usize,
    pub synthesised: usize,
    pub rows: usize,
    pub rules: usize,
    /// Rows of call frame information that no rule can express.
    pub unsupported: usize,
    /// Functions whose call frame information is malformed, wholly or from some point on.
    pub malformed: usize,
}

/// Why there is no table for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Not an ELF file, or one that is damaged.
    NotElf,
    /// For another processor: `e_machine`.
    OtherMachine(u16),
    /// Nothing says how to unwind in it.
    NoCallFrameInformation,
    /// More code or more rows than a table can hold.
    TooLarge,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => write!(f, "not a valid 64-bit ELF file; reinstall or rebuild it"),
            Self::OtherMachine(machine) => {
                write!(f, "an ELF file for machine {machine}, but only x86-64 can be unwound")
            }
            Self::NoCallFrameInformation => write!(
                f,
                "no call frame information; build with -fasynchronous-unwind-tables, or keep \
                 frame pointers"
            ),
            Self::TooLarge => write!(f, "more code than an unwind table can hold"),
        }
    }
}

impl std::error::Error for CompileError {}

/// Compiles the table of the module whose ELF file, or image in memory, is `elf`.
pub fn compile(elf: &[u8]) -> Result<Compiled, CompileError> {
    let elf = Elf::parse(elf)?;
    let mut stats = Stats::default();
    let debug_frame = elf.debug_frame_bytes();
    let (mut eh_frame, mut debug_frame) = (elf.eh_frame(), elf.debug_frame(&debug_frame));
    let mut functions = Functions::new(&elf);
    functions.add(eh_frame.functions(Source::EhFrame, &mut stats));
    functions.add(debug_frame.functions(Source::DebugFrame, &mut stats));
    stats.functions = functions.len();
    functions.add(synthesis::linkage(&elf));
    functions.add(synthesis::loader_start(&elf));
    functions.add(synthesis::restorers(&elf, &functions));
    stats.synthesised = functions.len() - stats.functions;
    let mut builder = Builder::new(functions.as_slice())?;
    for function in functions.as_slice() {
        match function.source {
            Source::EhFrame(at) => eh_frame.emit(at, function, &elf, &mut builder, &mut stats),
            Source::DebugFrame(at) => {
                debug_frame.emit(at, function, &elf, &mut builder, &mut stats)
            }
            Source::Rule(rule) => builder.push(function.start, rule),
        }
        builder.push(function.end, Rule::GAP);
    }
    let bytes = builder.finish(&mut stats)?;
    Ok(Compiled { bytes, stats })
}
