//! Walks through made-up stacks.

use super::*;
use crate::frame::Frame;
use crate::made_up::{MadeUpMemory, MadeUpModules, table};
use crate::rule::{ReturnAddress, Rule, Saved};
use Stop::{BadRule, End, NoTable, OutOfStack, Truncated};

/// Where the one module of most tests lies, and the functions in it.
const MODULE: u64 = 0x40_0000;
const LEAF: u64 = MODULE + 0x100;
const CALLER: u64 = MODULE + 0x200;
const OUTERMOST: u64 = MODULE + 0x300;
const GAP: u64 = MODULE + 0x400;
const RESTORER: u64 = MODULE + 0x500;
/// Code that no module holds.
const COMPILED_LATER: u64 = 0x7000_0000;
const STACK: u64 = 0x7ffe_0000;

const RBX: usize = 3;
const RBP: usize = 6;
const RSP: usize = 7;
const R10: usize = 10;

/// `leaf` holds in LEAF, `caller` in CALLER; each function is 256 bytes long.
fn modules(leaf: Rule, caller: Rule) -> MadeUpModules {
    let rows = [
        (0, Rule::GAP),
        (0x100, leaf),
        (0x200, caller),
        (0x300, Rule::END),
        (0x400, Rule::GAP),
        (0x4ff, Rule::SIGNAL),
        (0x600, Rule::GAP),
    ];
    MadeUpModules([(MODULE, table(&rows))].into())
}

const ON_ENTRY: Rule = Rule::cfa(RSP as u8, 8);
const FRAME_POINTER: Rule = Rule { rbp: Saved::At(-2), ..Rule::cfa(RBP as u8, 16) };

struct Walk {
    modules: MadeUpModules,
    registers: Registers,
    memory: MadeUpMemory,
}

impl Walk {
    /// Interrupted at `pc` with these words on the stack.
    fn new(pc: u64, stack: &[u64]) -> Self {
        let mut registers = Registers { pc, ..Registers::default() };
        registers.general[RSP] = STACK;
        let memory = MadeUpMemory::default().with(STACK, stack);
        Self { modules: modules(ON_ENTRY, ON_ENTRY), registers, memory }
    }

    fn words(mut self, address: u64, words: &[u64]) -> Self {
        self.memory = self.memory.with(address, words);
        self
    }

    fn rules(mut self, leaf: Rule, caller: Rule) -> Self {
        self.modules = modules(leaf, caller);
        self
    }

    fn register(mut self, number: usize, value: u64) -> Self {
        self.registers.general[number] = value;
        self
    }

    fn with_room(mut self, room: usize) -> (Vec<u64>, Stop) {
        let mut frames = Vec::new();
        let stop = walk(
            &mut Frame::interrupted(&self.registers),
            &mut self.modules,
            &mut self.memory,
            &mut |pc| {
                let has_room = frames.len() < room;
                if has_room {
                    frames.push(pc);
                }
                has_room
            },
        );
        (frames, stop)
    }

    fn finish(self) -> (Vec<u64>, Stop) {
        self.with_room(1000)
    }
}

#[test]
fn a_walk_goes_from_the_leaf_to_the_end() {
    let (frames, stop) = Walk::new(LEAF, &[CALLER + 5, OUTERMOST + 9]).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, CALLER + 5, OUTERMOST + 9], End));
}

#[test]
fn a_return_address_belongs_to_the_call_before_it() {
    let (frames, stop) = Walk::new(LEAF, &[OUTERMOST, OUTERMOST + 1]).finish();
    assert_eq!((frames.len(), stop), (3, End));
    let (frames, stop) = Walk::new(OUTERMOST, &[]).finish();
    assert_eq!((frames, stop), (vec![OUTERMOST | EXACT], End));
}

#[test]
fn no_return_address_is_the_end() {
    assert_eq!(Walk::new(LEAF, &[0]).finish(), (vec![LEAF | EXACT], End));
}

