//! The first page of the shared memory: settings from the collector, state and counts from the
//! agent.
//!
//! Settings are written before the agent gets the memory and never change, except `state`.
//! Counts are for threads that found no slot; they only grow. Nothing here orders anything
//! else: all accesses are `Relaxed`, except that the agent stores [`Control::agent`] with
//! `Release` after all its preparations.

use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::slot::Counts;

/// What ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Clock {
    /// One CPU-time timer a thread, and one of the process for threads without.
    Thread = 0,
    /// `setitimer(ITIMER_PROF)`.
    Process = 1,
}

impl Clock {
    /// The clock that `number` stands for.
    pub fn from_u32(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Thread),
            1 => Some(Self::Process),
            _ => None,
        }
    }
}

/// What the collector wants, in [`Control::state`].
pub mod state {
    /// Take samples.
    pub const RUNNING: u32 = 1;
    /// Take no more samples: each handler deletes the timer that called it.
    pub const DRAINING: u32 = 2;
}

/// How far the agent got, in [`Control::agent`].
pub mod agent {
    /// The memory is not mapped yet.
    pub const ABSENT: u32 = 0;
    /// Handler and timers are in place.
    pub const ARMED: u32 = 1;
    /// A system call failed; [`super::Control::errno`](super::Control) says how. No sample will come.
    pub const FAILED: u32 = 2;
}

/// The page itself.
#[repr(C, align(4096))]
pub struct Control {
    /// Number of lanes behind the slots.
    pub lanes: AtomicU32,
    /// A [`Clock`] as number.
    pub clock: AtomicU32,
    /// CPU time between two ticks, ns.
    pub period_ns: AtomicU64,
    /// Length of the kernel's own tick, ns: CPU timers are only looked at then.
    pub kernel_tick_ns: AtomicU64,
    /// Not zero: each record ends with the time its handler took ([`crate::record::flags::TIMED`]).
    pub timed: AtomicU32,
    /// Not zero: there is no process-wide timer, and each thread is armed when it starts.
    pub arm_at_thread_start: AtomicU32,
    /// See [`state`].
    pub state: AtomicU32,
    /// See [`agent`].
    pub agent: AtomicU32,
    /// Why the agent failed.
    pub errno: AtomicU32,
    /// Ticks of threads that found no slot.
    pub unslotted: Counts,
    /// Timers that could not be created (RLIMIT_SIGPENDING); the process-wide tick stands in.
    pub timer_failures: AtomicU64,
    /// SIGPROFs that were not ours and went to the program.
    pub foreign: AtomicU64,
}

const _: () = assert!(size_of::<Control>() == 4096);
