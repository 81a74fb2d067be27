//! The stacks that handlers run on.
//!
//! A signal may find a thread with hardly more than its own frame left on the alternate stack that
//! the program gave it. So the entry of the handler moves to one of these at once. They belong to
//! this process: a stack is claimed by compare-exchange (Acquire) and given back by a store
//! (Release), so that the next owner finds nothing half-written. A child of fork has no handlers
//! running and frees them all.
#![allow(unsafe_code, reason = "hands out memory")]

use core::ptr;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::sys::{self, Errno};

/// Handlers that can run at the same time in one process. More of them run where they are.
const STACKS: usize = 64;
/// Bytes of a stack, without its guard page.
const LENGTH: usize = 64 << 10;
/// From one stack to the next: the guard page lies below each.
const STRIDE: usize = LENGTH + GUARD;
const GUARD: usize = 4096;

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

    /// The top of a free stack; null if there is none. `start`: where to look first.
    /// Async-signal-safe, and needs next to no stack itself.
    pub fn claim(&self, start: usize) -> *mut u8 {
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
                return unsafe { bottom.add(STRIDE) };
            }
        }
        ptr::null_mut()
    }

    /// Gives back a stack by its top. Async-signal-safe.
    pub fn release(&self, top: *mut u8) {
        let index = (top.addr().wrapping_sub(self.base.addr()) / STRIDE).wrapping_sub(1);
        if let Some(taken) = self.taken.get(index) {
            taken.store(false, Release);
        }
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
    }
}
