//! Which code is where in the target, and where its unwind table is in the arena.
//!
//! The collector writes, handlers read. There are two lists; `generation` counts publications
//! and its lowest bit says which list is valid. The collector fills the other one and then
//! stores `generation + 1` (Release); a handler loads it (Acquire), walks with that list, and
//! looks then whether the list it used may have been rewritten under it: before the collector
//! touches a list, it stores in `begun` what the generation will be (Relaxed, and a Release fence
//! behind it). A handler that has seen anything of the new list sees that too (behind an Acquire
//! fence), and the stack is marked as stale.
//!
//! An entry read while it is being rewritten is a mixture of two. It may name the wrong table,
//! but tables and arena are bounds-checked at each access: a stack can be wrong, nothing faults.

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// Longest list. Modules beyond have no table.
pub const MAX_MODULES: usize = 1024;

/// One executable mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// First runtime address.
    pub start: u64,
    /// First runtime address behind.
    pub end: u64,
    /// Runtime address minus relative address.
    pub bias: u64,
    /// Where in the arena the table starts, and how long it is, bytes. Zero length: no table.
    pub table_offset: u32,
    /// Below 2 GiB.
    pub table_length: u32,
    /// It was there before the program began, and is never unloaded.
    pub stays: bool,
}

/// In the word that has a table's length in its upper half.
const STAYS: u64 = 1 << 63;

/// An [`Entry`] in shared memory.
#[repr(C)]
pub struct SharedEntry {
    start: AtomicU64,
    end: AtomicU64,
    bias: AtomicU64,
    table: AtomicU64,
}

impl SharedEntry {
    /// Async-signal-safe.
    pub fn load(&self) -> Entry {
        let table = self.table.load(Relaxed);
        Entry {
            start: self.start.load(Relaxed),
            end: self.end.load(Relaxed),
            bias: self.bias.load(Relaxed),
            table_offset: table as u32,
            table_length: ((table & !STAYS) >> 32) as u32,
            stays: table & STAYS != 0,
        }
    }

    /// The lowest address of the mapping. Async-signal-safe.
    pub fn start(&self) -> u64 {
        self.start.load(Relaxed)
    }

    fn store(&self, entry: &Entry) {
        self.start.store(entry.start, Relaxed);
        self.end.store(entry.end, Relaxed);
        self.bias.store(entry.bias, Relaxed);
        let table = u64::from(entry.table_offset) | u64::from(entry.table_length) << 32;
        let stays = if entry.stays { STAYS } else { 0 };
        self.table.store(table & !STAYS | stays, Relaxed);
    }
}

/// One of the two lists.
#[repr(C)]
pub struct List {
    count: AtomicU32,
    unloads: AtomicU32,
    reserved: [AtomicU32; 14],
    entries: [SharedEntry; MAX_MODULES],
}

impl List {
    /// The entries, by rising address. Async-signal-safe.
    pub fn entries(&self) -> &[SharedEntry] {
        let count = (self.count.load(Relaxed) as usize).min(MAX_MODULES);
        self.entries.get(..count).unwrap_or_default()
    }

    /// How many libraries had been unloaded when the maps were like this: what does not stay may
    /// not be believed after the next. Async-signal-safe.
    pub fn unloads(&self) -> u32 {
        self.unloads.load(Relaxed)
    }
}

/// Both lists.
#[repr(C, align(64))]
pub struct ModuleMap {
    generation: AtomicU64,
    /// The generation of the list that was last begun.
    begun: AtomicU64,
    reserved: [AtomicU64; 6],
    lists: [List; 2],
}

impl Default for ModuleMap {
    fn default() -> Self {
        let list = || List {
            count: 0.into(),
            unloads: 0.into(),
            reserved: [const { AtomicU32::new(0) }; 14],
            entries: [const {
                SharedEntry {
                    start: AtomicU64::new(0),
                    end: AtomicU64::new(0),
                    bias: AtomicU64::new(0),
                    table: AtomicU64::new(0),
                }
            }; MAX_MODULES],
        };
        Self {
            generation: 0.into(),
            begun: 0.into(),
            reserved: [const { AtomicU64::new(0) }; 6],
            lists: [list(), list()],
        }
    }
}

