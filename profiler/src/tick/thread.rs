//! POSIX timers on the CPU time of each thread. Exact: an expiry that cannot be delivered in
//! time is counted as an overrun, so period x (1 + overruns) is the time since the last one.

use super::{Cookies, TickSource, Times};
use crate::sys::{self, CLOCK_PROCESS_CPUTIME, Errno, Notify};

/// One timer for the process and one for each thread that it has found.
pub(crate) struct ThreadClock {
    pub cookies: Cookies,
}

impl TickSource for ThreadClock {
    fn set_process_cpu_profiler(&self, times: Times) -> Result<(), Errno> {
        let cookie = self.cookies.process();
        start(CLOCK_PROCESS_CPUTIME, Notify::Process, cookie, times).map(drop)
    }

    fn set_thread_cpu_profiler(
        &self,
        tid: u32,
        index: usize,
        times: Times,
    ) -> Result<Option<u32>, Errno> {
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

fn start(clock: i32, notify: Notify, cookie: u64, times: Times) -> Result<u32, Errno> {
    let timer = sys::timer_create(clock, notify, cookie)?;
    sys::timer_start(timer, times.first_ns, times.period_ns)
        .inspect_err(|_| sys::timer_delete(timer))?;
    Ok(timer)
}
