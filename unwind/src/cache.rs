//! Rules that walks have used, by program counter: what a table says once need not be looked up in
//! it again.
//!
//! An entry is two words: the program counter with a tag, and the rule. One walk at a time uses a
//! cache, but it may be copied at any moment, as by `fork` in another thread. So an entry is
//! emptied before its rule changes, and named (Release) after that: whoever sees (Acquire) the name
//! sees the rule. Async-signal-safe throughout.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::arch;
use crate::rule::{Kind, ReturnAddress, Rule, Saved};

/// An entry may be in either place of one set: the frames of one stack rarely displace each other.
const SETS: usize = 1024;
const PLACES: usize = 2;
/// Bits of a name that tell of which modules it is.
const TAG_BITS: u32 = 16;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

/// Rules by program counter, for one walk at a time. All zero: empty.
#[repr(C, align(64))]
pub struct Cache {
    sets: [[Entry; PLACES]; SETS],
    /// What the tags of all entries belong to.
    epoch: AtomicU64,
}

struct Entry {
    name: AtomicU64,
    rule: AtomicU64,
}

/// A cache in the hands of one walk.
#[derive(Clone, Copy)]
pub struct Cached<'a> {
    sets: &'a [[Entry; PLACES]; SETS],
    tag: u64,
}

impl Cache {
    pub const fn new() -> Self {
        Self {
            sets: [const { [const { Entry::empty() }; PLACES] }; SETS],
            epoch: AtomicU64::new(0),
        }
    }

    /// For a walk by the modules that these two numbers stand for: what was found with others is
    /// forgotten, which takes some time where `epoch` is another.
    pub fn for_modules(&self, epoch: u32, generation: u64) -> Cached<'_> {
        let epoch = u64::from(epoch) << 32 ^ generation >> TAG_BITS;
        if self.epoch.load(Relaxed) != epoch {
            self.sets.iter().flatten().for_each(|entry| entry.name.store(0, Relaxed));
            self.epoch.store(epoch, Release);
        }
        Cached { sets: &self.sets, tag: generation & TAG_MASK }
    }
}

impl Entry {
    const fn empty() -> Self {
        Self { name: AtomicU64::new(0), rule: AtomicU64::new(0) }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cached<'_> {
    /// The rule that was kept for a program counter.
    #[inline(always)]
    pub(crate) fn get(&self, pc: u64) -> Option<Usual> {
        let name = self.name(pc);
        let entry = self.set(pc)?.iter().find(|entry| entry.name.load(Acquire) == name)?;
        Some(Usual(entry.rule.load(Relaxed)))
    }

    pub(crate) fn keep(&self, pc: u64, rule: &Rule) {
        let (Some(set), Some(Usual(word))) = (self.set(pc), Usual::new(rule)) else {
            return;
        };
        let is_free = |entry: &&Entry| {
            let name = entry.name.load(Relaxed);
            name == 0 || name & TAG_MASK != self.tag
        };
        let either = set.get((pc >> 4) as usize % PLACES);
        let Some(entry) = set.iter().find(is_free).or(either) else { return };
        entry.name.store(0, Relaxed);
        entry.rule.store(word, Release);
        entry.name.store(self.name(pc), Release);
    }

    #[inline(always)]
    fn name(&self, pc: u64) -> u64 {
        pc << TAG_BITS | self.tag
    }

    /// Where a program counter may be kept, which must have a name that no empty entry has. A
    /// multiplication spreads them.
    #[inline(always)]
    fn set(&self, pc: u64) -> Option<&[Entry; PLACES]> {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        if pc == 0 || pc >> (64 - TAG_BITS) != 0 {
            return None;
        }
        self.sets.get((pc.wrapping_mul(GOLDEN) >> (64 - SETS.ilog2())) as usize)
    }
}

/// A rule for most of the code there is, in one word: the register of the CFA (4 bits), its offset
/// (28), and where rbp and rbx are (16 each). The return address is below the CFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usual(u64);

impl Usual {
    /// `None`: it is another one.
    fn new(rule: &Rule) -> Option<Self> {
        let is_usual =
            rule.kind == Kind::Register && rule.return_address == ReturnAddress::BelowCfa;
        let offset = rule.offset << 4 >> 4;
        if !is_usual || offset != rule.offset || rule.register >= arch::REGISTERS {
            return None;
        }
        let cfa = u64::from(rule.register) | u64::from(offset.cast_unsigned() & 0x0fff_ffff) << 4;
        let [rbp, rbx] = [pack(rule.rbp)?, pack(rule.rbx)?].map(u64::from);
        Some(Self(cfa | rbp << 32 | rbx << 48))
    }

