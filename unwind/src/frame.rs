//! One frame of a walk, and the ways to leave it for its caller.
//!
//! Everything here is async-signal-safe if the memory and the modules are. A way that fails may
//! leave the frame half-changed: the walk is over then.

use crate::arch;
use crate::cache::Usual;
use crate::rule::{Kind, ReturnAddress, Rule, Saved};
use crate::walk::{EXACT, Found, Memory, Modules, Registers, Stop, find};

/// A function that has not returned yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pc: u64,
    /// Interrupted at `pc`; otherwise `pc` is where it goes on after a call.
    exact: bool,
    general: [u64; 16],
    /// Bit n: `general[n]` has the value that it has in this function.
    known: u16,
    /// The last trampoline of this walk, and where it has returned to; 0: there was none.
    trampoline: u64,
    calls_trampolines: u64,
    /// How often this walk has changed from one stack to another.
    switches: u8,
}

/// Changes of the stack in one walk at most, as signal frames are. There the CFA may shrink: without
/// a limit a bad stack could lead in circles.
pub(crate) const MAX_SWITCHES: u8 = 8;

const ALL: u16 = 0xffff;

/// Words of a frame on its way to someone who can resume the walk.
pub const FRAME_WORDS: usize = 5;
const IN_WORDS: u16 = bit(arch::RSP) | bit(arch::RBP) | bit(arch::RBX);

impl Frame {
    /// The function that was interrupted.
    pub fn interrupted(registers: &Registers) -> Self {
        Self {
            pc: registers.pc,
            exact: true,
            general: registers.general,
            known: ALL,
            trampoline: 0,
            calls_trampolines: 0,
            switches: 0,
        }
    }

    /// The frame as words: what callers can know, and no other registers. Async-signal-safe.
    pub fn to_words(&self) -> [u64; FRAME_WORDS] {
        let [_, _, _, rbx, _, _, rbp, rsp, ..] = self.general;
        [self.word(), rsp, rbp, rbx, (self.known & IN_WORDS).into()]
    }

    /// The inverse of [`Frame::to_words`]; any words will do.
    pub fn from_words([word, rsp, rbp, rbx, known]: [u64; FRAME_WORDS]) -> Self {
        let general = [0, 0, 0, rbx, 0, 0, rbp, rsp, 0, 0, 0, 0, 0, 0, 0, 0];
        let known = known as u16 & IN_WORDS;
        let (pc, exact) = (word & !EXACT, word & EXACT != 0);
        Self { pc, exact, general, known, ..Self::interrupted(&Registers::default()) }
    }

    pub(crate) fn pc(&self) -> u64 {
        self.pc
    }

    /// What the stack pointer is in this function.
    pub fn stack_pointer(&self) -> u64 {
        self.sp()
    }

    /// For the caller of `walk`.
    pub(crate) fn word(&self) -> u64 {
        if self.exact { self.pc | EXACT } else { self.pc }
    }

    /// A call may be the last instruction of its function.
    pub(crate) fn lookup_pc(&self) -> u64 {
        if self.exact { self.pc } else { self.pc.wrapping_sub(1) }
    }

    /// Leaves by a rule that has a CFA.
    pub(crate) fn leave(
        &mut self,
        rule: &Rule,
        modules: &mut impl Modules,
        memory: &mut impl Memory,
    ) -> Result<(), Stop> {
        let Some(base) = self.register(rule.register) else {
            return self.leave_by_frame_pointer(modules, memory);
        };
        let cfa = self.cfa(rule, base, memory)?;
        let return_address = match rule.return_address {
            ReturnAddress::BelowCfa => read(cfa.wrapping_sub(arch::RETURN_ADDRESS), memory)?,
            ReturnAddress::Register(number) => self.register(number).ok_or(Stop::BadRule)?,
        };
        let rbp = self.saved(arch::RBP, rule.rbp, cfa, memory);
        let rbx = self.saved(arch::RBX, rule.rbx, cfa, memory);
        self.go_to_caller(return_address, cfa)?;
        self.set(arch::RBP, rbp);
        self.set(arch::RBX, rbx);
        Ok(())
    }

    /// Leaves by a rule that was kept, where nothing is wrong: does what `leave` does. `None`: it may
    /// be, and nothing has changed.
    #[inline(always)]
    pub(crate) fn leave_by_usual(&mut self, rule: Usual, memory: &mut impl Memory) -> Option<()> {
        let [_, _, _, _, _, _, rbp, sp, ..] = self.general;
        let base = match rule.register() {
            arch::RSP => sp,
            arch::RBP if self.known & bit(arch::RBP) != 0 => rbp,
            other => self.register(other)?,
        };
        let cfa = base.wrapping_add_signed(rule.offset());
        let grows = if self.exact { cfa >= sp } else { cfa > sp };
        if !grows || !cfa.is_multiple_of(8) {
            return None;
        }
        let return_address = memory.word(cfa.wrapping_sub(arch::RETURN_ADDRESS))?;
        let rbp = self.saved(arch::RBP, rule.rbp(), cfa, memory);
        let rbx = self.saved(arch::RBX, rule.rbx(), cfa, memory);
        self.go_to_caller(return_address, cfa).ok()?; // changes nothing if it fails
        self.set(arch::RBP, rbp);
        self.set(arch::RBX, rbx);
        Some(())
    }

