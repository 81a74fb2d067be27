//! What is wrong with a profile, and what to do about it.

use sigspy_model::{Clock, Shortfall};

use crate::quality::{Quality, percent, plural, seconds};

/// Less than this share of whole stacks is worth a warning.
const WHOLE: f64 = 0.99;
/// More than these shares of the CPU time are.
const LOST: f64 = 0.001;
const BLOCKED: f64 = 0.01;
const UNSAMPLED: f64 = 0.05;
/// Unsampled time below so many periods is what chance leaves over.
const CHANCE_PERIODS: u64 = 5;
/// With fewer samples, shares are guesses.
const FEW: u64 = 100;

impl Quality {
    /// One sentence for each thing that makes the profile less than it should be, with what to
    /// do about it. Empty for a good profile.
    pub fn warnings(&self) -> Vec<String> {
        let samples = [
            self.too_few(),
            self.not_whole(),
            self.too_much_lost(),
            self.too_much_blocked(),
            self.too_much_unsampled(),
            self.biased_clock(),
            self.unseen(),
            self.without_timers(),
            self.without_events(),
            self.blind_events(),
            self.forks(),
        ];
        let faults = [self.unbalanced(), self.bad_records()];
        let shortfalls = self.shortfalls.iter().map(shortfall);
        samples.into_iter().chain(faults).flatten().chain(shortfalls).collect()
    }

    fn too_few(&self) -> Option<String> {
        let samples = plural(self.samples as usize, "sample", "samples");
        (1..FEW).contains(&self.samples).then(|| {
            format!(
                "only {samples} had a stack, so shares are uncertain (see the intervals); \
                 record for longer, or at a higher rate"
            )
        })
    }

    fn not_whole(&self) -> Option<String> {
        (self.whole_share() < WHOLE).then(|| {
            format!(
                "{} of the stacks are not whole (frames \"[incomplete: ...]\" say why), so callers \
                 may show less time than they have; compile with unwind tables \
                 (-fasynchronous-unwind-tables) or frame pointers",
                percent(1.0 - self.whole_share())
            )
        })
    }

    fn too_much_lost(&self) -> Option<String> {
        (self.share(self.lost_ns) > LOST).then(|| {
            format!(
                "{} of the CPU time was lost, as samples came faster than they could be read; \
                 record at a lower rate, or leave sigspy more CPU time",
                percent(self.share(self.lost_ns))
            )
        })
    }

    fn too_much_blocked(&self) -> Option<String> {
        (self.share(self.blocked_ns) > BLOCKED).then(|| {
            format!(
                "during {} of the CPU time the program had SIGPROF blocked, so it is not known \
                 what ran; keep SIGPROF unblocked to see it",
                percent(self.share(self.blocked_ns))
            )
        })
    }

    fn too_much_unsampled(&self) -> Option<String> {
        let by_chance = CHANCE_PERIODS * self.period_ns * self.processes.max(1) as u64;
        let much = self.share(self.unsampled_ns) > UNSAMPLED && self.unsampled_ns > by_chance;
        much.then(|| {
            format!(
                "no tick stands for {} s of CPU time ({}), as happens with processes that live for \
                 less than a period or start before sampling does, and where programs share busy \
                 processors and often give them up; record at a higher rate, or with --clock perf",
                seconds(self.unsampled_ns),
                percent(self.share(self.unsampled_ns))
            )
        })
    }

    fn biased_clock(&self) -> Option<String> {
        (self.clock == Clock::Process).then(|| {
            "the clock of the whole process was used, which charges whichever thread runs when it \
             expires, so shares of threads are less exact; prefer the clocks of threads where they \
             are to be had"
                .to_owned()
        })
    }

    fn unseen(&self) -> Option<String> {
        let gaps = self.gaps.as_ref()?;
        Some(format!("{gaps}; `sigspy report` lists them, and their time is [unsampled]"))
    }

    fn without_timers(&self) -> Option<String> {
        let timers = plural(self.limits.timer_failures as usize, "timer", "timers");
        (self.limits.timer_failures > 0).then(|| {
            format!(
                "{timers} could not be created, as RLIMIT_SIGPENDING is used up, and the clock of \
                 the whole process stood in; raise it with `ulimit -i` for exact shares of threads"
            )
        })
    }

    fn without_events(&self) -> Option<String> {
        let events = plural(self.limits.perf_failures as usize, "perf event", "perf events");
        (self.limits.perf_failures > 0).then(|| {
            format!(
                "{events} could not be opened, and timers stood in; see \
                 /proc/sys/kernel/perf_event_paranoid, RLIMIT_NOFILE and seccomp, or use --clock \
                 thread"
            )
        })
    }

