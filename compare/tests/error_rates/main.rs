//! How often the gate is wrong, on made-up runs with known noise: always the same ones.

mod profile;
mod trial;
mod world;

use trial::{Outcome, trial};
use world::{CROWDED, Change, DRIFTING, NOISY, Noise, Plan, QUIET};

/// How many of 300 may fail: the 99 % limit of the binomial distribution for a true rate of 1 %.
const TRIALS: u64 = 300;
const MOST_FALSE: usize = 8;

fn plan(noise: Noise) -> Plan {
    Plan { noise, rate: 997.0, cpu_s: 60.0, runs: 5, share: 0.02 }
}

/// Runs so short that few functions can be compared, with most of the time in one of them.
fn short(noise: Noise) -> Plan {
    Plan { noise, rate: 250.0, cpu_s: 4.0, runs: 5, share: 0.4 }
}

fn failed(plan: &Plan, change: Change) -> usize {
    (0..TRIALS).filter(|seed| trial(*seed, plan, change).fails()).count()
}

fn found(plan: &Plan, change: Change, found: fn(&Outcome) -> bool) -> usize {
    (0..100).filter(|seed| found(&trial(1000 + seed, plan, change))).count()
}

#[test]
fn unchanged_programs_pass_on_a_quiet_machine() {
    let failed = failed(&plan(QUIET), Change::Nothing);
    assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
}

#[test]
fn unchanged_programs_pass_on_a_noisy_machine() {
    let failed = failed(&plan(NOISY), Change::Nothing);
    assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
}

#[test]
fn a_function_of_two_percent_that_is_a_fifth_slower_is_found() {
    let found = found(&plan(QUIET), Change::Function(1.2), Outcome::finds_function);
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn a_program_that_is_slower_everywhere_is_found_by_its_total() {
    let found = found(&plan(QUIET), Change::All(1.2), Outcome::finds_total);
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn unchanged_programs_pass_in_short_runs() {
    for noise in [QUIET, NOISY, CROWDED] {
        let failed = failed(&short(noise), Change::Nothing);
        assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
    }
}

#[test]
fn short_runs_show_what_most_of_the_time_goes_to() {
    let found = found(&short(QUIET), Change::Function(1.5), Outcome::finds_function);
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn no_other_function_is_blamed_for_one_that_is_slower() {
    for noise in [QUIET, CROWDED] {
        let is_wrong =
            |seed: &u64| trial(*seed, &short(noise), Change::Function(1.5)).blames_another();
        let wrong = (0..TRIALS).filter(is_wrong).count();
        assert!(wrong <= MOST_FALSE, "{wrong} of {TRIALS}");
    }
}

#[test]
fn cost_that_moved_to_another_function_fails_nothing() {
    for noise in [QUIET, NOISY] {
        for (share, change) in [(0.02, Change::FromCaller(0.8)), (0.1, Change::ToCaller(0.7))] {
            let failed = failed(&Plan { cpu_s: 1.5, share, ..short(noise) }, change);
            assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}, {change:?}");
        }
    }
}

/// Many runs of a few seconds, which are compared in pairs.
fn many() -> Plan {
    Plan { runs: 20, ..short(DRIFTING) }
}

#[test]
fn unchanged_programs_pass_on_a_machine_whose_speed_drifts() {
    let failed = failed(&many(), Change::Nothing);
    assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
}

#[test]
fn pairs_of_runs_show_what_the_drift_of_a_machine_would_hide() {
    let found = found(&many(), Change::Function(1.15), Outcome::finds_function);
    assert!(found >= 90, "{found} of 100");
}