#[test]
fn saved_registers_come_back_for_the_callers() {
    let leaf = Rule { rbp: Saved::At(-2), rbx: Saved::At(-3), ..Rule::cfa(RSP as u8, 24) };
    let caller = Rule { rbx: Saved::BesideRbp(1), ..Rule::cfa(RBX as u8, 8) };
    let stack =
        [STACK + 0x20, STACK + 0x20, CALLER + 1, 7, CALLER + 2, STACK + 0x30, OUTERMOST + 1];
    let (frames, stop) = Walk::new(LEAF, &stack).rules(leaf, caller).finish();
    assert_eq!(stop, End);
    assert_eq!(frames[1..], [CALLER + 1, CALLER + 2, OUTERMOST + 1]);
}

#[test]
fn a_register_that_is_lost_is_not_used() {
    let leaf = Rule { rbp: Saved::Lost, ..ON_ENTRY };
    let walk = Walk::new(LEAF, &[CALLER + 1, 0, 0, OUTERMOST + 1]).register(RBP, STACK + 0x10);
    let (frames, stop) = walk.rules(leaf, FRAME_POINTER).finish();
    assert_eq!((frames.len(), stop), (2, NoTable));
}

#[test]
fn any_register_serves_where_the_thread_was_interrupted_and_nowhere_else() {
    let by_r10 = Rule::cfa(R10 as u8, 0);
    let walk = Walk::new(LEAF, &[0, 0, CALLER + 1, 0]).register(R10, STACK + 0x18);
    assert_eq!(walk.rules(by_r10, Rule::END).finish().0, [LEAF | EXACT, CALLER + 1]);
    let walk =
        Walk::new(LEAF, &[CALLER + 1, OUTERMOST + 1]).register(R10, STACK + 0x10).register(RBP, 1);
    assert_eq!(walk.rules(ON_ENTRY, by_r10).finish(), (vec![LEAF | EXACT, CALLER + 1], NoTable));
}

#[test]
fn a_return_address_may_be_in_a_register() {
    let rule = Rule { return_address: ReturnAddress::Register(5), ..Rule::cfa(RSP as u8, 0) };
    let walk = Walk::new(LEAF, &[OUTERMOST + 1]).register(5, CALLER + 1);
    let (frames, stop) = walk.rules(rule, ON_ENTRY).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, CALLER + 1, OUTERMOST + 1], End));
}

#[test]
fn an_entry_of_a_linkage_table_has_pushed_a_word_or_not() {
    let plt = Rule { kind: Kind::Plt, second: 11, ..Rule::cfa(RSP as u8, 8) };
    let before = Walk::new(LEAF + 10, &[OUTERMOST + 1]).rules(plt, Rule::END).finish();
    assert_eq!(before, (vec![(LEAF + 10) | EXACT, OUTERMOST + 1], End));
    let behind = Walk::new(LEAF + 27, &[3, OUTERMOST + 1]).rules(plt, Rule::END).finish();
    assert_eq!(behind, (vec![(LEAF + 27) | EXACT, OUTERMOST + 1], End));
}

#[test]
fn a_realigned_frame_keeps_its_cfa_in_memory() {
    let deref = Rule { kind: Kind::Deref, second: 8, ..Rule::cfa(RBP as u8, -8) };
    let walk = Walk::new(LEAF, &[STACK + 0x18, 0, 0, OUTERMOST + 1]).register(RBP, STACK + 8);
    let (frames, stop) = walk.rules(deref, Rule::END).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, OUTERMOST + 1], End));
    let walk = Walk::new(LEAF, &[]).register(RBP, STACK + 8).rules(deref, Rule::END);
    assert_eq!(walk.finish().1, OutOfStack);
}

