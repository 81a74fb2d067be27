//! Where the CPU time of a profile went: every nanosecond is in exactly one place.

use std::ops::AddAssign;

/// CPU time in nanoseconds, summed over all processes of a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// What the kernel charged, `None` where it could not be read.
    pub cpu_ns: Option<u64>,
    /// Weight of all samples with a stack, whole or not.
    pub recorded_ns: u64,
    /// Weight of samples dropped because every lane was full or busy.
    pub lost_ns: u64,
    /// Time during which the program had SIGPROF blocked.
    pub blocked_ns: u64,
    /// CPU time that no tick stands for: before the agent was ready, in threads shorter than a
    /// period, after a last tick.
    pub unsampled_ns: u64,
    /// Ticks whose counts in shared memory do not add up; not zero means a defect of sigspy.
    pub unbalanced_ticks: u64,
    /// Records that the collector could not make sense of.
    pub bad_records: u64,
    pub limits: Limits,
}

impl Accounting {
    /// The total that percentages refer to: sampled, lost, blocked and unsampled time together.
    pub fn total_ns(&self) -> u64 {
        self.recorded_ns + self.lost_ns + self.blocked_ns + self.unsampled_ns
    }
}

/// What the system did not let the agents do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Timers that could not be made, as RLIMIT_SIGPENDING was used up.
    pub timer_failures: u64,
    /// Perf events that could not be opened: timers stood in.
    pub perf_failures: u64,
    /// Perf events that do not count what the kernel does.
    pub without_kernel: u64,
    /// Children of fork that were too many to be sampled.
    pub unentered_forks: u64,
}

impl AddAssign for Limits {
    fn add_assign(&mut self, other: Self) {
        let Self { timer_failures, perf_failures, without_kernel, unentered_forks } = other;
        self.timer_failures += timer_failures;
        self.perf_failures += perf_failures;
        self.without_kernel += without_kernel;
        self.unentered_forks += unentered_forks;
    }
}

/// A way in which a recording is less than it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The file ends before the recording did: sigspy was killed, or the disk was full.
    CutShort,
    /// So many bytes in the middle of the file could not be read.
    Damaged { bytes: u64 },
}
