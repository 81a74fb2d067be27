//! `setitimer(ITIMER_PROF)`: one timer for all threads, on every Unix. It does not count its
//! overruns, so the handler weighs a tick by the process's CPU time since the last one.

use super::{TickSource, first_delay_ns};
use crate::sys::{self, Errno};

/// The one timer.
pub(crate) struct ProcessClock;

impl TickSource for ProcessClock {
    fn set_process_cpu_profiler(&self, period_ns: u64, random: u64) -> Result<(), Errno> {
        sys::set_profiling_itimer(first_delay_ns(period_ns, random), period_ns)
    }

    fn set_thread_cpu_profiler(
        &self,
        _tid: u32,
        _index: usize,
        _period_ns: u64,
        _random: u64,
    ) -> Result<Option<u32>, Errno> {
        Ok(None)
    }
}
