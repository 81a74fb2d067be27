//! POSIX timers on the wall clock, one for each thread, whether it runs or waits. A thread that gets
//! none is not sampled: nothing else ticks for it while it waits.

use super::thread::{ThreadClock, start};
use super::{TickSource, Ticker, Times};
use crate::sys::timer::Notify;
use crate::sys::{CLOCK_MONOTONIC, Errno};

/// One timer for each thread.
pub(crate) struct WallClock {
    pub threads: ThreadClock,
}

impl TickSource for WallClock {
    fn set_process_cpu_profiler(&self, times: Times) -> Result<Option<u32>, Errno> {
        self.threads.set_process_cpu_profiler(times)
    }

    fn set_thread_cpu_profiler(
        &self,
        tid: u32,
        index: usize,
        times: Times,
    ) -> Result<Option<Ticker>, Errno> {
        let cookie = self.threads.cookies.thread(index);
        start(CLOCK_MONOTONIC, Notify::Thread(tid), cookie, times).map(Some)
    }
}