    #[inline(always)]
    pub(crate) fn register(self) -> u8 {
        self.0 as u8 & 0xf
    }

    #[inline(always)]
    pub(crate) fn offset(self) -> i64 {
        ((self.0 as u32).cast_signed() >> 4).into()
    }

    #[inline(always)]
    pub(crate) fn rbp(self) -> Saved {
        unpack((self.0 >> 32) as u16)
    }

    #[inline(always)]
    pub(crate) fn rbx(self) -> Saved {
        unpack((self.0 >> 48) as u16)
    }
}

/// Two bits say which it is, the others how many words.
fn pack(saved: Saved) -> Option<u16> {
    let (kind, words) = match saved {
        Saved::Kept => (0, 0),
        Saved::At(words) => (1, words),
        Saved::Lost => (2, 0),
        Saved::BesideRbp(words) => (3, words),
    };
    (words << 2 >> 2 == words).then_some((words << 2).cast_unsigned() | kind)
}

#[inline(always)]
fn unpack(packed: u16) -> Saved {
    let words = packed.cast_signed() >> 2;
    match packed & 3 {
        0 => Saved::Kept,
        1 => Saved::At(words),
        2 => Saved::Lost,
        _ => Saved::BesideRbp(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(offset: i32) -> Rule {
        Rule { rbp: Saved::At(-2), ..Rule::cfa(arch::RSP, offset) }
    }

    #[test]
    fn a_rule_is_kept_for_its_program_counter_and_modules() {
        let cache = Cache::new();
        let cached = cache.for_modules(0, 5);
        cached.keep(0x1000, &rule(16));
        assert_eq!(cached.get(0x1000), Usual::new(&rule(16)));
        assert_eq!(cached.get(0x1001), None);
        assert_eq!(cache.for_modules(0, 6).get(0x1000), None);
        assert_eq!(cache.for_modules(0, 5).get(0x1000), Usual::new(&rule(16)));
        assert_eq!(cache.for_modules(0, 5 + (1 << TAG_BITS)).get(0x1000), None);
        assert_eq!(cache.for_modules(1, 5).get(0x1000), None);
        assert_eq!(cache.for_modules(0, 5).get(0x1000), None);
    }

    #[test]
    fn most_of_a_long_stack_is_kept() {
        let cache = Cache::new();
        let cached = cache.for_modules(0, 1);
        let pcs = || (0..500_u64).map(|number| 0x7f00_0000_1234 + number * 52);
        pcs().for_each(|pc| cached.keep(pc, &rule(16)));
        let kept = pcs().filter(|&pc| cached.get(pc).is_some()).count();
        assert!(kept > 450, "{kept}");
    }

    #[test]
    fn what_has_no_room_is_not_kept() {
        let cache = Cache::new();
        let cached = cache.for_modules(0, 0);
        cached.keep(1 << 48, &rule(16));
        cached.keep(0x1000, &Rule::END);
        cached.keep(0x2000, &Rule { rbp: Saved::At(1 << 13), ..rule(16) });
        cached.keep(0x3000, &rule(1 << 27));
        for pc in [0, 1 << 48, 0x1000, 0x2000, 0x3000] {
            assert_eq!(cached.get(pc), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(
            register in 0..16_u8, offset in -(1 << 27)..1 << 27, kinds: [u8; 2], words: [i16; 2],
        ) {
            let saved = |kind, words: i16| match kind % 4 {
                0 => Saved::Kept,
                1 => Saved::At(words >> 2),
                2 => Saved::Lost,
                _ => Saved::BesideRbp(words >> 2),
            };
            let (rbp, rbx) = (saved(kinds[0], words[0]), saved(kinds[1], words[1]));
            let usual = Usual::new(&Rule { rbp, rbx, ..Rule::cfa(register, offset) }).unwrap();
            prop_assert_eq!(usual.register(), register);
            prop_assert_eq!(usual.offset(), i64::from(offset));
            prop_assert_eq!((usual.rbp(), usual.rbx()), (rbp, rbx));
        }
    }
}