#[test]
fn a_frame_behind_an_array_keeps_its_cfa_at_the_end_of_it() {
    let indexed = Rule { kind: Kind::Indexed, second: 8, ..Rule::cfa(RSP as u8, 8) };
    // Three elements above the word at rsp, the address, and what was reserved for alignment.
    let stack = [0, 1, 2, 3, STACK + 0x30, 0, CALLER + 1, OUTERMOST + 1];
    let walk = |r9| Walk::new(LEAF, &stack).rules(indexed, ON_ENTRY).register(9, r9).finish();
    assert_eq!(walk(3), (vec![LEAF | EXACT, CALLER + 1, OUTERMOST + 1], End));
    assert_eq!(walk(2), (vec![LEAF | EXACT], BadRule));
    assert_eq!(walk(1 << 61), (vec![LEAF | EXACT], BadRule));
    assert_eq!(walk(u64::MAX >> 8), (vec![LEAF | EXACT], OutOfStack));
    let walk = Walk::new(CALLER, &[LEAF + 1, 0]).rules(indexed, ON_ENTRY).register(9, 3).finish();
    assert_eq!(walk, (vec![CALLER | EXACT, LEAF + 1], BadRule)); // r9 of a caller is not known
}

#[test]
fn a_cfa_that_does_not_grow_ends_the_walk() {
    let stack = [CALLER + 1; 8];
    for offset in [-8, 0] {
        let walk = Walk::new(LEAF, &stack).rules(ON_ENTRY, Rule::cfa(RSP as u8, offset));
        assert_eq!(walk.finish(), (vec![LEAF | EXACT, CALLER + 1], BadRule), "{offset}");
    }
    let walk = Walk::new(LEAF, &stack).rules(Rule::cfa(RSP as u8, 12), ON_ENTRY);
    assert_eq!(walk.finish(), (vec![LEAF | EXACT], BadRule));
    let walk = Walk::new(LEAF, &stack).register(RSP, u64::MAX - 7);
    assert_eq!(walk.finish(), (vec![LEAF | EXACT], BadRule));
}

#[test]
fn a_return_address_that_is_none_ends_the_walk() {
    for bad in [1, EXACT | CALLER, u64::MAX] {
        assert_eq!(Walk::new(LEAF, &[bad]).finish(), (vec![LEAF | EXACT], BadRule));
    }
}

#[test]
fn a_stack_that_cannot_be_read_ends_the_walk() {
    let (frames, stop) = Walk::new(LEAF, &[CALLER + 1]).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, CALLER + 1], OutOfStack));
}

#[test]
fn a_walk_stops_when_its_caller_has_enough() {
    let (frames, stop) = Walk::new(LEAF, &[CALLER + 1; 9]).with_room(4);
    assert_eq!((frames.len(), stop), (4, Truncated));
}

/// A signal frame at `STACK + 8`, where a handler returns to: the kernel's layout.
fn signal_frame(pc: u64, rsp: u64, rbp: u64) -> Vec<u64> {
    let mut stack = vec![RESTORER; 32];
    stack[1 + 160 / 8] = rsp;
    stack[1 + 120 / 8] = rbp;
    stack[1 + 168 / 8] = pc;
    stack
}

#[test]
fn a_signal_frame_leads_to_the_interrupted_instruction() {
    let mut stack = signal_frame(CALLER, STACK + 0x100, STACK + 0x100);
    stack.extend([1, OUTERMOST + 1]);
    let (frames, stop) = Walk::new(LEAF, &stack).rules(ON_ENTRY, FRAME_POINTER).finish();
    assert_eq!((frames.len(), stop), (4, End));
    assert_eq!(frames, [LEAF | EXACT, RESTORER, CALLER | EXACT, OUTERMOST + 1]);
    let stack = signal_frame(OUTERMOST, STACK - 0x1000, 0);
    let (frames, stop) = Walk::new(LEAF, &stack).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, RESTORER, OUTERMOST | EXACT], End));
}

#[test]
fn signal_frames_in_circles_end_the_walk() {
    let (frames, stop) = Walk::new(LEAF, &signal_frame(LEAF, STACK, 0)).finish();
    assert_eq!((frames.len(), stop), (18, BadRule));
}

/// What Go's `asmcgocall` has at its stack pointer, on the stack of C.
fn go_call(goroutine: u64, depth: u64) -> Vec<u64> {
    vec![CALLER + 1, 0, 0, 0, 0, depth, goroutine]
}

