//! One slot for each thread that is armed, or that a tick has found.
//!
//! The slots are an open-addressed table with the tid as key: a thread that is armed finds its slot
//! by that, a tick of the thread's own timer by the index in its cookie.
//!
//! Only the thread itself writes to its slot, in its handler with all signals blocked, so plain
//! `Relaxed` loads and stores are enough. Two exceptions: `tid` is claimed by compare-exchange,
//! and freed by whichever handler of the same process finds that its thread is gone, or by the
//! collector when the process has ended (again by compare-exchange, so that only one deletes the
//! timer); `stack` is written by the collector.
//!
//! Counts are never reset, also not when a slot changes hands: the collector works with
//! differences, and the sum over all slots is the sum over all threads.

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// How many slots there are: threads beyond that are counted, not sampled.
pub const SLOTS: usize = 16384;
/// How many slots a tid may be away from its home; beyond, the table counts as full.
const MAX_PROBES: usize = 64;
/// In `tid` while the slot's timer is being deleted.
const RECLAIMING: u32 = u32::MAX;

/// Ticks of one thread (expiries, overruns included). `ticks` is the sum of all others.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Counts {
    pub ticks: AtomicU64,
    /// In a record with a stack.
    pub recorded: AtomicU64,
    /// No lane was free, or all were full.
    pub lost: AtomicU64,
    /// In a record, as time for which SIGPROF was blocked.
    pub delayed: AtomicU64,
    /// Ticks of the process-wide timer on a thread that has its own.
    pub duplicate: AtomicU64,
    /// Weight of `lost`, ns.
    pub lost_ns: AtomicU64,
}

impl Counts {
    /// The difference between `ticks` and the sum of the others: zero while no handler runs.
    pub fn unbalanced(&self) -> u64 {
        let parts = [&self.recorded, &self.lost, &self.delayed, &self.duplicate];
        let sum = parts.iter().fold(0u64, |sum, part| sum.wrapping_add(part.load(Relaxed)));
        self.ticks.load(Relaxed).abs_diff(sum)
    }
}

/// State of one thread.
#[repr(C, align(128))]
pub struct Slot {
    /// The owner; 0: free.
    pub tid: AtomicU32,
    /// The process that the owner belongs to. A thread that gets the id of a dead one of another
    /// process finds that process here, and knows that nothing else in the slot is about itself.
    pub pid: AtomicU32,
    /// What ticks for this thread alone, as the agent's number for it + 1; 0: nothing does.
    pub timer: AtomicU32,
    /// What the thread's first tick stands for, as the agent's number for it.
    pub first: AtomicU32,
    /// Bounds of the stack this thread was seen on, packed by [`StackBounds`]; 0: unknown.
    pub stack: AtomicU64,
    /// The thread's CPU time when it was armed; with perf events and the wall clock, at its last
    /// tick; ns.
    pub count_ns: AtomicU64,
    /// The thread's CPU time when it blocked the signal of ticks, ns, + 1; 0: it has not, or nothing
    /// ticked for it anyway.
    pub parked_ns: AtomicU64,
    /// Samples that had the thread's name with them.
    pub named: AtomicU32,
    pub counts: Counts,
}

const _: () = assert!(size_of::<Slot>() == 128);

/// The slot of thread `tid` of process `pid`, claimed if it has none. `None`: the table is full
/// around its home. Async-signal-safe. Called by the thread itself, so that nobody else claims
/// for this tid.
pub fn find_or_claim(slots: &[Slot], pid: u32, tid: u32) -> Option<(usize, &Slot)> {
    let mut free = None;
    for index in probes(slots, tid) {
        let slot = slots.get(index)?;
        match slot.tid.load(Acquire) {
            owner if owner == tid => {
                if slot.pid.load(Relaxed) == pid {
                    return Some((index, slot));
                }
                // The thread that had this id ended with its process.
                if slot.begin_reclaim(tid) {
                    slot.reset(pid);
                    slot.tid.store(tid, Release);
                    return Some((index, slot));
                }
            }
            0 if free.is_none() => free = Some((index, slot)),
            _ => {}
        }
    }
    // Another thread may take the free slot first; then look again, from that slot on.
    let (index, slot) = free?;
    if slot.claim(pid, tid) {
        return Some((index, slot));
    }
    probes(slots, tid).find_map(|index| {
        let slot = slots.get(index)?;
        slot.claim(pid, tid).then_some((index, slot))
    })
}

/// The slot of `tid`, for the collector.
pub fn find(slots: &[Slot], tid: u32) -> Option<&Slot> {
    let mut candidates = probes(slots, tid).filter_map(|index| slots.get(index));
    candidates.find(|slot| slot.owner() == Some(tid))
}

fn probes(slots: &[Slot], tid: u32) -> impl Iterator<Item = usize> {
    let mask = slots.len().wrapping_sub(1);
    (0..MAX_PROBES.min(slots.len())).map(move |step| (tid as usize).wrapping_add(step) & mask)
}

impl Slot {
    fn claim(&self, pid: u32, tid: u32) -> bool {
        if self.tid.compare_exchange(0, tid, AcqRel, Relaxed).is_err() {
            return false;
        }
        self.reset(pid);
        true
    }

