//! Why profiles should not be compared, or with care.

use std::collections::BTreeSet;

use sigspy_model::{Clock, Profile, Shortfall};

use crate::functions::Input;

/// More lost time than this makes a run useless for comparison: share of all.
const LOST: f64 = 0.01;

/// What should be known before the difference of two sides is believed, in sentences.
pub fn doubts(base: &[Input<'_>], head: &[Input<'_>]) -> Vec<String> {
    let inputs = || base.iter().chain(head).map(|input| input.profile);
    let differ = |what: &str, count: usize| {
        (count > 1).then(|| format!("{what}, so times differ for more reasons than the program"))
    };
    let machines = [
        differ("runs are from several hosts", distinct(inputs(), |profile| &profile.meta.host)),
        differ("runs are from several kernels", distinct(inputs(), |profile| &profile.meta.kernel)),
        differ("runs were sampled by several clocks", distinct(inputs(), clock)),
    ];
    let faults = faults(base, head).into_iter().map(Some);
    machines.into_iter().chain(faults).flatten().collect()
}

/// What makes runs useless for comparison, in sentences.
pub fn faults(base: &[Input<'_>], head: &[Input<'_>]) -> Vec<String> {
    let of_side = |side: &str, inputs: &[Input<'_>]| -> Vec<String> {
        let runs = inputs.iter().enumerate();
        runs.flat_map(|(run, input)| {
            faults_of(&format!("run {} of {side}", run + 1), input.profile)
        })
        .collect()
    };
    [of_side("the base", base), of_side("the head", head)].concat()
}

fn faults_of(run: &str, profile: &Profile) -> Vec<String> {
    let accounting = &profile.accounting;
    let lost = accounting.lost_ns as f64 / accounting.total_ns().max(1) as f64;
    let lost = (lost > LOST).then(|| {
        format!("{run} has lost {:.1} % of its samples; record at a lower rate", lost * 100.0)
    });
    let failed = profile.meta.exit_code.filter(|code| *code != 0);
    let failed = failed.map(|code| format!("{run} has failed with exit status {code}"));
    let damaged = profile.shortfalls.iter().map(|shortfall| match shortfall {
        Shortfall::CutShort => format!("{run} ends early: the recording was cut"),
        Shortfall::Damaged { .. } => format!("{run} is damaged, and samples are missing"),
    });
    lost.into_iter().chain(failed).chain(damaged).collect()
}

fn distinct<'a, T: Ord>(
    profiles: impl Iterator<Item = &'a Profile>,
    of: impl Fn(&'a Profile) -> T,
) -> usize {
    profiles.map(of).collect::<BTreeSet<_>>().len()
}

/// Something that can be sorted.
fn clock(profile: &Profile) -> u8 {
    match profile.meta.clock {
        Clock::Thread => 0,
        Clock::Process => 1,
        Clock::Perf => 2,
        Clock::Wall => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Run, Side};

    #[test]
    fn runs_that_failed_or_lost_samples_are_told() {
        let mut failed = Run::of("app").samples(&["main"], 100);
        failed.profile.meta.exit_code = Some(3);
        failed.profile.meta.host = "other".to_owned();
        let mut lost = Run::of("app").samples(&["main"], 100);
        lost.profile.accounting.lost_ns = 20_000_000;
        lost.profile.shortfalls.push(Shortfall::CutShort);
        let (base, head) = (Side::of([Run::of("app"), failed]), Side::of([lost]));
        let faults = faults(&base.inputs(), &head.inputs());
        let expected = [
            "run 2 of the base has failed with exit status 3",
            "run 1 of the head has lost 2.0 % of its samples; record at a lower rate",
            "run 1 of the head ends early: the recording was cut",
        ];
        assert_eq!(faults, expected);
        let doubts = doubts(&base.inputs(), &head.inputs());
        assert_eq!(doubts.len(), 4);
        assert!(doubts[0].starts_with("runs are from several hosts"), "{doubts:?}");
    }

    #[test]
    fn equal_runs_give_no_doubts() {
        let side = Side::of([Run::of("app").samples(&["main"], 100)]);
        assert_eq!(doubts(&side.inputs(), &side.inputs()), Vec::<String>::new());
    }
}