impl ModuleMap {
    /// The valid list and its generation. Async-signal-safe.
    pub fn current(&self) -> (u64, &List) {
        let generation = self.generation.load(Acquire);
        (generation, self.list(generation))
    }

    /// Whether a list of `generation` may have been rewritten meanwhile. Async-signal-safe.
    pub fn is_stale(&self, generation: u64) -> bool {
        // The loads of the list must not move behind this one.
        fence(Acquire);
        self.begun.load(Relaxed).wrapping_sub(generation) >= 2
    }

    /// The list that may be filled now, and its generation.
    fn begin(&self) -> (u64, &List) {
        let generation = self.generation.load(Relaxed).wrapping_add(1);
        self.begun.store(generation, Relaxed);
        fence(Release);
        (generation, self.list(generation))
    }

    /// Makes `entries` (sorted by address, not overlapping) the valid list; those beyond
    /// [`MAX_MODULES`] are left out. One caller at a time: the collector, once the process is
    /// there.
    pub fn publish<'a>(&self, unloads: u32, entries: impl IntoIterator<Item = &'a Entry>) {
        let (generation, next) = self.begin();
        let mut count = 0;
        for (shared, entry) in next.entries.iter().zip(entries) {
            shared.store(entry);
            count += 1;
        }
        next.count.store(count, Relaxed);
        next.unloads.store(unloads, Relaxed);
        self.generation.store(generation, Release);
    }

    /// Takes over the valid list of another map: that of the parent, in a child of fork.
    /// Async-signal-safe.
    pub fn copy_from(&self, other: &Self) {
        let (_, from) = other.current();
        let (generation, next) = self.begin();
        for (to, from) in next.entries.iter().zip(from.entries()) {
            to.store(&from.load());
        }
        next.count.store(from.entries().len() as u32, Relaxed);
        next.unloads.store(from.unloads(), Relaxed);
        self.generation.store(generation, Release);
    }

    fn list(&self, generation: u64) -> &List {
        let [even, odd] = &self.lists;
        if generation & 1 == 0 { even } else { odd }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{boxed::Box, vec::Vec};

    fn new_map() -> Box<ModuleMap> {
        Box::default()
    }

    fn entry(start: u64) -> Entry {
        let (end, bias, stays) = (start + 16, start - 4, start == 4096);
        Entry { start, end, bias, table_offset: 64, table_length: 32, stays }
    }

    #[test]
    fn readers_see_what_was_published_last() {
        let map = new_map();
        assert!(map.current().1.entries().is_empty());
        map.publish(0, &[entry(4096), entry(8192)]);
        map.publish(0, &[entry(16384)]);
        let seen: Vec<_> = map.current().1.entries().iter().map(SharedEntry::load).collect();
        assert_eq!(seen, [entry(16384)]);
    }

    #[test]
    fn a_list_is_stale_once_it_may_be_rewritten() {
        let map = new_map();
        let (generation, _) = map.current();
        map.publish(0, &[]);
        assert!(!map.is_stale(generation));
        map.publish(0, &[]);
        assert!(map.is_stale(generation));
    }

    #[test]
    fn a_list_is_stale_while_it_is_rewritten() {
        let map = new_map();
        let (generation, _) = map.current();
        map.publish(0, &[]);
        let (next, _) = map.begin();
        assert_eq!(next, generation + 2);
        assert!(map.is_stale(generation));
        assert!(!map.is_stale(generation + 1));
    }

    #[test]
    fn modules_beyond_the_limit_are_left_out() {
        let map = new_map();
        let many: Vec<_> = (1..=MAX_MODULES as u64 + 5).map(|n| entry(n * 4096)).collect();
        map.publish(0, &many);
        assert_eq!(map.current().1.entries().len(), MAX_MODULES);
    }
}
