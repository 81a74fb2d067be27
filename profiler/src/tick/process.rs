//! `setitimer(ITIMER_PROF)`: one timer for all threads, on every Unix. It does not count its
//! overruns, so the handler weighs a tick by the process's CPU time since the last one.

use super::{TickSource, Ticker, Times};
use crate::sys::Errno;
use crate::sys::timer::set_profiling_itimer;

/// The one timer.
pub(crate) struct ProcessClock;

impl TickSource for ProcessClock {
    fn set_process_cpu_profiler(&self, times: Times) -> Result<Option<u32>, Errno> {
        set_profiling_itimer(times.first_ns, times.period_ns).map(|()| None)
    }

    fn set_thread_cpu_profiler(
        &self,
        _tid: u32,
        _index: usize,
        _times: Times,
    ) -> Result<Option<Ticker>, Errno> {
        Ok(None)
    }
}
