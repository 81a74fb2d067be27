//! Arming threads as they start.
//!
//! `pthread_create` passes a cell with the program's start function and argument to
//! [`arch::thread_entry`](crate::arch::thread_entry), which calls [`arm_and_take`] and jumps to
//! that function. Cells come from a small static pool; when it is empty, threads start unarmed,
//! and the collector finds them.
//!
//! A cell's `state` goes FREE -> TAKEN (compare-exchange, Acquire), is filled by the creator, read
//! by the new thread (pthread_create orders the two), and set FREE again (Release).
#![allow(unsafe_code, reason = "a pool of cells that two threads hand over")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};

use sigspy_wire::control::Clock;

use crate::agent::{self, Agent};
use crate::threads;

/// Threads between pthread_create and their first instruction, at most.
const CELLS: usize = 256;

/// Where a thread is to start.
#[repr(C)]
pub struct ThreadStart {
    function: *const c_void,
    argument: *mut c_void,
}

/// A place in the pool.
pub struct Cell {
    taken: AtomicBool,
    start: UnsafeCell<ThreadStart>,
}

// SAFETY: `start` is accessed only by the one who has set `taken`, or to whom that thread has
// handed the cell.
unsafe impl Sync for Cell {}

static POOL: [Cell; CELLS] = [const {
    Cell {
        taken: AtomicBool::new(false),
        start: UnsafeCell::new(ThreadStart { function: ptr::null(), argument: ptr::null_mut() }),
    }
}; CELLS];

/// A cell for a thread that is to be armed. `None`: it cannot be, or the pool is empty.
pub fn cell(
    agent: &Agent,
    function: *const c_void,
    argument: *mut c_void,
) -> Option<NonNull<Cell>> {
    if agent.clock == Clock::Process {
        return None; // it has nothing to arm threads with
    }
    let take = |cell: &&Cell| cell.taken.compare_exchange(false, true, Acquire, Relaxed).is_ok();
    let cell = POOL.iter().find(take)?;
    // SAFETY: `taken` was false and is ours now.
    unsafe { cell.start.get().write(ThreadStart { function, argument }) };
    Some(NonNull::from(cell))
}

/// Frees the cell of a thread that could not be created.
pub fn give_back(cell: NonNull<Cell>) {
    // SAFETY: cells live in a static.
    unsafe { cell.as_ref() }.taken.store(false, Release);
}

/// Called on the new thread, first of all: gives it a timer, and says where to go on.
pub extern "C" fn arm_and_take(cell: NonNull<Cell>, start: &mut ThreadStart) {
    // SAFETY: pthread_create was given this cell, for this thread alone.
    *start = unsafe { cell.as_ref().start.get().read() };
    give_back(cell);
    if let Some(agent) = agent::get() {
        threads::arm_new_thread(agent);
        threads::reclaim_some(agent);
    }
}
