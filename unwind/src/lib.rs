//! Stack unwinding by compact tables: their format, the walker that reads them in a signal
//! handler, and (feature `compile`) the compiler that makes them from call frame information.
//!
//! # A table
//! One for each module. All numbers are little-endian, nothing need be aligned, and addresses
//! are relative: as in the module's program headers.
//! ```text
//!  0  magic "SIGU"     4  version           8  address of the first page, 8 bytes
//! 16  pages           20  rows             24  rules          28  zero
//! 32  page index      (pages + 1) x 4: the first row of each page of 4 KiB; last: rows
//!  .  rows            4 each: low 12 bits of an address | rule << 12, ascending in a page
//!  .  rules          16 each, see `rule.rs`; 0 is GAP, 1 is UNSUPPORTED
//! ```
//! A row holds from its address to the next row. A page without rows is a gap; any other begins
//! with a row for its first byte, so that a lookup touches one page's rows and nothing else.
//!
//! # The walk
//! A frame is a program counter and the registers that are known in it: all of them where the
//! thread was interrupted, rsp, rbp and rbx in its callers. A rule gives the canonical frame
//! address (CFA, what rsp was before the call), which must grow from frame to frame and be a
//! multiple of 8. Return addresses are looked up one byte lower, as a call may be the last
//! instruction of its function; interrupted program counters (the leaf, and what lies behind a
//! signal frame) are looked up as they are, and marked with [`EXACT`].
//!
//! Where there is no rule, a step must prove itself: a frame pointer into the stack with a
//! return address into known code beside it, or with a plausible frame above it (code that was
//! compiled at run time). Where a function was interrupted that has no frame, its return address
//! is on top of the stack, and behind a call. What cannot be proved ends the walk: a short stack
//! that says so is better than a wrong one.
//!
//! Rules that walks have used can be kept by program counter ([`Cache`]): then a frame costs a look
//! there and at the stack.
//!
//! # What is left out on purpose
//! * r12 to r15 in callers: one row in ten measured libraries needed one.
//! * DWARF expressions other than the four patterns that compilers, linkers and libraries emit.
//! * Decoding of instructions, but for calls and returns beside code without a rule (`x86_64.rs`) and
//!   what compilers, linkers and loaders describe wrongly or not at all (`x86_64/code.rs`).
#![cfg_attr(not(any(test, feature = "compile")), no_std)]

mod cache;
#[cfg(feature = "compile")]
mod compile;
mod frame;
#[cfg(test)]
mod made_up;
mod rule;
mod table;
mod walk;
mod x86_64;

pub use cache::{Cache, Cached};
#[cfg(feature = "compile")]
pub use compile::{CompileError, Compiled, Stats, compile};
pub use frame::{FRAME_WORDS, Frame};
pub use rule::{Kind, ReturnAddress, Rule, Saved};
pub use table::Table;
pub use walk::{EXACT, Memory, Modules, Registers, Stop, walk};
/// What differs between processors. Another one is another file beside it.
use x86_64 as arch;
