//! The shadow stack: what the stack is by the calls, returns and signals that were seen, without a
//! look at any unwind information.

use std::collections::HashMap;
use std::mem;

use sigspy_tests::ptrace::Registers;
use sigspy_tests::remote::Target;
use sigspy_unwind::EXACT;

/// A return address, or where a signal has interrupted.
struct Entry {
    stack: u64,
    /// It is gone once the stack pointer is above this address.
    slot: u64,
    /// As the walker gives it.
    pc: u64,
}

/// Threads of execution are told apart by their stacks: a handler on an alternate stack belongs to
/// whom it has interrupted, a coroutine to itself.
#[derive(Default)]
pub struct Shadow {
    entries: Vec<Entry>,
    /// The stack in use; 0: none yet.
    stack: u64,
    /// Coroutines that wait, by the stack that they began on.
    parked: HashMap<u64, Vec<Entry>>,
}

impl Shadow {
    /// Callers, innermost first.
    pub fn callers(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.entries.iter().rev().map(|entry| entry.pc)
    }

    /// One instruction was executed.
    pub fn step(&mut self, before: &Registers, after: &Registers, target: &mut Target) {
        let sp = after.rsp;
        let stack = target.stack_at(sp);
        if stack != self.stack {
            self.switch(stack, sp, target);
        }
        while self.entries.last().is_some_and(|last| last.stack == stack && last.slot < sp) {
            self.entries.pop();
        }
        if let Some(pc) = called(before, after, target) {
            self.entries.push(Entry { stack, slot: sp, pc });
        }
    }

    /// A handler is about to execute its first instruction.
    pub fn signal(&mut self, handler: &Registers, target: &mut Target) {
        const UCONTEXT_RIP: u64 = 168;
        let sp = handler.rsp;
        self.stack = target.stack_at(sp);
        let interrupted = target.read_word(handler.rdx + UCONTEXT_RIP).expect("a signal frame");
        let restorer = target.read_word(sp).expect("a return address");
        let stack = self.stack;
        self.entries.push(Entry { stack, slot: sp + 8, pc: interrupted | EXACT });
        self.entries.push(Entry { stack, slot: sp, pc: restorer });
    }

    /// The stack pointer has moved to another stack.
    fn switch(&mut self, stack: u64, sp: u64, target: &mut Target) {
        let below = self.entries.iter().rposition(|entry| entry.stack == stack);
        if let Some(last) = below {
            self.entries.truncate(last + 1); // back from an alternate stack
        } else if self.stack != 0 {
            let began_on = self.entries.first().map_or(self.stack, |first| first.stack);
            self.parked.insert(began_on, mem::take(&mut self.entries));
            self.entries =
                self.parked.remove(&stack).unwrap_or_else(|| first_of(stack, sp, target));
        }
        self.stack = stack;
    }
}

/// What a new coroutine finds on its stack: where it goes on when its function returns.
fn first_of(stack: u64, sp: u64, target: &mut Target) -> Vec<Entry> {
    let pc = target.read_word(sp).filter(|&pc| target.is_code(pc));
    pc.map(|pc| Entry { stack, slot: sp, pc }).into_iter().collect()
}

/// The return address, if the instruction was a call.
fn called(before: &Registers, after: &Registers, target: &Target) -> Option<u64> {
    if after.rsp != before.rsp.wrapping_sub(8) {
        return None;
    }
    let return_address = target.read_word(after.rsp)?;
    let length = return_address.wrapping_sub(before.rip);
    let is_call = (2..=8).contains(&length) && is_call(&target.instruction(before.rip));
    is_call.then_some(return_address)
}

fn is_call(instruction: &[u8]) -> bool {
    let is_prefix =
        |byte: &u8| matches!(byte, 0x2e | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3 | 0x40..=0x4f);
    let operation = instruction.iter().position(|byte| !is_prefix(byte)).unwrap_or(0);
    match instruction.get(operation..) {
        Some([0xe8, ..]) => true,
        Some([0xff, modrm, ..]) => modrm >> 3 & 7 == 2,
        _ => false,
    }
}