    /// Everything but the counts as for a thread that nobody has seen yet.
    fn reset(&self, pid: u32) {
        self.pid.store(pid, Relaxed);
        self.timer.store(0, Relaxed);
        self.stack.store(0, Relaxed);
        self.first.store(0, Relaxed);
        self.count_ns.store(0, Relaxed);
        self.parked_ns.store(0, Relaxed);
        self.named.store(0, Relaxed);
    }

    /// Takes the slot of a thread that is known to be gone. True for one caller only, who then
    /// deletes the timer and calls [`Slot::free`]. Async-signal-safe.
    pub fn begin_reclaim(&self, dead: u32) -> bool {
        self.tid.compare_exchange(dead, RECLAIMING, AcqRel, Relaxed).is_ok()
    }

    /// Ends what [`Slot::begin_reclaim`] began. Async-signal-safe.
    pub fn free(&self) {
        self.timer.store(0, Relaxed);
        self.tid.store(0, Release);
    }

    /// Frees the slot if it belongs to a process that has ended, and its timer with it.
    pub fn reclaim_of(&self, dead_pid: u32) {
        let Some(tid) = self.owner() else { return };
        if self.pid.load(Relaxed) != dead_pid || !self.begin_reclaim(tid) {
            return;
        }
        if self.pid.load(Relaxed) == dead_pid {
            self.free();
        } else {
            self.tid.store(tid, Release); // a new thread with this id was faster
        }
    }

    /// The thread that has this slot.
    pub fn owner(&self) -> Option<u32> {
        Some(self.tid.load(Acquire)).filter(|&tid| tid != 0 && tid != RECLAIMING)
    }
}

/// The mapping that holds a thread's stack: `low <= sp < high`. In pages of 4 KiB, in one word,
/// so that no reader can see one half of a new value and one of an old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackBounds {
    pub low: u64,
    pub high: u64,
}

impl StackBounds {
    const PAGE_BITS: u32 = 12;
    const LENGTH_BITS: u32 = 28;

    /// `None` where the bounds are no pages or too far apart (1 TiB).
    pub fn pack(self) -> Option<u64> {
        let pages = self.high.checked_sub(self.low)? >> Self::PAGE_BITS;
        let high = self.high >> Self::PAGE_BITS;
        let fits = pages < 1 << Self::LENGTH_BITS && high < 1 << (64 - Self::LENGTH_BITS);
        (fits && pages > 0).then_some(high << Self::LENGTH_BITS | pages)
    }

    /// The inverse of [`StackBounds::pack`]; `None` for 0. Async-signal-safe.
    pub fn unpack(word: u64) -> Option<Self> {
        let high = (word >> Self::LENGTH_BITS) << Self::PAGE_BITS;
        let length = (word & ((1 << Self::LENGTH_BITS) - 1)) << Self::PAGE_BITS;
        (word != 0).then_some(Self { low: high.wrapping_sub(length), high })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const PID: u32 = 4000;

    fn empty(count: usize) -> Vec<Slot> {
        (0..count)
            .map(|_| Slot {
                tid: 0.into(),
                pid: 0.into(),
                timer: 0.into(),
                first: 0.into(),
                stack: 0.into(),
                count_ns: 0.into(),
                parked_ns: 0.into(),
                named: 0.into(),
                counts: Counts::default(),
            })
            .collect()
    }

    #[test]
    fn a_thread_finds_its_slot_again() {
        let slots = empty(256);
        let (first, _) = find_or_claim(&slots, PID, 4711).unwrap();
        let (other, _) = find_or_claim(&slots, PID, 4711 + 256).unwrap();
        assert_ne!(first, other);
        assert_eq!(find_or_claim(&slots, PID, 4711).unwrap().0, first);
        assert_eq!(find_or_claim(&slots, PID, 4711 + 256).unwrap().0, other);
    }

    #[test]
    fn a_full_table_gives_no_slot() {
        let slots = empty(64);
        for tid in 1..=64 {
            assert!(find_or_claim(&slots, PID, tid).is_some());
        }
        assert!(find_or_claim(&slots, PID, 65).is_none());
    }

    #[test]
    fn a_dead_threads_slot_is_reclaimed_once_and_used_again() {
        let slots = empty(64);
        let (index, slot) = find_or_claim(&slots, PID, 7).unwrap();
        assert!(slot.begin_reclaim(7));
        assert!(!slot.begin_reclaim(7));
        assert_eq!(slot.owner(), None);
        slot.free();
        assert_eq!(find_or_claim(&slots, PID, 64 + 7).unwrap().0, index);
    }

    #[test]
    fn a_thread_inherits_nothing_from_one_of_another_process_with_its_id() {
        let slots = empty(64);
        let (index, slot) = find_or_claim(&slots, PID, 7).unwrap();
        slot.timer.store(3, Relaxed);
        let (again, slot) = find_or_claim(&slots, PID + 1, 7).unwrap();
        assert_eq!((again, slot.timer.load(Relaxed)), (index, 0));
        assert_eq!(slot.pid.load(Relaxed), PID + 1);
    }

    #[test]
    fn bounds_survive_packing() {
        let bounds = StackBounds { low: 0x7ffc_0000_0000, high: 0x7ffc_0080_0000 };
        assert_eq!(StackBounds::unpack(bounds.pack().unwrap()), Some(bounds));
        assert_eq!(StackBounds { low: 0x2000, high: 0x1000 }.pack(), None);
        assert_eq!(StackBounds { low: 0, high: 1 << 41 }.pack(), None);
        assert_eq!(StackBounds::unpack(0), None);
    }
}
