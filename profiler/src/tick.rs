//! Ticks: where they come from, and how one is told from the other signals of the same number.

pub(crate) mod process;
pub(crate) mod thread;

use sigspy_wire::slot::SLOTS;

use crate::siginfo::{SI_KERNEL, SI_TIMER, SigInfo};
use crate::sys::Errno;

/// A clock that can interrupt the program. Each clock is one file below this one.
pub(crate) trait TickSource {
    /// Arms the timer that stands for all threads without a timer of their own.
    fn set_process_cpu_profiler(&self, times: Times) -> Result<(), Errno>;
    /// Arms a timer for the calling thread alone, which has the slot `index`. Returns the
    /// kernel's id for it. On error the thread has no timer, and the process timer stands in.
    /// Async-signal-safe.
    fn set_thread_cpu_profiler(
        &self,
        tid: u32,
        index: usize,
        times: Times,
    ) -> Result<Option<u32>, Errno>;
}

/// When a timer expires, in CPU time from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// Never zero.
    pub first_ns: u64,
    pub period_ns: u64,
}

/// Nanoseconds of CPU time until a first tick: uniform in `1..=period_ns`.
/// With a fixed first delay of one period, a thread that lives for less than one would never
/// be seen. With a random phase, a thread that runs for a tenth of a period is seen one time
/// in ten. Never zero: timer_settime(2) reads zero as "disarm".
///
/// Source: golang/go, src/runtime/os_linux.go, setThreadCPUProfiler.
pub fn first_delay_ns(period_ns: u64, random: u64) -> u64 {
    1 + random % period_ns.max(1)
}

/// The first delay for a thread that begins to run now, and by how much earlier its first expiry
/// should have been, ns.
///
/// CPU timers expire when the kernel's tick finds the thread running. What it runs after the last
/// of those is never seen: half a tick in the mean, and everything if it runs for less than one.
/// So that others stand for it, a thread is treated as if it had begun with the last tick of the
/// kernel, `earlier_ns` ago: then each of those ticks stands for a whole one, also the first.
pub fn ahead(delay_ns: u64, earlier_ns: u64) -> (u64, Option<u64>) {
    match delay_ns.checked_sub(earlier_ns) {
        Some(delay_ns @ 1..) => (delay_ns, None),
        _ => (1, Some(earlier_ns.saturating_sub(delay_ns))),
    }
}

/// For the first tick of a thread whose first expiry was too late by `lead_ns`, and which has run
/// for `ran_ns`: how many expiries there should have been, and the time to the next one, ns.
pub fn catch_up(ran_ns: u64, lead_ns: u64, period_ns: u64) -> (u64, u64) {
    let since_first_ns = ran_ns.wrapping_add(lead_ns);
    let expiries = since_first_ns / period_ns.max(1) + 1;
    (expiries, expiries.wrapping_mul(period_ns).wrapping_sub(since_first_ns))
}

/// The numbers in our timers' `sigev_value`: a secret of this process, and the slot. The cookie
/// is the handler's thread-local storage.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    secret: u64,
}

const INDEX_BITS: u32 = 16;
const PROCESS_INDEX: u64 = (1 << INDEX_BITS) - 1;
const _: () = assert!((SLOTS as u64) < PROCESS_INDEX);

impl Cookies {
    pub const fn new(random: u64) -> Self {
        Self { secret: random << INDEX_BITS }
    }

    /// For the timer of the thread with the slot `index`.
    pub fn thread(self, index: usize) -> u64 {
        self.secret | index as u64
    }

    /// For the process-wide timer.
    pub fn process(self) -> u64 {
        self.secret | PROCESS_INDEX
    }
}

/// Whose signal a SIGPROF is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The timer of the thread with this slot.
    ThreadTimer { index: usize },
    /// The process-wide POSIX timer.
    ProcessTimer,
    /// `setitimer(ITIMER_PROF)`, which we armed.
    ProcessItimer,
    /// Anybody else.
    Program,
}

/// Tells our ticks from the program's own signals and from forged ones: `kill`, `sigqueue`,
/// timers of the program, another profiler. `itimer_is_ours`: ITIMER_PROF is, as there is only
/// one and its signal carries no cookie. Async-signal-safe.
pub fn valid_sigprof(info: &SigInfo, cookies: Cookies, itimer_is_ours: bool) -> Origin {
    match info.code {
        SI_KERNEL if itimer_is_ours => Origin::ProcessItimer,
        SI_TIMER if info.cookie == cookies.process() => Origin::ProcessTimer,
        SI_TIMER if info.cookie & !PROCESS_INDEX == cookies.secret => {
            Origin::ThreadTimer { index: (info.cookie & PROCESS_INDEX) as usize }
        }
        _ => Origin::Program,
    }
}

/// What to do about one SIGPROF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Sample,
    /// The tick is accounted for by the thread's own timer.
    Duplicate,
    /// For the handler that the program has installed.
    NotOurs,
}

