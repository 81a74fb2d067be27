//! POSIX timers on the CPU time of each thread. Exact: an expiry that cannot be delivered in
//! time is counted as an overrun, so period x (1 + overruns) is the time since the last one.

use super::{Cookies, TickSource, Ticker, Times};
use crate::sys::timer::{Notify, timer_create, timer_delete, timer_start};
use crate::sys::{CLOCK_PROCESS_CPUTIME, Errno};

/// One timer for the process and one for each thread that it has found.
pub(crate) struct ThreadClock {
    pub cookies: Cookies,
}

impl TickSource for ThreadClock {
    /// Not started: a signal for the process that comes while a handler runs wakes another
    /// thread, which sees its system call interrupted. So this is for the case of need.
    fn set_process_cpu_profiler(&self, _times: Times) -> Result<Option<u32>, Errno> {
        timer_create(CLOCK_PROCESS_CPUTIME, Notify::Process, self.cookies.process()).map(Some)
    }

    fn set_thread_cpu_profiler(
        &self,
        tid: u32,
        index: usize,
        times: Times,
    ) -> Result<Option<Ticker>, Errno> {
        let cookie = self.cookies.thread(index);
        start(clock_of(tid), Notify::Thread(tid), cookie, times).map(Some)
    }
}

/// The CPU clock of a thread: `((!tid) << 3) | CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED`.
///
/// Source: linux/include/linux/posix-timers_types.h, make_thread_cpuclock.
fn clock_of(tid: u32) -> i32 {
    const PER_THREAD_SCHED: i32 = 4 | 2;
    (!(tid as i32)) << 3 | PER_THREAD_SCHED
}

/// Creates a timer and starts it. Async-signal-safe.
pub(super) fn start(
    clock: i32,
    notify: Notify,
    cookie: u64,
    times: Times,
) -> Result<Ticker, Errno> {
    let timer = timer_create(clock, notify, cookie)?;
    timer_start(timer, times.first_ns, times.period_ns).inspect_err(|_| timer_delete(timer))?;
    Ok(Ticker::Timer(timer))
}
