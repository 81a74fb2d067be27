//! Locations to frames: functions, files and lines, inlined functions included.
//!
//! [`symbolize()`] is the entrance ([`inspect()`] only says what there is). It opens the modules of a recording and their debug files,
//! each on a thread of its own, and answers for every location. It knows no running process, no
//! ring and no command line.
//!
//! A name is given only where a symbol or a piece of debug information covers the address, in a
//! file whose build-id is the recorded one. A function without a name is `module+0xstart`, so that
//! its addresses are one function in a report; its start comes from the unwind information that
//! covers the address. Everything else is `module+0xaddress`: an honest gap reads better than the
//! name of a far neighbour.
//!
//! Debug information comes from the module itself, else from folders that the caller names, else
//! from `/usr/lib/debug/.build-id`, else from where `.gnu_debuglink` leads, else from debuginfod
//! servers; what `dwz` moved to a common file is followed, and so is split DWARF (`.dwo`, `.dwp`).
//! Where there is none, `.gnu_debugdata` has the names of functions. [`Sources`] says where all
//! that is.
//!
//! What was looked up once is kept in a folder of the caller's, and believed as long as the same
//! files are there: see `shelf.rs`.
//!
//! Files are untrusted: a damaged one costs names, never the report. Two defects remain, both in
//! addr2line, for files that were made to hurt. Debug information that nests inlined functions a
//! hundred thousand deep exhausts the stack of the thread that reads it, as addr2line recurses
//! there. And it joins the folder of a unit to each of the unit's files before one is asked for: a
//! unit with tens of thousands of files and a folder of tens of kilobytes exhausts memory.

mod debug_info;
mod debuginfod;
mod demangle;
mod elf;
mod files;
mod functions;
mod inspect;
mod locate;
mod lookup;
mod mini;
mod module;
mod plt;
mod pool;
mod problem;
mod root;
mod shelf;
mod sources;
mod split;
mod stored;
mod symbol_table;
mod symbolize;
mod texts;

#[cfg(test)]
mod tests;

pub use debuginfod::Servers;
pub use inspect::{DebugInfoFound, Inspection, inspect};
pub use problem::{Cause, Problem};
pub use sources::{Kept, Sources};
pub use split::MissingUnits;
pub use symbolize::{Symbolized, symbolize};
