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
    /// A timer on the CPU time of each thread, and one of the process if there are none left.
    Thread = 0,
    /// `setitimer(ITIMER_PROF)`.
    Process = 1,
    /// A perf event on the task clock of each thread, or a timer where the kernel refuses that.
    Perf = 2,
    /// A timer on the wall clock for each thread, whether it runs or waits.
    Wall = 3,
}

impl Clock {
    /// The clock that `number` stands for.
    pub fn from_u32(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Thread),
            1 => Some(Self::Process),
            2 => Some(Self::Perf),
            3 => Some(Self::Wall),
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
    /// Take no samples for now. Timers go on, and nobody counts what they say.
    pub const PAUSED: u32 = 3;
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
    /// A [`Clock`] as number; the agent changes it to that of the process if it may have no
    /// other.
    pub clock: AtomicU32,
    /// CPU time between two ticks, ns.
    pub period_ns: AtomicU64,
    /// Length of the kernel's own tick, ns: CPU timers are only looked at then.
    pub kernel_tick_ns: AtomicU64,
    /// Not zero: each record ends with the time its handler took ([`crate::record::flags::TIMED`]).
    pub timed: AtomicU32,
    /// Not zero: children of fork are profiled.
    pub follow_forks: AtomicU32,
    /// Not zero: programs that are executed with an environment of their own get back what they
    /// need to load the agent.
    pub restore_environment: AtomicU32,
    /// The number of the signal that ticks arrive as.
    pub tick_signal: AtomicU32,
    /// Frames of a stack at most, no more than [`crate::record::MAX_FRAMES`].
    pub most_frames: AtomicU32,
    /// The number of the signal with which the program can be told to pause and to go on; 0:
    /// there is none.
    pub toggle_signal: AtomicU32,
    /// See [`state`]. Written by the collector, and by the agent when the signal comes that
    /// toggles it.
    pub state: AtomicU32,
    /// See [`agent`].
    pub agent: AtomicU32,
    /// Why the agent failed.
    pub errno: AtomicU32,
    /// What a SIGPROF carries by which the collector tells a thread to arm itself.
    pub knock_cookie: AtomicU64,
    /// CLOCK_MONOTONIC when the agent last toggled the state, ns. Stored before the state is
    /// (Release), loaded behind it (Acquire).
    pub toggled_ns: AtomicU64,
    /// How often sampling has been resumed after a pause.
    pub resumes: AtomicU64,
    /// How often the collector has knocked.
    pub knocks: AtomicU64,
    /// Ticks of threads that found no slot.
    pub unslotted: Counts,
    /// Timers that could not be created (RLIMIT_SIGPENDING); the process-wide tick stands in.
    pub timer_failures: AtomicU64,
    /// Perf events that could not be opened; a timer stands in.
    pub perf_failures: AtomicU64,
    /// Perf events that do not see the kernel, as it did not let them.
    pub without_kernel: AtomicU64,
    /// How often a process has begun to fork, so that there may be a child that is not yet,
    pub forks_begun: AtomicU64,
    /// Children of fork that have entered themselves into the table of processes.
    pub forks: AtomicU64,
    /// Those for which there was no room in it.
    pub unentered_forks: AtomicU64,
    /// SIGPROFs that were not ours and went to the program.
    pub foreign: AtomicU64,
    /// What has to be in the environment of a program so that it loads the agent and finds the
    /// collector: `LD_PRELOAD=...` and `SIGSPY_SESSION=...`, each ended by NUL.
    pub environment: [AtomicU64; ENVIRONMENT_WORDS],
}

/// Words of [`Control::environment`].
pub const ENVIRONMENT_WORDS: usize = 128;

const _: () = assert!(size_of::<Control>() == 4096);