#[test]
fn a_c_function_that_go_has_called_leads_to_the_goroutine() {
    const GOROUTINE: u64 = 0xc0_0000_0000;
    const OTHER: u64 = 0xc0_0001_0000;
    // The leaf's return address, and then asmcgocall's frame; `g.stack.hi` is behind `g.stack.lo`.
    let stack = [&[CALLER + 1][..], &go_call(GOROUTINE, 0x100)[..]].concat();
    let walk = Walk::new(LEAF, &stack).rules(ON_ENTRY, Rule::GO_CALL);
    let (frames, stop) = walk
        .words(GOROUTINE, &[OTHER, OTHER + 0x200])
        .words(OTHER + 0x100, &[OUTERMOST + 1])
        .finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, CALLER + 1, OUTERMOST + 1], End));
}

#[test]
fn a_c_function_that_go_has_called_without_a_goroutine_is_on_the_same_stack() {
    let stack = [&go_call(0, STACK + 0x100)[..], &[0; 25], &[OUTERMOST + 1]].concat();
    let walk = Walk::new(LEAF, &stack).rules(Rule::GO_CALL, ON_ENTRY);
    assert_eq!(walk.finish(), (vec![LEAF | EXACT, OUTERMOST + 1], End));
}

/// Frames of code that keeps frame pointers: saved rbp and return address, twice.
fn chain() -> Vec<u64> {
    vec![STACK + 0x18, COMPILED_LATER + 4, 0, 0x1234_5678, OUTERMOST + 1]
}

#[test]
fn code_compiled_at_run_time_is_left_by_frame_pointers() {
    let (frames, stop) = Walk::new(COMPILED_LATER, &chain()).register(RBP, STACK).finish();
    assert_eq!(frames, [COMPILED_LATER | EXACT, COMPILED_LATER + 4, OUTERMOST + 1]);
    assert_eq!(stop, End);
}

#[test]
fn a_frame_pointer_that_proves_nothing_is_not_followed() {
    let alone = |rbp, stack: &[u64]| {
        let walk = Walk::new(COMPILED_LATER, stack).register(RBP, rbp).finish();
        assert_eq!(walk.0, [COMPILED_LATER | EXACT]);
        walk.1
    };
    assert_eq!(alone(STACK, &[STACK, COMPILED_LATER + 4, 0]), NoTable); // does not grow
    assert_eq!(alone(STACK, &[STACK + 12, COMPILED_LATER + 4, 0, 0]), NoTable); // not aligned
    assert_eq!(alone(STACK, &[STACK + 64, COMPILED_LATER + 4]), NoTable); // out of the stack
    assert_eq!(alone(STACK, &[STACK + 16, 5, 0]), NoTable); // no code
    assert_eq!(alone(STACK, &[0, GAP + 1]), NoTable); // nothing known to return to
    assert_eq!(alone(STACK + 4, &chain()), NoTable);
    assert_eq!(alone(STACK - 8, &chain()), NoTable);
    assert_eq!(alone(STACK + 0x28, &chain()), NoTable);
    assert_eq!(alone(0, &chain()), NoTable);
}

#[test]
fn a_frame_pointer_of_zero_marks_the_outermost_function() {
    let walk = Walk::new(LEAF, &[GAP + 1, 0]).register(RBP, 0);
    assert_eq!(walk.finish(), (vec![LEAF | EXACT, GAP + 1], End));
}

#[test]
fn a_trampoline_without_a_frame_pointer_is_known_by_what_it_does_next() {
    const RETURN: u64 = COMPILED_LATER + 7;
    let leave = [0x48_u64 << 56, 0xc3_08_c4_83]; // add rsp, 8; ret: across two words
    let walk = || Walk::new(LEAF, &[RETURN, 0, OUTERMOST + 1]).register(RBP, 1);
    let (frames, stop) = walk().words(COMPILED_LATER, &leave).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, RETURN, OUTERMOST + 1], End));
    assert_eq!(walk().words(COMPILED_LATER, &[0, 0]).finish().1, NoTable);
    assert_eq!(walk().finish().1, NoTable);
}

