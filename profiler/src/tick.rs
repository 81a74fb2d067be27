//! Ticks: where they come from, and how one is told from the other signals of the same number.

pub(crate) mod perf;
pub(crate) mod process;
pub(crate) mod thread;
pub(crate) mod wall;

use sigspy_wire::control::Clock;
use sigspy_wire::slot::SLOTS;

use crate::siginfo::{SI_DESCRIPTOR, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_USER, SigInfo};
use crate::sys::{self, Errno, timer::timer_delete};

/// A clock that can interrupt the program. Each clock is one file below this one.
pub(crate) trait TickSource {
    /// Arms the timer that stands for all threads without a timer of their own, or makes one that
    /// is ready to be started for them, and returns the kernel's id for it.
    fn set_process_cpu_profiler(&self, times: Times) -> Result<Option<u32>, Errno>;
    /// Arms a timer for the calling thread alone, which has the slot `index`. On error the thread
    /// has no timer, and the process timer stands in. Async-signal-safe.
    fn set_thread_cpu_profiler(
        &self,
        tid: u32,
        index: usize,
        times: Times,
    ) -> Result<Option<Ticker>, Errno>;
}

/// What ticks for one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticker {
    /// A POSIX timer, by the kernel's id.
    Timer(u32),
    /// A perf event, by its descriptor.
    PerfEvent(i32),
}

impl Ticker {
    const IS_EVENT: u32 = 1 << 30;

    /// As in [`Slot::timer`](sigspy_wire::slot::Slot::timer).
    pub fn to_word(self) -> u32 {
        match self {
            Self::Timer(id) => (id & !Self::IS_EVENT).wrapping_add(1),
            Self::PerfEvent(descriptor) => (descriptor as u32 | Self::IS_EVENT).wrapping_add(1),
        }
    }

    /// The inverse of [`Ticker::to_word`].
    pub fn from_word(word: u32) -> Option<Self> {
        let number = word.checked_sub(1)?;
        Some(match number & Self::IS_EVENT {
            0 => Self::Timer(number),
            _ => Self::PerfEvent((number & !Self::IS_EVENT) as i32),
        })
    }

    /// No more ticks. Async-signal-safe.
    pub fn disarm(self) {
        match self {
            Self::Timer(id) => timer_delete(id),
            Self::PerfEvent(descriptor) => sys::close(descriptor),
        }
    }
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
const KNOCK_INDEX: u64 = PROCESS_INDEX - 1;
const _: () = assert!((SLOTS as u64) < KNOCK_INDEX);

impl Cookies {
    pub const fn new(random: u64) -> Self {
        Self { secret: random << INDEX_BITS }
    }

    /// For the timer of the thread with the slot `index`.
    pub fn thread(self, index: usize) -> u64 {
        self.secret | index as u64
    }

