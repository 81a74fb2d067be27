//! Walks through random stacks, by random rules.

use proptest::prelude::*;

use super::*;
use crate::cache::Cache;
use crate::frame::{Frame, MAX_SWITCHES};
use crate::made_up::{MadeUpMemory, MadeUpModules, table};
use crate::rule::{ReturnAddress, Rule, Saved};

const MODULE: u64 = 0x40_0000;
const COMPILED_LATER: u64 = 0x7000_0000;
const STACK: u64 = 0x7ffe_0000;

/// A value that may mean something: code, stack, or neither.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..0x1000_u64).prop_map(|offset| MODULE + offset),
        (0..0x40_u64).prop_map(|word| STACK + word * 8),
        (0..0x100_u64).prop_map(|offset| COMPILED_LATER + offset),
        any::<u64>(),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let kind = prop_oneof![
        4 => Just(Kind::Register),
        1 => Just(Kind::Plt),
        1 => Just(Kind::Deref),
        1 => Just(Kind::Indexed),
        1 => Just(Kind::Signal),
        1 => Just(Kind::GoCall),
        1 => Just(Kind::Gap),
        1 => Just(Kind::Unsupported),
    ];
    let saved = || {
        prop_oneof![
            Just(Saved::Kept),
            Just(Saved::Lost),
            any::<i16>().prop_map(Saved::At),
            (-4..4_i16).prop_map(Saved::At),
            (-4..4_i16).prop_map(Saved::BesideRbp),
        ]
    };
    let offset = || prop_oneof![(-2..8_i32).prop_map(|word| word * 8), any::<i32>()];
    let base = prop_oneof![3 => Just(7), 1 => Just(6), 1 => 0..16_u8];
    let place = prop_oneof![
        5 => Just(ReturnAddress::BelowCfa),
        1 => (0..16_u8).prop_map(ReturnAddress::Register),
    ];
    (kind, base, offset(), offset(), saved(), saved(), place).prop_map(
        |(kind, register, offset, second, rbp, rbx, return_address)| Rule {
            kind,
            register,
            offset,
            second,
            rbp,
            rbx,
            return_address,
        },
    )
}

/// The same modules, with a place for rules.
struct WithCache<'a>(&'a mut MadeUpModules, Cached<'a>);

impl Modules for WithCache<'_> {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        self.0.find(pc)
    }

    fn cached(&self) -> Option<Cached<'_>> {
        Some(self.1)
    }
}

/// Frames, and how and where the walk ended.
fn walked(
    registers: &Registers,
    modules: &mut impl Modules,
    stack: &[u64],
) -> (Vec<u64>, Stop, Frame) {
    let mut memory = MadeUpMemory::default().with(STACK, stack);
    let (mut frame, mut pcs) = (Frame::interrupted(registers), Vec::new());
    let mut push = |pc| {
        pcs.push(pc);
        true
    };
    let stop = walk(&mut frame, modules, &mut memory, &mut push);
    (pcs, stop, frame)
}

/// Answers for every address.
struct Endless(u64);

impl Memory for Endless {
    fn word(&mut self, address: u64) -> Option<u64> {
        let mixed = (address ^ self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some(match mixed >> 62 {
            0 => MODULE + mixed % 0x1000,
            1 => address.wrapping_add(mixed % 64 * 8),
            2 => COMPILED_LATER + mixed % 0x1000,
            _ => mixed,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Each frame takes a word of the stack at least, until a change of the stack.
    #[test]
    fn walks_on_random_stacks_end(
        rules in prop::collection::vec(rule(), 64),
        stack in prop::collection::vec(value(), 64),
        general in prop::array::uniform16(value()),
        pc in value(),
        seed: u64,
    ) {
        let rows: Vec<_> = (0..).step_by(64).zip(rules).collect();
        let mut modules = MadeUpModules([(MODULE, table(&rows))].into());
        let registers = Registers { general, pc };
        let mut memory = MadeUpMemory::default().with(STACK, &stack);
        let mut frames = 0;
        let mut count = |_| { frames += 1; true };
        walk(&mut Frame::interrupted(&registers), &mut modules, &mut memory, &mut count);
        prop_assert!(frames <= (1 + usize::from(MAX_SWITCHES)) * (stack.len() + 3));

        let mut frames = 0;
        let mut count = |_| { frames += 1; frames < 1000 };
        let stop = walk(&mut Frame::interrupted(&registers), &mut modules, &mut Endless(seed), &mut count);
        prop_assert!(frames < 1000 || stop == Stop::Truncated);
    }

    #[test]
    fn walks_by_kept_rules_are_the_same(
        rules in prop::collection::vec(rule(), 64),
        stack in prop::collection::vec(value(), 64),
        interrupted in prop::collection::vec((prop::array::uniform16(value()), value()), 8),
    ) {
        let rows: Vec<_> = (0..).step_by(64).zip(rules).collect();
        let mut modules = MadeUpModules([(MODULE, table(&rows))].into());
        let cache = Cache::new();
        for (general, pc) in interrupted.iter().chain(&interrupted) {
            let registers = Registers { general: *general, pc: *pc };
            let plain = walked(&registers, &mut modules, &stack);
            let mut with_cache = WithCache(&mut modules, cache.for_modules(0, 0));
            prop_assert_eq!(walked(&registers, &mut with_cache, &stack), plain);
        }
    }
}
