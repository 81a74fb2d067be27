//! Samples on their way from the agent's signal handlers to the collector.
//!
//! A lane is a ring with one writer at a time: the handler that holds the [`Writer`]. A lane
//! already claimed is skipped, never waited for. One reader: the collector. `head` counts the
//! words ever written, `tail` the words ever read; `tail <= head <= tail + WORDS`.
//!
//! # Why these orderings are enough
//! ```text
//! W0  owner: 0 -> tid (Acquire)      reader
//! W1  tail.load(Acquire)             R1  head.load(Acquire)
//! W2  words.store(Relaxed)           R2  words.load(Relaxed)
//! W3  head.store(Release)            R3  tail.store(Release)
//! W4  owner.store(0, Release)        R4  owner: dead tid -> 0 (Release)
//! ```
//! * Writers follow one another: a W0 sees the W4 before it, and so the `head` it left.
//! * No word is read before it is written: an R1 that sees a W3 makes its W2 visible to R2.
//! * No word is overwritten before it is read: a W1 that sees an R3 puts R2 before the next W2.
//! * A writer killed half-way leaves `head` where it was: its record was never there. R4 frees
//!   its lane; the collector does that for threads that no longer exist, and nothing orders
//!   their last stores but their end. A word of theirs that arrives late lies above `head`,
//!   where the next writer stores before it publishes.
//!
//! The two sides are different programs. Words are found by masking, so a wrong counter can
//! spoil samples but never reach memory outside the ring. A full lane refuses the new record.

use crate::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Words in the ring of a lane: 64 KiB, room for two of the longest records.
pub const WORDS: usize = 8192;

/// A word, or a few of them, on a cache line that no other part of the lane shares.
#[repr(C, align(64))]
pub struct CacheLine<T>(pub T);

/// One ring. `N` is a power of two; other sizes than [`WORDS`] are for tests.
#[repr(C)]
pub struct Lane<const N: usize = WORDS> {
    /// The tid of the writer; 0: free.
    owner: CacheLine<AtomicU32>,
    head: CacheLine<AtomicU64>,
    tail: CacheLine<AtomicU64>,
    words: CacheLine<[AtomicU64; N]>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Lane>() == 3 * 64 + WORDS * 8);
#[cfg(not(loom))]
const _: () = assert!(2 * crate::record::MAX_WORDS <= WORDS);

impl<const N: usize> Default for Lane<N> {
    fn default() -> Self {
        Self {
            owner: CacheLine(AtomicU32::new(0)),
            head: CacheLine(AtomicU64::new(0)),
            tail: CacheLine(AtomicU64::new(0)),
            words: CacheLine(core::array::from_fn(|_| AtomicU64::new(0))),
        }
    }
}

impl<const N: usize> Lane<N> {
    const MASK: usize = {
        assert!(N.is_power_of_two());
        N - 1
    };

    /// Claims the lane for one record of at most `room` words. `None`: it is in use, or has less
    /// room than that. Async-signal-safe.
    pub fn claim(&self, tid: u32, room: usize) -> Option<Writer<'_, N>> {
        self.owner.0.compare_exchange(0, tid, Acquire, Relaxed).ok()?;
        let head = self.head.0.load(Relaxed);
        let used = head.wrapping_sub(self.tail.0.load(Acquire));
        let writer = Writer { lane: self, start: head, next: head };
        // A `used` beyond N means scribbled counters; both cases leave no room.
        if used > N as u64 || N as u64 - used < room as u64 {
            return None; // dropping the writer releases the claim
        }
        Some(writer)
    }

    /// Passes the words of all published records to `each` and frees them. Returns the number of
    /// words, or `None` if the counters make no sense; they are then made to: what was in the
    /// lane is given up.
    pub fn drain(&self, mut each: impl FnMut(u64)) -> Option<u64> {
        let tail = self.tail.0.load(Relaxed);
        let head = self.head.0.load(Acquire);
        let used = head.wrapping_sub(tail);
        if used > N as u64 {
            self.tail.0.store(head, Release);
            return None;
        }
        for position in 0..used {
            each(self.word(tail.wrapping_add(position)).load(Relaxed));
        }
        self.tail.0.store(head, Release);
        Some(used)
    }

    /// Share of the ring that waits to be drained, from 0 to 1.
    pub fn fill(&self) -> f64 {
        let used = self.head.0.load(Relaxed).wrapping_sub(self.tail.0.load(Relaxed));
        (used as f64 / N as f64).min(1.0)
    }

    /// The thread that holds the claim.
    pub fn owner(&self) -> Option<u32> {
        Some(self.owner.0.load(Relaxed)).filter(|&tid| tid != 0)
    }

    /// Frees the lane of a thread that no longer exists. False: somebody else has it by now.
    pub fn release_dead(&self, tid: u32) -> bool {
        self.owner.0.compare_exchange(tid, 0, Release, Relaxed).is_ok()
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        // The mask keeps the index below N, the length of the array, and so the compiler
        // leaves out the check and the panic behind it.
        &self.words.0[position as usize & Self::MASK]
    }
}