    /// For a knock of the collector.
    pub fn knock(self) -> u64 {
        self.secret | KNOCK_INDEX
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
    /// A perf event, if it is the one of the thread that has been interrupted.
    PerfEvent,
    /// The collector, who has found a thread without a timer. No tick.
    Knock,
    /// Anybody else.
    Program,
}

/// Tells our ticks from the program's own signals and from forged ones: `kill`, `sigqueue`,
/// timers of the program, another profiler. ITIMER_PROF is ours with the process clock, as there
/// is only one and its signal carries no cookie. `own`: what ticks for the interrupted thread.
/// `has_knocked`: the collector ever did; where the kernel had no memory for the queue of signals,
/// its knock has lost what it said, and looks like this. Async-signal-safe.
pub fn valid_sigprof(
    info: &SigInfo,
    cookies: Cookies,
    clock: Clock,
    has_knocked: bool,
    own: impl FnOnce() -> Option<Ticker>,
) -> Origin {
    match info.code {
        SI_KERNEL if clock == Clock::Process => Origin::ProcessItimer,
        code if clock == Clock::Perf
            && SI_DESCRIPTOR.contains(&code)
            && own() == Some(Ticker::PerfEvent(info.descriptor())) =>
        {
            Origin::PerfEvent
        }
        SI_QUEUE if info.cookie == cookies.knock() => Origin::Knock,
        SI_USER if has_knocked && info.is_from_nobody() => Origin::Knock,
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
/// process-wide timer; counting both would charge it twice. `own` is what ticks for the thread of
/// the slot: a tick of a timer that was replaced meanwhile is no sample. Async-signal-safe.
pub fn judge_sigprof(origin: Origin, timer: u32, own: Option<Ticker>) -> Delivery {
    match (origin, own) {
        (Origin::Program | Origin::Knock, _) => Delivery::NotOurs,
        (Origin::PerfEvent, _) => Delivery::Sample,
        (Origin::ThreadTimer { .. }, own) if own == Some(Ticker::Timer(timer)) => Delivery::Sample,
        (Origin::ThreadTimer { .. }, None) => Delivery::Sample, // it is being armed
        (Origin::ThreadTimer { .. }, Some(_)) => Delivery::Duplicate,
        (Origin::ProcessTimer | Origin::ProcessItimer, None) => Delivery::Sample,
        (Origin::ProcessTimer | Origin::ProcessItimer, Some(_)) => Delivery::Duplicate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::siginfo::SI_TKILL;

    const COOKIES: Cookies = Cookies::new(0x1234_5678_9abc);
    const POLL_IN: i32 = 1;
    const OWN_EVENT: i32 = 900;

    fn info(code: i32, cookie: u64) -> SigInfo {
        SigInfo { code, timer: 3, overruns: 0, cookie }
    }

    #[test]
    fn only_our_own_ticks_are_valid() {
        let (thread, process) = (COOKIES.thread(5), COOKIES.process());
        let other = Cookies::new(0x9999).thread(5);
        let cases = [
            (info(SI_TIMER, thread), Clock::Thread, Origin::ThreadTimer { index: 5 }),
            (info(SI_TIMER, thread), Clock::Process, Origin::ThreadTimer { index: 5 }),
            (info(SI_TIMER, process), Clock::Thread, Origin::ProcessTimer),
            (info(SI_TIMER, other), Clock::Thread, Origin::Program),
            (info(SI_TIMER, 0), Clock::Process, Origin::Program),
            (info(SI_KERNEL, 0), Clock::Process, Origin::ProcessItimer),
            (info(SI_KERNEL, 0), Clock::Thread, Origin::Program),
            (info(SI_KERNEL, thread), Clock::Wall, Origin::Program),
            (info(SI_USER, thread), Clock::Process, Origin::Program),
            (info(SI_QUEUE, thread), Clock::Process, Origin::Program),
            (info(SI_QUEUE, process), Clock::Perf, Origin::Program),
            (info(SI_TKILL, process), Clock::Process, Origin::Program),
            (info(POLL_IN, OWN_EVENT as u64), Clock::Perf, Origin::PerfEvent),
            (info(POLL_IN, OWN_EVENT as u64), Clock::Thread, Origin::Program),
            (info(POLL_IN, OWN_EVENT as u64 + 1), Clock::Perf, Origin::Program),
            (info(SI_USER, OWN_EVENT as u64), Clock::Perf, Origin::Program),
            (info(SI_QUEUE, COOKIES.knock()), Clock::Thread, Origin::Knock),
            (info(SI_USER, COOKIES.knock()), Clock::Thread, Origin::Program),
            (info(SI_USER, 0), Clock::Thread, Origin::Program),
        ];
        let own = || Some(Ticker::PerfEvent(OWN_EVENT));
        for (info, clock, expected) in cases {
            let origin = valid_sigprof(&info, COOKIES, clock, false, own);
            assert_eq!(origin, expected, "{info:?} with {clock:?}");
        }
    }

    #[test]
    fn a_knock_that_has_lost_its_cookie_is_one_only_if_there_was_one() {
        let lost = SigInfo { timer: 0, ..info(SI_USER, 0) };
        let origin = |info, knocked| valid_sigprof(&info, COOKIES, Clock::Thread, knocked, || None);
        assert_eq!(origin(lost, true), Origin::Knock);
        assert_eq!(origin(lost, false), Origin::Program);
        let somebody = SigInfo { timer: 4711, ..lost };
        assert_eq!(origin(somebody, true), Origin::Program);
    }

    #[test]
    fn what_ticks_survives_the_trip_through_a_word() {
        for ticker in [Ticker::Timer(0), Ticker::Timer(77), Ticker::PerfEvent(0)] {
            assert_eq!(Ticker::from_word(ticker.to_word()), Some(ticker));
        }
        assert_eq!(Ticker::from_word(0), None);
    }

    #[test]
    fn each_tick_is_a_sample_once_or_the_programs_own() {
        let thread = Origin::ThreadTimer { index: 5 };
        let cases = [
            (thread, Some(Ticker::Timer(3)), Delivery::Sample),
            (thread, Some(Ticker::Timer(4)), Delivery::Duplicate),
            (thread, Some(Ticker::PerfEvent(3)), Delivery::Duplicate),
            (thread, None, Delivery::Sample),
            (Origin::PerfEvent, Some(Ticker::PerfEvent(7)), Delivery::Sample),
            (Origin::ProcessTimer, None, Delivery::Sample),
            (Origin::ProcessTimer, Some(Ticker::Timer(3)), Delivery::Duplicate),
            (Origin::ProcessTimer, Some(Ticker::PerfEvent(7)), Delivery::Duplicate),
            (Origin::ProcessItimer, None, Delivery::Sample),
            (Origin::Program, None, Delivery::NotOurs),
            (Origin::Program, Some(Ticker::Timer(3)), Delivery::NotOurs),
        ];
        for (origin, own, expected) in cases {
            assert_eq!(judge_sigprof(origin, 3, own), expected, "{origin:?} {own:?}");
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
