//! How much a profile can be trusted, in one line.

use std::collections::HashSet;
use std::fmt;

use crate::gaps::gaps;
use sigspy_model::{Clock, Limits, Profile, Sample, Shortfall, StackKind};

/// What a profile covers and what it misses. `Display` is one line without its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// CPU time that the kernel charged; what samples stand for where that is unknown.
    pub cpu_ns: u64,
    /// What percentages refer to: sampled, lost, blocked and unsampled time.
    pub total_ns: u64,
    /// Samples with a stack.
    pub samples: u64,
    /// CPU time of those samples.
    pub recorded_ns: u64,
    /// CPU time of those of them whose stacks are whole.
    pub whole_ns: u64,
    /// CPU time of samples for which there was no room.
    pub lost_ns: u64,
    /// CPU time during which the program had SIGPROF blocked.
    pub blocked_ns: u64,
    /// CPU time for which no tick stands.
    pub unsampled_ns: u64,
    /// What ticked.
    pub clock: Clock,
    /// CPU time between two ticks.
    pub period_ns: u64,
    /// Threads with CPU time.
    pub threads: usize,
    /// Processes, with CPU time or without.
    pub processes: usize,
    /// Ticks that were counted but not accounted for; not zero means a defect of sigspy.
    pub unbalanced_ticks: u64,
    /// Records that made no sense.
    pub bad_records: u64,
    /// What the system did not let us do.
    pub limits: Limits,
    /// Programs that were not sampled, and why, in one phrase.
    pub gaps: Option<String>,
    pub shortfalls: Vec<Shortfall>,
}

/// Judges a profile.
pub fn quality(profile: &Profile) -> Quality {
    let accounting = &profile.accounting;
    let kind = |sample: &&_| kind(profile, sample);
    let walked = |sample: &&_| matches!(kind(sample), StackKind::Walked(_));
    let weight = |sample: &Sample| sample.weight_ns;
    let samples = || profile.samples.iter();
    let threads: HashSet<u32> = samples().map(|sample| sample.thread.0).collect();
    Quality {
        cpu_ns: match profile.meta.clock {
            Clock::Wall => accounting.total_ns(),
            _ => accounting.cpu_ns.unwrap_or(accounting.total_ns()),
        },
        total_ns: accounting.total_ns(),
        samples: samples().filter(walked).map(|sample| u64::from(sample.ticks)).sum(),
        recorded_ns: samples().filter(walked).map(weight).sum(),
        whole_ns: samples().filter(|sample| kind(sample).is_whole()).map(weight).sum(),
        lost_ns: accounting.lost_ns,
        blocked_ns: accounting.blocked_ns,
        unsampled_ns: accounting.unsampled_ns,
        clock: profile.meta.clock,
        period_ns: profile.meta.period_ns,
        threads: threads.len(),
        processes: profile.processes.len(),
        unbalanced_ticks: accounting.unbalanced_ticks,
        bad_records: accounting.bad_records,
        limits: accounting.limits,
        gaps: gaps(profile),
        shortfalls: profile.shortfalls.clone(),
    }
}

fn kind(profile: &Profile, sample: &Sample) -> StackKind {
    profile.stack(sample.stack).kind
}

impl Quality {
    /// The part of the CPU time with a stack in which the stack is whole; 1 without any.
    pub fn whole_share(&self) -> f64 {
        if self.recorded_ns == 0 { 1.0 } else { self.whole_ns as f64 / self.recorded_ns as f64 }
    }

    /// The part of the total for which there is no whole stack: lost, blocked or unsampled time, and
    /// stacks that are cut; 1 if there is no time at all.
    pub fn loss(&self) -> f64 {
        1.0 - self.share(self.whole_ns)
    }

