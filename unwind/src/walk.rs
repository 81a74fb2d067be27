//! The walk from an interrupted instruction to the outermost function.

use crate::cache::Cached;
use crate::frame::Frame;
use crate::rule::{Kind, Rule};
use crate::table::Table;

/// Set in a program counter that is exact: of an instruction that was interrupted. All others
/// are return addresses, and belong to the call before them.
pub const EXACT: u64 = 1 << 63;

/// Where the thread was interrupted. `general` is in DWARF order: rax, rdx, rcx, rbx, rsi, rdi,
/// rbp, rsp, r8 to r15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    pub general: [u64; 16],
    pub pc: u64,
}

/// The memory of the thread: mostly its stack, also code. In a handler it must be
/// async-signal-safe.
pub trait Memory {
    /// The 8 bytes at `address`; `None` if they cannot be read.
    fn word(&mut self, address: u64) -> Option<u64>;
}

/// The modules of the process. In a handler it must be async-signal-safe.
pub trait Modules {
    /// The table of the module that holds `pc`, and `pc` relative to that module.
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)>;

    /// Where rules are kept that `find` has led to, if anywhere.
    fn cached(&self) -> Option<Cached<'_>> {
        None
    }

    /// Where `find` has nothing: whether that may change, as the module is new. Then the walk
    /// ends with [`Stop::Unknown`] and can be resumed by someone who knows more.
    fn may_be_known_later(&mut self, _pc: u64) -> bool {
        false
    }
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// At the outermost function: the stack is complete.
    End = 0,
    /// In code without a rule and without a credible frame pointer.
    NoTable = 1,
    /// At a rule that led nowhere: a CFA that does not grow, a return address that is none.
    BadRule = 2,
    /// Memory that a rule points to cannot be read.
    OutOfStack = 3,
    /// The caller wanted no more.
    Truncated = 4,
    /// In a module that is not known yet.
    Unknown = 5,
}

impl Stop {
    /// The inverse of `as u8`.
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::End, Self::NoTable, Self::BadRule, Self::OutOfStack, Self::Truncated, Self::Unknown]
            .get(usize::from(number))
            .copied()
    }
}

/// Calls `each` with the program counter of each frame, from `frame` on, until it returns false.
/// Leaves in `frame` the frame at which it ended. Async-signal-safe if the last three arguments
/// are.
pub fn walk(
    frame: &mut Frame,
    modules: &mut impl Modules,
    memory: &mut impl Memory,
    each: &mut impl FnMut(u64) -> bool,
) -> Stop {
    loop {
        if frame.pc() == 0 {
            return Stop::End;
        }
        if !each(frame.word()) {
            return Stop::Truncated;
        }
        let pc = frame.lookup_pc();
        if let Some(rule) = modules.cached().and_then(|cached| cached.get(pc))
            && frame.leave_by_usual(rule, memory).is_some()
        {
            continue;
        }
        let step = match find(pc, modules) {
            Found::Rule(rule) => match rule.kind {
                Kind::End => Err(Stop::End),
                Kind::Signal => frame.leave_handler(memory),
                Kind::GoCall => frame.leave_go_call(memory),
                Kind::Register | Kind::Plt | Kind::Deref | Kind::Indexed => {
                    frame.leave(&rule, modules, memory)
                }
                Kind::Gap => frame.leave_gap(modules, memory),
                Kind::Unsupported => frame.leave_by_frame_pointer(modules, memory),
            },
            Found::NoModule => match frame.leave_trampoline(modules, memory) {
                Some(step) => step,
                None if modules.may_be_known_later(pc) => Err(Stop::Unknown),
                None => frame.leave_unknown_code(modules, memory),
            },
            Found::BadTable => Err(Stop::BadRule),
        };
        if let Err(stop) = step {
            return stop;
        }
    }
}

/// What is known about a program counter.
pub(crate) enum Found {
    Rule(Rule),
    NoModule,
    BadTable,
}

#[inline(never)] // a walk by cached rules takes half the time if it has the registers for itself
pub(crate) fn find(pc: u64, modules: &mut impl Modules) -> Found {
    let Some((table, relative)) = modules.find(pc) else { return Found::NoModule };
    let Some(rule) = table.lookup(relative) else { return Found::BadTable };
    if let Some(cached) = modules.cached() {
        cached.keep(pc, &rule);
    }
    Found::Rule(rule)
}

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod tests;