/// Decides what one SIGPROF means. A thread with its own timer also receives ticks of the
/// process-wide timer; counting both would charge it twice. `slot_timer` is the timer of the
/// thread's slot, if it has one: a tick of a timer that was replaced meanwhile is no sample.
/// Async-signal-safe.
pub fn judge_sigprof(origin: Origin, timer: u32, slot_timer: Option<u32>) -> Delivery {
    match (origin, slot_timer) {
        (Origin::Program, _) => Delivery::NotOurs,
        (Origin::ThreadTimer { .. }, own) if own == Some(timer) => Delivery::Sample,
        (Origin::ThreadTimer { .. }, _) => Delivery::Duplicate,
        (Origin::ProcessTimer | Origin::ProcessItimer, None) => Delivery::Sample,
        (Origin::ProcessTimer | Origin::ProcessItimer, Some(_)) => Delivery::Duplicate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIES: Cookies = Cookies::new(0x1234_5678_9abc);
    const SI_USER: i32 = 0;
    const SI_QUEUE: i32 = -1;
    const SI_TKILL: i32 = -6;
    const POLL_IN: i32 = 1;

    fn info(code: i32, cookie: u64) -> SigInfo {
        SigInfo { code, timer: 3, overruns: 0, cookie }
    }

    #[test]
    fn only_our_own_ticks_are_valid() {
        let (thread, process) = (COOKIES.thread(5), COOKIES.process());
        let other = Cookies::new(0x9999).thread(5);
        let cases = [
            (info(SI_TIMER, thread), false, Origin::ThreadTimer { index: 5 }),
            (info(SI_TIMER, thread), true, Origin::ThreadTimer { index: 5 }),
            (info(SI_TIMER, process), false, Origin::ProcessTimer),
            (info(SI_TIMER, other), false, Origin::Program),
            (info(SI_TIMER, 0), true, Origin::Program),
            (info(SI_KERNEL, 0), true, Origin::ProcessItimer),
            (info(SI_KERNEL, 0), false, Origin::Program),
            (info(SI_KERNEL, thread), false, Origin::Program),
            (info(SI_USER, thread), true, Origin::Program),
            (info(SI_QUEUE, thread), true, Origin::Program),
            (info(SI_QUEUE, process), true, Origin::Program),
            (info(SI_TKILL, process), true, Origin::Program),
            (info(POLL_IN, thread), true, Origin::Program),
        ];
        for (info, itimer_is_ours, expected) in cases {
            assert_eq!(valid_sigprof(&info, COOKIES, itimer_is_ours), expected, "{info:?}");
        }
    }

    #[test]
    fn each_tick_is_a_sample_once_or_the_programs_own() {
        let thread = Origin::ThreadTimer { index: 5 };
        let cases = [
            (thread, Some(3), Delivery::Sample),
            (thread, Some(4), Delivery::Duplicate),
            (thread, None, Delivery::Duplicate),
            (Origin::ProcessTimer, None, Delivery::Sample),
            (Origin::ProcessTimer, Some(3), Delivery::Duplicate),
            (Origin::ProcessItimer, None, Delivery::Sample),
            (Origin::Program, None, Delivery::NotOurs),
            (Origin::Program, Some(3), Delivery::NotOurs),
        ];
        for (origin, slot_timer, expected) in cases {
            assert_eq!(judge_sigprof(origin, 3, slot_timer), expected, "{origin:?} {slot_timer:?}");
        }
    }

    #[test]
    fn a_first_delay_is_within_one_period_and_never_zero() {
        for random in [0, 1, 999, 1000, u64::MAX] {
            assert!((1..=1000).contains(&first_delay_ns(1000, random)));
        }
        assert_eq!(first_delay_ns(0, 7), 1);
    }

    #[test]
    fn a_thread_that_begins_is_ahead_by_the_time_since_the_kernels_tick() {
        assert_eq!(ahead(700, 300), (400, None));
        assert_eq!(ahead(300, 300), (1, Some(0)));
        assert_eq!(ahead(100, 399), (1, Some(299)));
        assert_eq!(ahead(100, 0), (100, None));
        assert_eq!(catch_up(0, 299, 100), (3, 1));
        assert_eq!(catch_up(1, 299, 100), (4, 100));
    }

    /// Threads that run for a while at a random time, and a kernel that looks now and then.
    #[test]
    fn with_the_lead_weights_are_right_in_the_mean() {
        const TICK: u64 = 4000;
        let mut random = 1u64;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99_991);
            (random >> 33) % below
        };
        for period in [250u64, 1000, 4000, 10_309] {
            for life in [500u64, 1500, 6000, 50_000] {
                let threads = 200_000;
                let mut weight = 0.0;
                for _ in 0..threads {
                    let delay = first_delay_ns(period, next(u64::MAX));
                    let phase = 1 + next(TICK);
                    let (first, lead) = ahead(delay, TICK - phase);
                    if life < phase {
                        continue; // no tick of the kernel in its life
                    }
                    let last_look = phase + (life - phase) / TICK * TICK;
                    let expiries = match lead {
                        Some(lead) => catch_up(last_look, lead, period).0,
                        None if last_look < first => 0,
                        None => (last_look - first) / period + 1,
                    };
                    weight += (expiries * period) as f64;
                }
                let mean = weight / threads as f64 / life as f64;
                // One life in twenty or more is seen: a standard error of 1 %.
                assert!((mean - 1.0).abs() < 0.035, "{period} {life}: {mean}");
            }
        }
    }
}
