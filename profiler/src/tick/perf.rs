//! Perf events on the task clock of each thread. The kernel's high-resolution timers drive them, so
//! their ticks do not fall together with the kernel's own, and the rate is not bounded by it.
//!
//! The first tick comes after a random part of the period, and sets the period.
//! Several expiries within one system call are one signal: a tick is weighed by what the thread
//! has used since the last one, never by the number of signals. Where the kernel refuses, a timer
//! stands in, as with [`ThreadClock`].

use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::control::Control;

use super::thread::ThreadClock;
use super::{TickSource, Ticker, Times};
use crate::sys::Errno;
use crate::sys::perf::open_task_clock;

/// A program that may have hardly more files than this needs them itself.
const FEW_DESCRIPTORS: usize = 192;

/// One event for each thread.
pub(crate) struct PerfClock<'a> {
    pub threads: ThreadClock,
    pub control: &'a Control,
    /// The lowest number for descriptors of events.
    pub lowest: usize,
}

impl TickSource for PerfClock<'_> {
    fn set_process_cpu_profiler(&self, times: Times) -> Result<Option<u32>, Errno> {
        self.threads.set_process_cpu_profiler(times)
    }

    fn set_thread_cpu_profiler(
        &self,
        tid: u32,
        index: usize,
        times: Times,
    ) -> Result<Option<Ticker>, Errno> {
        // Faster than this it would do nothing else.
        const SHORTEST_NS: u64 = 100_000;
        let first_ns = times.first_ns.max(SHORTEST_NS);
        let open = |without_kernel| {
            open_task_clock(tid, first_ns, without_kernel, self.lowest)
                .map(|event| Some(Ticker::PerfEvent(event)))
        };
        if self.lowest < FEW_DESCRIPTORS {
            self.control.perf_failures.fetch_add(1, Relaxed);
            return self.threads.set_thread_cpu_profiler(tid, index, times);
        }
        let event = open(false).or_else(|_| {
            open(true).inspect(|_| {
                self.control.without_kernel.fetch_add(1, Relaxed);
            })
        });
        event.or_else(|_| {
            self.control.perf_failures.fetch_add(1, Relaxed);
            self.threads.set_thread_cpu_profiler(tid, index, times)
        })
    }
}