/// Trampolines in code that keeps frame pointers: that of a caller is no way out of them.
#[test]
fn a_trampoline_is_left_for_its_caller_also_where_a_frame_pointer_leads_further() {
    const RETURN: u64 = COMPILED_LATER + 7;
    let leave = [0x48_u64 << 56, 0xc3_08_c4_83];
    let stack = [RETURN, 0, CALLER + 1, RETURN + 32, 0, CALLER + 1, OUTERMOST + 1];
    let beyond = STACK + 0x100;
    let walk = || {
        let walk = Walk::new(LEAF, &stack).words(COMPILED_LATER, &leave).register(RBP, beyond);
        walk.words(beyond, &[0, OUTERMOST + 1])
    };
    // The second one is called from where the first one was: its code need not be read.
    let frames = [LEAF | EXACT, RETURN, CALLER + 1, RETURN + 32, CALLER + 1, OUTERMOST + 1];
    assert_eq!(walk().finish(), (frames.to_vec(), End));
    let other = walk().words(COMPILED_LATER, &[0, 0]).finish();
    assert_eq!(other, (vec![LEAF | EXACT, RETURN, OUTERMOST + 1], End));
}

#[test]
fn code_compiled_at_run_time_is_left_before_it_has_a_frame_pointer_and_after() {
    const PUSH: u64 = 0x55;
    const MOV: u64 = 0xe5_89_48;
    const RET: u64 = 0xc3;
    const SUB_CALL: u64 = 0xd1ff_08ec_8348;
    const CALL_ADD_RET: u64 = 0x00c3_08c4_8348_d1ff;
    // The frame pointer is that of the caller, and leads beyond it.
    let beyond = STACK + 0x40;
    let walk = |code: u64, stack: &[u64]| {
        let walk = Walk::new(COMPILED_LATER, stack).words(COMPILED_LATER, &[code, 0]);
        walk.words(beyond, &[0, OUTERMOST + 1]).register(RBP, beyond).finish().0
    };
    let frames = [COMPILED_LATER | EXACT, CALLER + 1, OUTERMOST + 1];
    for code in [PUSH, RET, SUB_CALL] {
        assert_eq!(walk(code, &[CALLER + 1, OUTERMOST + 1]), frames, "{code:x}");
    }
    for code in [MOV, CALL_ADD_RET] {
        assert_eq!(walk(code, &[beyond, CALLER + 1, OUTERMOST + 1]), frames, "{code:x}");
    }
    // Where no return address is: by frame pointers.
    let beside = [COMPILED_LATER | EXACT, OUTERMOST + 1];
    assert_eq!(walk(PUSH, &[5, OUTERMOST + 1]), beside);
}

#[test]
fn in_a_gap_the_return_address_is_on_top_or_beside_the_frame_pointer() {
    let (frames, stop) = Walk::new(GAP, &[CALLER + 1, OUTERMOST + 1]).register(RBP, 1).finish();
    assert_eq!((frames, stop), (vec![GAP | EXACT, CALLER + 1, OUTERMOST + 1], End));
    let stack = [7, 0, OUTERMOST + 1];
    let (frames, stop) = Walk::new(GAP, &stack).register(RBP, STACK + 8).finish();
    assert_eq!((frames, stop), (vec![GAP | EXACT, OUTERMOST + 1], End));
    let (frames, stop) = Walk::new(LEAF, &[GAP + 1, CALLER + 1]).register(RBP, 1).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, GAP + 1], NoTable));
}

#[test]
fn in_a_gap_a_call_of_something_proves_a_return_address_in_a_gap() {
    const RETURN: u64 = GAP + 0x48;
    let call = |distance: i32| 0xe8_u64 << 24 | u64::from(distance as u32) << 32;
    let walk =
        || Walk::new(GAP + 4, &[RETURN, OUTERMOST + 1]).register(RBP, STACK).words(GAP, &[0]);
    let (frames, _) = walk().words(RETURN - 8, &[call(-0x48), 0]).finish();
    assert_eq!(frames[..2], [(GAP + 4) | EXACT, RETURN]);
    let (frames, _) = walk().words(RETURN - 8, &[call(0x1234_5678), 0]).finish();
    assert_eq!(frames[..2], [(GAP + 4) | EXACT, OUTERMOST + 1]);
}