    /// The CFA must lie above everything that the function has on the stack.
    fn cfa(&self, rule: &Rule, base: u64, memory: &mut impl Memory) -> Result<u64, Stop> {
        let address = base.wrapping_add_signed(rule.offset.into());
        let cfa = match rule.kind {
            Kind::Plt => address.wrapping_add(arch::pushed_by_plt(self.pc, rule.second)),
            Kind::Deref => read(address, memory)?.wrapping_add_signed(rule.second.into()),
            Kind::Indexed => {
                let index = self.register(arch::R9).ok_or(Stop::BadRule)?;
                let element = address.wrapping_add(index.wrapping_mul(8));
                read(element, memory)?.wrapping_add_signed(rule.second.into())
            }
            _ => address,
        };
        let grows = if self.exact { cfa >= self.sp() } else { cfa > self.sp() };
        if grows && cfa.is_multiple_of(8) { Ok(cfa) } else { Err(Stop::BadRule) }
    }

    /// The caller's value of a register. At the end of a function it may lie below the stack
    /// pointer already, where not every memory is readable: then it is not known.
    fn saved(&self, register: u8, saved: Saved, cfa: u64, memory: &mut impl Memory) -> Option<u64> {
        let (base, words) = match saved {
            Saved::Kept => return self.register(register),
            Saved::Lost => return None,
            Saved::At(words) => (cfa, words),
            Saved::BesideRbp(words) => (self.register(arch::RBP)?, words),
        };
        memory.word(base.wrapping_add_signed(i64::from(words).wrapping_mul(8)))
    }

    /// Leaves a signal handler for what it interrupted, maybe on another stack.
    pub(crate) fn leave_handler(&mut self, memory: &mut impl Memory) -> Result<(), Stop> {
        self.count_switch()?;
        let (general, pc) =
            arch::interrupted_registers(self.sp(), memory).ok_or(Stop::OutOfStack)?;
        (self.general, self.pc, self.exact, self.known) = (general, pc, true, ALL);
        Ok(())
    }

    fn count_switch(&mut self) -> Result<(), Stop> {
        self.switches = self.switches.wrapping_add(1);
        if self.switches > MAX_SWITCHES { Err(Stop::BadRule) } else { Ok(()) }
    }

    /// Leaves Go's `asmcgocall`, on the stack of C functions, for the goroutine that has called it.
    pub(crate) fn leave_go_call(&mut self, memory: &mut impl Memory) -> Result<(), Stop> {
        self.count_switch()?;
        let sp = arch::stack_before_go_call(self.sp(), memory).ok_or(Stop::OutOfStack)?;
        let return_address = read(sp, memory)?;
        self.go_to_caller(return_address, sp.wrapping_add(arch::RETURN_ADDRESS))
    }

    /// Leaves code of a module that has no call frame information there. That is mostly a few
    /// instructions of hand-written assembly: when interrupted in it, the return address is
    /// still on top of the stack, or else there is a frame pointer.
    ///
    /// Or it is no code at all: the first function of a coroutine returns to where another begins,
    /// behind padding. No call has put that address there, so this is the outermost one.
    pub(crate) fn leave_gap(
        &mut self,
        modules: &mut impl Modules,
        memory: &mut impl Memory,
    ) -> Result<(), Stop> {
        if !self.exact {
            let begins =
                matches!(find(self.pc, modules), Found::Rule(rule) if rule.kind != Kind::Gap);
            if begins && !arch::may_follow_call(self.pc, memory) {
                return match arch::is_restorer(self.pc, memory) {
                    true => self.leave_handler(memory),
                    false => Err(Stop::End),
                };
            }
            return self.leave_by_frame_pointer(modules, memory);
        }
        if self.leave_without_frame(modules, memory) {
            Ok(())
        } else {
            self.leave_by_frame_pointer(modules, memory)
        }
    }

    /// Leaves a trampoline: code that calls another function and then does nothing but leave, without
    /// a frame pointer. The one that is there is that of a caller, and would lead beyond it. What
    /// module holds the code does not matter. `None`: it is none.
    pub(crate) fn leave_trampoline(
        &mut self,
        modules: &mut impl Modules,
        memory: &mut impl Memory,
    ) -> Option<Result<(), Stop>> {
        // Code is read by a system call: only where what the trampoline returns to is in its place,
        // and once for all trampolines that were called from there. They are copies, aligned to 16.
        let cfa = self.sp().wrapping_add(arch::BEHIND_ONE_WORD);
        let return_address = memory.word(cfa.wrapping_sub(arch::RETURN_ADDRESS))?;
        let is_known = !self.exact
            && return_address == self.calls_trampolines
            && (self.pc ^ self.trampoline) & 15 == 0;
        let is_one = returns_to_known_code(return_address, modules)
            && (is_known || arch::only_leaves(self.pc, memory));
        if !is_one {
            return None;
        }
        (self.trampoline, self.calls_trampolines) = (self.pc, return_address);
        Some(self.go_to_caller(return_address, cfa))
    }