/// The right to write one record. Dropping it without [`Writer::publish`] leaves no trace.
pub struct Writer<'a, const N: usize = WORDS> {
    lane: &'a Lane<N>,
    start: u64,
    next: u64,
}

impl<const N: usize> Writer<'_, N> {
    /// Appends one word. The caller stays within the `room` it claimed. Async-signal-safe.
    pub fn push(&mut self, word: u64) {
        self.set(self.next.wrapping_sub(self.start), word);
        self.next = self.next.wrapping_add(1);
    }

    /// Replaces the word at `offset` from the start of the record. Async-signal-safe.
    pub fn set(&mut self, offset: u64, word: u64) {
        self.lane.word(self.start.wrapping_add(offset)).store(word, Relaxed);
    }

    /// Words pushed so far.
    pub fn pushed(&self) -> u64 {
        self.next.wrapping_sub(self.start)
    }

    /// Makes the record visible to the collector. The claim stays. Async-signal-safe.
    pub fn publish(&mut self) {
        self.lane.head.0.store(self.next, Release);
        self.start = self.next;
    }
}

impl<const N: usize> Drop for Writer<'_, N> {
    fn drop(&mut self) {
        self.lane.owner.0.store(0, Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const US: u32 = 42;

    fn drained(lane: &Lane<8>) -> Vec<u64> {
        let mut words = Vec::new();
        lane.drain(|word| words.push(word)).unwrap();
        words
    }

    fn push(lane: &Lane<8>, words: &[u64]) -> bool {
        let Some(mut writer) = lane.claim(US, words.len()) else { return false };
        words.iter().for_each(|&word| writer.push(word));
        writer.publish();
        true
    }

    #[test]
    fn what_goes_in_comes_out_also_across_the_end_of_the_ring() {
        let lane = Lane::<8>::default();
        for round in 0..20 {
            assert!(push(&lane, &[round, round + 1, round + 2]));
            assert_eq!(drained(&lane), [round, round + 1, round + 2]);
        }
    }

    #[test]
    fn a_full_lane_keeps_old_records_and_refuses_new_ones() {
        let lane = Lane::<8>::default();
        assert!(push(&lane, &[1; 6]));
        assert!(!push(&lane, &[2; 3]));
        assert!(push(&lane, &[3; 2]));
        assert_eq!(drained(&lane), [1, 1, 1, 1, 1, 1, 3, 3]);
    }

    #[test]
    fn a_claimed_lane_is_refused_and_free_again_after() {
        let lane = Lane::<8>::default();
        let writer = lane.claim(US, 1).unwrap();
        assert!(lane.claim(US + 1, 1).is_none());
        drop(writer);
        assert!(lane.claim(US + 1, 1).is_some());
    }

    #[test]
    fn a_record_that_was_not_published_was_never_there() {
        let lane = Lane::<8>::default();
        let mut writer = lane.claim(US, 4).unwrap();
        writer.push(1);
        drop(writer);
        assert!(push(&lane, &[2]));
        assert_eq!(drained(&lane), [2]);
    }

    #[test]
    fn a_dead_writers_lane_is_freed_for_the_next() {
        let lane = Lane::<8>::default();
        let mut writer = lane.claim(US, 4).unwrap();
        writer.push(1);
        core::mem::forget(writer);
        assert!(!lane.release_dead(US + 1));
        assert!(lane.release_dead(US));
        assert!(push(&lane, &[2]));
        assert_eq!(drained(&lane), [2]);
    }

    #[test]
    fn scribbled_counters_cost_the_records_and_nothing_else() {
        let lane = Lane::<8>::default();
        lane.head.0.store(u64::MAX - 3, Relaxed);
        assert!(lane.claim(US, 1).is_none());
        assert_eq!(lane.drain(|_| panic!("nothing to read")), None);
        assert!(push(&lane, &[5; 8]));
        assert_eq!(drained(&lane), [5; 8]);
    }
}