    /// What the clock can tell and what it cannot, in one sentence.
    pub fn clock_note(&self) -> &'static str {
        match self.clock {
            Clock::Thread => {
                "clock: CPU timers of threads; the kernel looks at them at its own tick, so work in \
                 step with that tick is seen too often or not at all (--clock perf is not)"
            }
            Clock::Process => {
                "clock: ITIMER_PROF of the process; it charges whichever thread runs when it expires"
            }
            Clock::Perf if self.limits.without_kernel > 0 => {
                "clock: perf events of threads, blind in the kernel: its time is charged to what \
                 the program does next"
            }
            Clock::Perf => "clock: perf events of threads, in the program and in the kernel",
            Clock::Wall => {
                "clock: wall time of threads, running or waiting; it may interrupt system calls \
                 (EINTR)"
            }
        }
    }

    /// The part of the total that `part_ns` is; 0 of nothing.
    pub fn share(&self, part_ns: u64) -> f64 {
        share(part_ns, self.total_ns)
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part_ns| percent(self.share(part_ns));
        let what = if self.clock == Clock::Wall { "wall time of threads" } else { "CPU" };
        write!(f, "{} s {what}, ", seconds(self.cpu_ns))?;
        write!(f, "{}, ", plural(self.samples as usize, "sample", "samples"))?;
        write!(f, "{} whole stacks, ", percent(self.whole_share()))?;
        write!(f, "{} lost, {} blocked, ", part(self.lost_ns), part(self.blocked_ns))?;
        write!(f, "{} unsampled, ", part(self.unsampled_ns))?;
        let clock = match self.clock {
            Clock::Thread => "thread clocks",
            Clock::Process => "process clock",
            Clock::Perf => "perf clocks",
            Clock::Wall => "wall clocks",
        };
        write!(f, "{clock} at {}, ", rate(self.period_ns))?;
        write!(f, "{}, ", plural(self.threads, "thread", "threads"))?;
        f.write_str(&plural(self.processes, "process", "processes"))
    }
}

/// The part of `total` that `part` is; 0 of nothing.
pub fn share(part: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { part as f64 / total as f64 }
}

/// `0.1234` as `12.3 %`. Neither "all" nor "nothing" is claimed by rounding.
pub fn percent(share: f64) -> String {
    match share {
        s if 0.0 < s && s < 0.0005 => "<0.1 %".to_owned(),
        0.9995..1.0 => "99.9 %".to_owned(),
        s => format!("{:.1} %", s * 100.0),
    }
}

/// Seconds with milliseconds.
pub fn seconds(ns: u64) -> String {
    format!("{:.3}", ns as f64 / 1e9)
}

/// Ticks in a second of CPU time.
fn rate(period_ns: u64) -> String {
    if period_ns == 0 {
        return "an unknown rate".to_owned();
    }
    let hertz = 1e9 / period_ns as f64;
    let digits = usize::from((hertz - hertz.round()).abs() > 0.05);
    format!("{hertz:.digits$} Hz")
}

/// `1 thread`, `2 threads`.
pub fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Builder;
    use sigspy_model::Stop;

    #[test]
    fn a_profile_is_judged_in_one_line_by_cpu_time() {
        let mut builder = Builder::new();
        builder.sample(&["main"], 6_000_000_000).stopped(Stop::NoTable, &["jit"], 2_000_000_000);
        builder.thread("app", 1, "worker", 2);
        builder.stackless(StackKind::Lost, 1_000_000_000);
        builder.stackless(StackKind::Blocked, 500_000_000);
        builder.stackless(StackKind::Unsampled, 500_000_000);
        let expected = "10.000 s CPU, 2 samples, 75.0 % whole stacks, 10.0 % lost, 5.0 % blocked, \
                        5.0 % unsampled, thread clocks at 100 Hz, 2 threads, 1 process";
        assert_eq!(quality(&builder.profile).to_string(), expected);
    }

    #[test]
    fn an_empty_profile_is_judged_too() {
        let expected = "0.000 s CPU, 0 samples, 100.0 % whole stacks, 0.0 % lost, 0.0 % blocked, \
                        0.0 % unsampled, thread clocks at 100 Hz, 0 threads, 1 process";
        assert_eq!(quality(&Builder::new().profile).to_string(), expected);
    }

    #[test]
    fn rounding_claims_neither_all_nor_nothing() {
        let table = [
            (0.0, "0.0 %"),
            (0.0004, "<0.1 %"),
            (0.0005, "0.1 %"),
            (0.123, "12.3 %"),
            (0.9996, "99.9 %"),
            (1.0, "100.0 %"),
        ];
        for (share, expected) in table {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn a_rate_is_told_as_it_was_asked_for() {
        assert_eq!(rate(10_309_278), "97 Hz");
        assert_eq!(rate(1_003_009), "997 Hz");
        assert_eq!(rate(400_000_000), "2.5 Hz");
        assert_eq!(rate(0), "an unknown rate");
    }
}
