//! The stacks that handlers run on.
//!
//! A signal may find a thread with hardly more than its own frame left on the alternate stack that
//! the program gave it. So the entry of the handler moves to one of these at once. They belong to
//! this process: a stack is claimed by compare-exchange (Acquire) and given back by a store
//! (Release), so that the next owner finds nothing half-written. A child of fork has no handlers
//! running and frees them all.
//!
//! With each stack comes a place for the rules that walks on it have used: it has one owner at a
//! time as well, and mostly the same thread.
#![allow(unsafe_code, reason = "hands out memory")]

use core::ptr;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};

use sigspy_unwind::Cache;

use crate::sys::{self, Errno};

/// Handlers that can run at the same time in one process. More of them run where they are.
const STACKS: usize = 64;
/// Bytes of a stack, without its guard page.
const LENGTH: usize = 64 << 10;
/// From one stack to the next: the guard page lies below each, and its rules above.
const STRIDE: usize = GUARD + LENGTH + size_of::<Cache>().next_multiple_of(PAGE);
const GUARD: usize = PAGE;
const PAGE: usize = 4096;

/// All of them.
pub struct Stacks {
    base: *mut u8,
    taken: [AtomicBool; STACKS],
    guarded: [AtomicBool; STACKS],
}

impl Stacks {
    pub fn map() -> Result<Self, Errno> {
        Ok(Self {
            base: sys::map_anonymous(STACKS * STRIDE)?,
            taken: [const { AtomicBool::new(false) }; STACKS],
            guarded: [const { AtomicBool::new(false) }; STACKS],
        })
    }

    /// The top of a free stack; null if there is none. A thread at stack pointer `sp` gets the same
    /// again if it can. Async-signal-safe, and needs next to no stack itself.
    pub fn claim(&self, sp: usize) -> *mut u8 {
        // Stacks of threads are of the same size, a power of two: a multiplication tells them apart.
        const GOLDEN: usize = 0x9e37_79b9_7f4a_7c15;
        let start = (sp / LENGTH).wrapping_mul(GOLDEN) >> (usize::BITS - STACKS.ilog2());
        for probe in 0..STACKS {
            let index = start.wrapping_add(probe) % STACKS;
            let take =
                |taken: &AtomicBool| taken.compare_exchange(false, true, Acquire, Relaxed).is_ok();
            if self.taken.get(index).is_some_and(take) {
                // SAFETY: `index` is below STACKS, the number that was mapped.
                let bottom = unsafe { self.base.add(index * STRIDE) };
                if self.guarded.get(index).is_some_and(|done| !done.swap(true, Relaxed)) {
                    // SAFETY: the lowest page is for this alone.
                    unsafe { sys::guard(bottom) };
                }
                // SAFETY: as above.
                return unsafe { bottom.add(GUARD + LENGTH) };
            }
        }
        ptr::null_mut()
    }

    /// Gives back a stack by its top. Async-signal-safe.
    pub fn release(&self, top: *mut u8) {
        if let Some(taken) = self.taken.get(self.index_of(top)) {
            taken.store(false, Release);
        }
    }

    /// The place for rules that belongs to the stack of an address; `None`: it is in none of ours.
    /// Async-signal-safe.
    pub fn cache_of(&self, address: *const u8) -> Option<&Cache> {
        let index = self.index_of(address);
        // SAFETY: it lies above a stack in what was mapped, page-aligned. It was zero at first, as an
        // empty one is, and consists of atomics, so that it may be shared.
        let at = |index: usize| unsafe {
            &*self.base.add(index * STRIDE + GUARD + LENGTH).cast::<Cache>()
        };
        (index < STACKS).then(|| at(index))
    }

    fn index_of(&self, address: *const u8) -> usize {
        address.addr().wrapping_sub(self.base.addr()) / STRIDE
    }

    /// Gives back all stacks: no handler runs.
    pub fn release_all(&self) {
        self.taken.iter().for_each(|taken| taken.store(false, Release));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_is_a_stack_of_its_own_until_it_is_given_back() {
        let stacks = Stacks::map().unwrap();
        let mut tops: Vec<_> = (0..STACKS).map(|_| stacks.claim(7)).collect();
        assert!(stacks.claim(7).is_null());
        let caches: Vec<_> = tops.iter().map(|&top| stacks.cache_of(top).unwrap()).collect();
        assert!((1..STACKS).all(|index| !ptr::eq(caches[0], caches[index])));
        stacks.release(tops[3]);
        assert_eq!(stacks.claim(0), tops[3]);
        tops.sort_unstable();
        tops.dedup();
        assert_eq!(tops.len(), STACKS);
        assert!(tops.iter().all(|top| top.addr().is_multiple_of(16)));
    }

    #[test]
    fn all_of_a_stack_can_be_written() {
        let stacks = Stacks::map().unwrap();
        let top = stacks.claim(0);
        // SAFETY: the stack is ours, and LENGTH bytes long.
        unsafe { top.sub(LENGTH).write_bytes(1, LENGTH) };
        assert!(stacks.cache_of(top.wrapping_sub(1)).is_some());
    }

    #[test]
    fn other_memory_has_no_rules() {
        let stacks = Stacks::map().unwrap();
        for address in
            [ptr::null(), stacks.base.wrapping_sub(1), stacks.base.wrapping_add(STACKS * STRIDE)]
        {
            assert!(stacks.cache_of(address).is_none());
        }
    }

    #[test]
    fn threads_find_stacks_of_their_own_again() {
        const OF_A_THREAD: usize = 8 << 20;
        let stacks = Stacks::map().unwrap();
        let of_thread = |number: usize| {
            let top = stacks.claim(0x7f00_0000_0000 + number * OF_A_THREAD + 0x7ffe00);
            stacks.release(top);
            top.addr()
        };
        let mut tops: Vec<_> = (0..16).map(of_thread).collect();
        assert_eq!(tops, (0..16).map(of_thread).collect::<Vec<_>>());
        tops.sort_unstable();
        tops.dedup();
        assert!(tops.len() > 8, "{} stacks for 16 threads", tops.len());
    }
}