    fn blind_events(&self) -> Option<String> {
        (self.limits.without_kernel > 0).then(|| {
            "perf events may not see the kernel here, so the time of system calls is charged to \
             what the program does next; set /proc/sys/kernel/perf_event_paranoid to 1, or use \
             --clock thread"
                .to_owned()
        })
    }

    fn forks(&self) -> Option<String> {
        let children = plural(self.limits.unentered_forks as usize, "child", "children");
        (self.limits.unentered_forks > 0).then(|| {
            format!(
                "{children} of fork could not be sampled, as too many of one family lived at the \
                 same time; their time is [unsampled]"
            )
        })
    }

    fn unbalanced(&self) -> Option<String> {
        let ticks = plural(self.unbalanced_ticks as usize, "tick is", "ticks are");
        (self.unbalanced_ticks > 0).then(|| {
            format!("{ticks} unaccounted for, which is a defect of sigspy; please report it")
        })
    }

    fn bad_records(&self) -> Option<String> {
        let records = plural(self.bad_records as usize, "record", "records");
        (self.bad_records > 0).then(|| {
            format!(
                "{records} made no sense and were left out, as happens when the program writes to \
                 memory that is not its own; look for memory errors in it"
            )
        })
    }
}

fn shortfall(shortfall: &Shortfall) -> String {
    match shortfall {
        Shortfall::CutShort => {
            "the recording ends early: sigspy was killed, or the disk was full; \
             what happened afterwards is missing, so record again if it matters"
                .to_owned()
        }
        Shortfall::Damaged { bytes } => format!(
            "{bytes} bytes of the recording are damaged, and their samples are missing; use an \
             intact copy if there is one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Builder;
    use crate::quality::quality;
    use sigspy_model::{StackKind, Stop};

    /// A profile without fault: 1000 samples in 10 s.
    fn good() -> Builder {
        let mut builder = Builder::new();
        for _ in 0..1000 {
            builder.sample(&["main"], 10_000_000);
        }
        builder
    }

    fn warnings(builder: &Builder) -> Vec<String> {
        quality(&builder.profile).warnings()
    }

    /// The only warning starts so.
    #[track_caller]
    fn assert_warns(builder: &Builder, start: &str) {
        let warnings = warnings(builder);
        assert!(matches!(&warnings[..], [one] if one.starts_with(start)), "{warnings:?}");
    }

    #[test]
    fn a_good_profile_has_no_warnings() {
        assert_eq!(warnings(&good()), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_told_when_it_is_much() {
        let with = |kind, ns| {
            let mut builder = good();
            builder.stackless(kind, ns);
            builder
        };
        assert_eq!(warnings(&with(StackKind::Lost, 10_000_000)), Vec::<String>::new());
        assert_warns(&with(StackKind::Lost, 20_000_000), "0.2 % of the CPU time was lost");
        assert_eq!(warnings(&with(StackKind::Blocked, 90_000_000)), Vec::<String>::new());
        assert_warns(&with(StackKind::Blocked, 200_000_000), "during 2.0 % of the CPU time");
        assert_eq!(warnings(&with(StackKind::Unsampled, 500_000_000)), Vec::<String>::new());
        let unsampled = "no tick stands for 1.000 s of CPU time (9.1 %)";
        assert_warns(&with(StackKind::Unsampled, 1_000_000_000), unsampled);
    }

    #[test]
    fn stacks_that_are_not_whole_are_told() {
        let mut builder = good();
        builder.stopped(Stop::NoTable, &["jit"], 200_000_000);
        assert_warns(&builder, "2.0 % of the stacks are not whole");
    }

    #[test]
    fn a_short_program_is_told_about_samples_but_not_about_chance() {
        let mut builder = Builder::new();
        builder.sample(&["main"], 10_000_000).stackless(StackKind::Unsampled, 9_000_000);
        assert_warns(&builder, "only 1 sample had a stack");
    }

    #[test]
    fn the_bias_of_the_process_clock_is_told() {
        let mut builder = good();
        builder.profile.meta.clock = Clock::Process;
        assert_warns(&builder, "the clock of the whole process was used");
    }

    #[test]
    fn faults_are_told() {
        let mut builder = good();
        builder.profile.accounting.unbalanced_ticks = 1;
        assert_warns(&builder, "1 tick is unaccounted for");
        builder.profile.accounting.unbalanced_ticks = 0;
        builder.profile.accounting.bad_records = 2;
        assert_warns(&builder, "2 records made no sense");
    }

    #[test]
    fn a_recording_that_is_not_whole_says_so() {
        let mut builder = good();
        builder.profile.shortfalls = vec![Shortfall::CutShort];
        assert_warns(&builder, "the recording ends early");
        builder.profile.shortfalls = vec![Shortfall::Damaged { bytes: 12 }];
        assert_warns(&builder, "12 bytes of the recording are damaged");
    }
}