/// Where code that no module holds goes on behind `call rax`.
const CALLED: u64 = COMPILED_LATER + 0x40;
const CALL_RAX: [u64; 2] = [0xd0ff << 48, 0];

#[test]
fn without_a_rule_a_function_that_has_no_frame_yet_does_not_hide_its_caller() {
    for leaf in [COMPILED_LATER, GAP] {
        let all = [leaf | EXACT, CALLED, OUTERMOST + 1];
        // The frame pointer is that of the caller.
        let stack = [CALLED, 5, 0, OUTERMOST + 1];
        let walk = || Walk::new(leaf, &stack).register(RBP, STACK + 16);
        assert_eq!(walk().words(CALLED - 8, &CALL_RAX).finish(), (all.to_vec(), End));
        let hidden = vec![leaf | EXACT, OUTERMOST + 1];
        assert_eq!(walk().words(CALLED - 8, &[0, 0]).finish(), (hidden.clone(), End)); // no call
        assert_eq!(walk().finish(), (hidden, End));
        // It has been pushed, and does not point here yet.
        let stack = [STACK + 24, CALLED, 5, 0, OUTERMOST + 1];
        let walk = Walk::new(leaf, &stack).register(RBP, STACK + 24);
        assert_eq!(walk.words(CALLED - 8, &CALL_RAX).finish(), (all.to_vec(), End));
    }
}

#[test]
fn what_returns_to_the_start_of_a_function_was_not_called() {
    const START: u64 = MODULE + 0x600;
    let rows = [(0, Rule::GAP), (0x100, ON_ENTRY), (0x200, Rule::GAP), (0x600, ON_ENTRY)];
    let walk = || {
        let mut walk = Walk::new(LEAF, &[START, 7]).register(RBP, 0xdead_0000);
        walk.modules = MadeUpModules([(MODULE, table(&rows))].into());
        walk
    };
    let padding = 0x9090_9090_9090_9090;
    assert_eq!(walk().words(START - 8, &[padding, 0]).finish(), (vec![LEAF | EXACT, START], End));
    let restorer = 0x0f00_0000_0fc0_c748; // mov rax, 15; syscall: a signal frame lies above
    assert_eq!(walk().words(START - 8, &[padding, restorer, 5]).finish().1, OutOfStack);
    let call_by_register = 0xd0ff << 48;
    assert_eq!(walk().words(START - 8, &[call_by_register, 0]).finish().1, NoTable);
    assert_eq!(walk().finish().1, NoTable);
}

#[test]
fn what_no_rule_can_express_is_left_by_frame_pointers_only() {
    let walk = Walk::new(LEAF, &[CALLER + 1, 0]).register(RBP, 1);
    assert_eq!(walk.rules(Rule::UNSUPPORTED, Rule::END).finish().1, NoTable);
    let walk = Walk::new(LEAF, &[7, 0, OUTERMOST + 1]).register(RBP, STACK + 8);
    let (frames, stop) = walk.rules(Rule::UNSUPPORTED, Rule::END).finish();
    assert_eq!((frames, stop), (vec![LEAF | EXACT, OUTERMOST + 1], End));
}

#[test]
fn a_damaged_table_ends_the_walk() {
    let mut walk = Walk::new(LEAF, &[CALLER + 1]);
    for table in walk.modules.0.values_mut() {
        let length = table.len();
        table[length - 6 * 16] = 99; // the kind of the second rule of seven
    }
    assert_eq!(walk.finish(), (vec![LEAF | EXACT], BadRule));
}

#[test]
fn stops_survive_being_numbers() {
    for stop in [End, NoTable, BadRule, OutOfStack, Truncated, Stop::Unknown] {
        assert_eq!(Stop::from_u8(stop as u8), Some(stop));
    }
    assert_eq!(Stop::from_u8(6), None);
    assert_eq!(Stop::from_u8(255), None);
}
