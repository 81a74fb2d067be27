//! The state of the agent: made once by the constructor, read-only for handlers.
#![allow(unsafe_code, reason = "a static that is written once, before anybody may read it")]

use core::cell::UnsafeCell;
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use sigspy_wire::control::Clock;
use sigspy_wire::layout::{LANES_PER_CPU, Parts};
use sigspy_wire::slot::SLOTS;

use crate::disposition::Disposition;
use crate::tick::process::ProcessClock;
use crate::tick::thread::ThreadClock;
use crate::tick::{Cookies, TickSource, Times, first_delay_ns};
use crate::vdso::MonotonicClock;

/// Bytes of a lane's private stack, without its guard page.
pub const LANE_STACK: usize = 64 << 10;
/// From one lane's stack to the next: the guard page lies below each.
pub const LANE_STRIDE: usize = LANE_STACK + 4096;

/// What handlers need to know.
pub struct Agent {
    pub shared: Parts<'static>,
    /// Unwind tables.
    pub arena: &'static [u8],
    /// Start of the private stacks, one a lane, [`LANE_STRIDE`] apart.
    pub lane_stacks: *mut u8,
    pub clock: Clock,
    pub cookies: Cookies,
    pub period_ns: u64,
    pub kernel_tick_ns: u64,
    pub pid: u32,
    pub monotonic: MonotonicClock,
    /// What the program wants done about its own SIGPROFs.
    pub program: Disposition,
    /// CPU time of the process up to which ticks of ITIMER_PROF have been weighed, ns.
    pub weighed_cpu_ns: AtomicU64,
    /// One bit for each slot that is or was in use; the handler looks here for dead threads.
    pub used_slots: [AtomicU64; SLOTS / 64],
    /// Ticks that could have looked for dead threads.
    pub reclaim_turns: AtomicU64,
    /// Where the next look for dead threads begins.
    pub reclaim_next: AtomicU64,
    /// Changes with every use.
    pub random: AtomicU64,
}

impl Agent {
    /// Calls `arm` with the clock that ticks. Async-signal-safe if `arm` is.
    pub fn with_source<T>(&self, arm: impl FnOnce(&dyn TickSource) -> T) -> T {
        match self.clock {
            Clock::Thread => arm(&ThreadClock { cookies: self.cookies }),
            Clock::Process => arm(&ProcessClock),
        }
    }

    /// Whether threads are armed when they start, as no process-wide timer can find them. The
    /// process clock has nothing to arm threads with. Async-signal-safe.
    pub fn arms_at_thread_start(&self) -> bool {
        self.clock == Clock::Thread && self.shared.control.arm_at_thread_start.load(Relaxed) != 0
    }

    /// A timer's times, the first one random. Async-signal-safe.
    pub fn times(&self) -> Times {
        let first_ns = first_delay_ns(self.period_ns, self.next_random());
        Times { first_ns, period_ns: self.period_ns }
    }

    /// The next random number, good enough to spread first delays. Async-signal-safe.
    pub fn next_random(&self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.random.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// CPU time beyond which a tick was not delayed by chance: a few of the kernel's ticks.
    /// `cpus`: how many of them may add to the tick's clock at once. Async-signal-safe.
    pub fn late_ns(&self, cpus: u64) -> u64 {
        self.kernel_tick_ns.max(self.period_ns).saturating_mul(3).saturating_mul(cpus)
    }

    /// An upper bound for CPUs that run this process at once, from the number of lanes.
    pub fn cpus(&self) -> u64 {
        (self.shared.lanes.len() / LANES_PER_CPU) as u64
    }
}

struct Once {
    ready: AtomicBool,
    agent: UnsafeCell<Option<Agent>>,
}

// SAFETY: `agent` is written once, by the constructor, before `ready` is stored with Release,
// and only read after `ready` was loaded with Acquire. The raw pointer in it is an address that
// handlers turn into stacks, each under the claim of its lane.
unsafe impl Sync for Once {}

static AGENT: Once = Once { ready: AtomicBool::new(false), agent: UnsafeCell::new(None) };

/// The agent, once it is installed. Async-signal-safe.
pub fn get() -> Option<&'static Agent> {
    if !AGENT.ready.load(Acquire) {
        return None;
    }
    // SAFETY: `ready` says that `install` is through and that nobody writes any more.
    unsafe { (*AGENT.agent.get()).as_ref() }
}

/// The agent, for code that runs in the process it was made for: `None` also in a child of
/// fork or vfork, which has no timers of ours.
#[cfg(sigspy_agent)]
pub fn of_this_process() -> Option<&'static Agent> {
    get().filter(|agent| agent.pid == crate::sys::getpid())
}

/// Makes `agent` visible to handlers. Called once, by the constructor.
pub fn install(agent: Agent) -> &'static Agent {
    // SAFETY: the constructor calls this once, before it installs the handler and arms timers,
    // so that nobody else can be looking.
    let installed = unsafe { (*AGENT.agent.get()).insert(agent) };
    AGENT.ready.store(true, Release);
    installed
}
