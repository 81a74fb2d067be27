//! The state of the agent: made once by the constructor, and again by a child of fork while it
//! has one thread. Handlers read it; what they change in it is atomic.
#![allow(unsafe_code, reason = "a static that is written once, before anybody may read it")]

use core::cell::UnsafeCell;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use sigspy_wire::control::Clock;
use sigspy_wire::lane::Lane;
use sigspy_wire::layout::{LANES_PER_CPU, Parts};
use sigspy_wire::process::Process;
use sigspy_wire::slot::SLOTS;

use crate::disposition::Disposition;
use crate::environment::Environment;
use crate::stacks::Stacks;
use crate::sys;
use crate::sys::timer::timer_start;
use crate::tick::perf::PerfClock;
use crate::tick::process::ProcessClock;
use crate::tick::thread::ThreadClock;
use crate::tick::wall::WallClock;
use crate::tick::{Cookies, TickSource, Times, first_delay_ns};
use crate::vdso::MonotonicClock;

/// What handlers need to know.
pub struct Agent {
    pub shared: Parts<'static>,
    /// Unwind tables.
    pub arena: &'static [u8],
    /// What handlers run on.
    pub stacks: Stacks,
    pub clock: Clock,
    pub cookies: Cookies,
    pub period_ns: u64,
    pub kernel_tick_ns: u64,
    /// The process that this state is about: in a child of fork that has not made it its own,
    /// another one.
    pub pid: AtomicU32,
    /// Index of that process in the shared table.
    pub process: AtomicU32,
    /// From the process that made this state to this one.
    pub forks: AtomicU32,
    /// Descriptors of perf events get numbers from here on.
    pub high_descriptors: usize,
    /// What a program needs in its environment to be profiled.
    pub environment: Environment,
    pub monotonic: MonotonicClock,
    /// What the program wants done about its own SIGPROFs.
    pub program: Disposition,
    /// Kernel id of the process-wide timer + 1, until it is started; 0: then, or there is none.
    pub process_timer: AtomicU32,
    /// CPU time of the process for which ticks stand, ns; that before its start included.
    pub weighed_cpu_ns: AtomicU64,
    /// Libraries that the loader had unloaded when somebody last looked.
    pub seen_unloads: AtomicU64,
    /// As the entry of the process has it: a child of fork is left with what it was at that moment.
    pub unloads_begun: AtomicU32,
    /// How often sampling has been resumed, when somebody last looked.
    pub seen_resumes: AtomicU64,
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
        let threads = ThreadClock { cookies: self.cookies };
        match self.clock {
            Clock::Thread => arm(&threads),
            Clock::Process => arm(&ProcessClock),
            Clock::Perf => arm(&PerfClock {
                threads,
                control: self.shared.control,
                lowest: self.high_descriptors,
            }),
            Clock::Wall => arm(&WallClock { threads }),
        }
    }

    /// CPU time of the process for which no tick stands and none will, ns, at most a few periods:
    /// what threads have used that are gone. Threads that run have some of theirs before them. The
    /// caller stands for it, and for `own_ns`. Async-signal-safe.
    pub fn claim_unweighed_ns(&self, own_ns: u64) -> u64 {
        let used_ns = sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME);
        let resumes = self.shared.control.resumes.load(Relaxed);
        if self.seen_resumes.swap(resumes, Relaxed) != resumes {
            // What was used during a pause is nobody's.
            self.weighed_cpu_ns.store(used_ns.saturating_sub(own_ns), Relaxed);
        }
        let usual_ns = self.kernel_tick_ns.max(self.period_ns);
        let still_to_come_ns = self.cpus().saturating_mul(usual_ns / 2);
        let weighed_ns = self.weighed_cpu_ns.load(Relaxed).saturating_add(own_ns);
        let rest_ns = used_ns.saturating_sub(weighed_ns).saturating_sub(still_to_come_ns);
        rest_ns.min(usual_ns.saturating_mul(4))
    }

    /// Lets the process-wide timer tick, for threads that have none. Async-signal-safe.
    pub fn start_process_timer(&self) {
        let timer = self.process_timer.swap(0, Relaxed);
        if let (Some(id), true) = (timer.checked_sub(1), self.clock != Clock::Wall) {
            let times = self.times();
            let _ = timer_start(id, times.first_ns, times.period_ns); // it exists
        }
    }

    /// The process that this state is about. Async-signal-safe.
    pub fn pid(&self) -> u32 {
        self.pid.load(Relaxed)
    }

    /// The entry of this process in the shared table. Async-signal-safe.
    pub fn process(&self) -> Option<&'static Process> {
        self.shared.processes.get(self.process.load(Relaxed) as usize)
    }

    /// The lanes that there are; the collector adds more when they are needed. Async-signal-safe.
    pub fn lanes(&self) -> &'static [Lane] {
        let count = self.shared.control.lanes.load(Relaxed) as usize;
        self.shared.lanes.get(..count).unwrap_or(self.shared.lanes)
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
// and only read after `ready` was loaded with Acquire. The raw pointer in `stacks` is an address
// that handlers turn into stacks, each under its claim.
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
pub fn of_this_process() -> Option<&'static Agent> {
    get().filter(|agent| agent.pid() == sys::getpid())
}

/// Makes `agent` visible to handlers. Called once, by the constructor.
pub fn install(agent: Agent) -> &'static Agent {
    // SAFETY: the constructor calls this once, before it installs the handler and arms timers,
    // so that nobody else can be looking.
    let installed = unsafe { (*AGENT.agent.get()).insert(agent) };
    AGENT.ready.store(true, Release);
    installed
}