    /// Leaves code without a rule where it was interrupted, if it has no frame yet, or none any
    /// more: its return address is on top of the stack, or behind the frame pointer of its caller,
    /// which it has just pushed. By the frame pointer one would come to the caller's caller.
    /// Returns whether it was so.
    fn leave_without_frame(
        &mut self,
        modules: &mut impl Modules,
        memory: &mut impl Memory,
    ) -> bool {
        let [top, second] = [0, 8].map(|offset| memory.word(self.sp().wrapping_add(offset)));
        let has_pushed =
            self.register(arch::RBP).is_some_and(|rbp| rbp > self.sp() && top == Some(rbp));
        let place = if has_pushed { second } else { top };
        let size = arch::RETURN_ADDRESS + if has_pushed { 8 } else { 0 };
        let is_return = |address: &u64| {
            returns_to_known_code(*address, modules) && arch::may_follow_call(*address, memory)
                || arch::follows_call(*address, memory)
        };
        let Some(return_address) = place.filter(is_return) else { return false };
        self.go_to_caller(return_address, self.sp().wrapping_add(size)).is_ok()
    }

    /// Leaves code that no module holds: compiled at run time.
    pub(crate) fn leave_unknown_code(
        &mut self,
        modules: &mut impl Modules,
        memory: &mut impl Memory,
    ) -> Result<(), Stop> {
        if self.exact && self.leave_without_frame(modules, memory) {
            return Ok(());
        }
        self.leave_by_frame_pointer(modules, memory)
    }

    /// Leaves by the frame pointer, if it proves to be one: it points into the stack above, and
    /// beside it lies a return address into known code, or it points to another one. A caller
    /// that has zero there is the outermost function: so the ABI marks it.
    pub(crate) fn leave_by_frame_pointer(
        &mut self,
        modules: &mut impl Modules,
        memory: &mut impl Memory,
    ) -> Result<(), Stop> {
        let frame_pointer = self.register(arch::RBP).ok_or(Stop::NoTable)?;
        if frame_pointer == 0 && !self.exact {
            return Err(Stop::End);
        }
        if frame_pointer < self.sp() || !frame_pointer.is_multiple_of(8) {
            return Err(Stop::NoTable);
        }
        let of_caller = memory.word(frame_pointer).ok_or(Stop::NoTable)?;
        let place = frame_pointer.wrapping_add(arch::FRAME_POINTER_TO_RETURN);
        let return_address = memory.word(place).ok_or(Stop::NoTable)?;
        let points_up = of_caller > frame_pointer && of_caller.is_multiple_of(8);
        let proved = returns_to_known_code(return_address, modules)
            || points_up && arch::may_be_code(return_address) && memory.word(of_caller).is_some();
        if !proved {
            return Err(Stop::NoTable);
        }
        self.go_to_caller(return_address, frame_pointer.wrapping_add(arch::FRAME_POINTER_TO_CFA))?;
        self.set(arch::RBP, Some(of_caller));
        Ok(())
    }

    /// From here on only what functions keep for their callers is known.
    fn go_to_caller(&mut self, return_address: u64, cfa: u64) -> Result<(), Stop> {
        if return_address != 0 && !arch::may_be_code(return_address) {
            return Err(Stop::BadRule);
        }
        self.known &= bit(arch::RBP) | bit(arch::RBX);
        self.set(arch::RSP, Some(cfa));
        self.pc = return_address;
        self.exact = false;
        Ok(())
    }

    fn sp(&self) -> u64 {
        let [_, _, _, _, _, _, _, sp, ..] = self.general;
        sp
    }

    fn register(&self, number: u8) -> Option<u64> {
        let value = self.general.get(usize::from(number)).copied();
        value.filter(|_| self.known & bit(number) != 0)
    }

    fn set(&mut self, number: u8, value: Option<u64>) {
        match (self.general.get_mut(usize::from(number)), value) {
            (Some(place), Some(value)) => {
                *place = value;
                self.known |= bit(number);
            }
            _ => self.known &= !bit(number),
        }
    }
}

const fn bit(number: u8) -> u16 {
    1_u16.wrapping_shl(number as u32)
}

fn read(address: u64, memory: &mut impl Memory) -> Result<u64, Stop> {
    memory.word(address).ok_or(Stop::OutOfStack)
}

/// Whether `pc` is a return address into code that there is a rule for.
fn returns_to_known_code(pc: u64, modules: &mut impl Modules) -> bool {
    match find(pc.wrapping_sub(1), modules) {
        Found::Rule(rule) => rule.kind != Kind::Gap,
        Found::NoModule | Found::BadTable => false,
    }
}
