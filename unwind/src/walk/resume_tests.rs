//! Walks that one side begins and another, which knows more modules, goes on with.

use super::*;
use crate::frame::{FRAME_WORDS, Frame};
use crate::made_up::{MadeUpMemory, MadeUpModules, table};
use crate::rule::{Rule, Saved};

const KNOWN: u64 = 0x40_0000;
const NEW: u64 = 0x50_0000;
const STACK: u64 = 0x7ffe_0000;
const RBX: usize = 3;
const RSP: usize = 7;

/// Everything not in `.0` may be known later.
struct Partial(MadeUpModules);

impl Modules for Partial {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        self.0.find(pc)
    }

    fn may_be_known_later(&mut self, pc: u64) -> bool {
        self.find(pc).is_none()
    }
}

fn known() -> (u64, Vec<u8>) {
    let leaf = Rule { rbx: Saved::At(-2), ..Rule::cfa(RSP as u8, 16) };
    (KNOWN, table(&[(0, Rule::GAP), (0x100, leaf), (0x200, Rule::END)]))
}

/// A function whose CFA depends on a register that the function before has saved.
fn new() -> (u64, Vec<u8>) {
    (NEW, table(&[(0, Rule::cfa(RBX as u8, 24))]))
}

fn memory() -> MadeUpMemory {
    let rbx = STACK + 0x20;
    MadeUpMemory::default().with(STACK, &[rbx, NEW + 5, 0, 0, 0, 0, KNOWN + 0x205])
}

fn registers() -> Registers {
    let mut registers = Registers { pc: KNOWN + 0x120, ..Registers::default() };
    registers.general[RSP] = STACK;
    registers
}

fn run(frame: &mut Frame, modules: &mut impl Modules) -> (Vec<u64>, Stop) {
    let mut frames = Vec::new();
    let stop = walk(frame, modules, &mut memory(), &mut |pc| {
        frames.push(pc);
        frames.len() < 100
    });
    (frames, stop)
}

#[test]
fn a_resumed_walk_finds_what_a_whole_one_finds() {
    let mut everything = MadeUpModules([known(), new()].into());
    let whole = run(&mut Frame::interrupted(&registers()), &mut everything);
    assert_eq!((whole.0.len(), whole.1), (3, Stop::End));

    let mut frame = Frame::interrupted(&registers());
    let (mut frames, stop) = run(&mut frame, &mut Partial(MadeUpModules([known()].into())));
    assert_eq!((frames.len(), stop), (2, Stop::Unknown));
    let mut frame = Frame::from_words(frame.to_words());
    let (more, stop) = run(&mut frame, &mut everything);
    frames.extend(&more[1..]);
    assert_eq!((frames, stop), whole);
}

#[test]
fn an_interrupted_program_counter_stays_exact() {
    let mut frame = Frame::interrupted(&registers());
    let (frames, stop) = run(&mut frame, &mut Partial(MadeUpModules::default()));
    assert_eq!((frames, stop), (vec![(KNOWN + 0x120) | EXACT], Stop::Unknown));
    assert_eq!(frame.to_words()[0], (KNOWN + 0x120) | EXACT);
    assert_eq!(Frame::from_words(frame.to_words()).to_words(), frame.to_words());
}

#[test]
fn any_words_are_a_frame_from_which_a_walk_ends() {
    for words in [[0; FRAME_WORDS], [u64::MAX; FRAME_WORDS], [KNOWN + 0x101, u64::MAX, 1, 2, 7]] {
        let mut modules = MadeUpModules([known(), new()].into());
        run(&mut Frame::from_words(words), &mut modules);
    }
}
