//! How often the gate is wrong, on made-up runs with known noise: always the same ones.

mod profile;
mod trial;
mod world;

use trial::{Outcome, trial};
use world::{CROWDED, DRIFTING, NOISY, Noise, Plan, QUIET};

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

fn failed(plan: &Plan) -> usize {
    (0..TRIALS).filter(|seed| trial(*seed, plan, 1.0, 1.0).fails()).count()
}

fn found(plan: &Plan, factor: f64, total: f64, found: fn(&Outcome) -> bool) -> usize {
    (0..100).filter(|seed| found(&trial(1000 + seed, plan, factor, total))).count()
}

#[test]
fn unchanged_programs_pass_on_a_quiet_machine() {
    let failed = failed(&plan(QUIET));
    assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
}

#[test]
fn unchanged_programs_pass_on_a_noisy_machine() {
    let failed = failed(&plan(NOISY));
    assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
}

#[test]
fn a_function_of_two_percent_that_is_a_fifth_slower_is_found() {
    let found = found(&plan(QUIET), 1.2, 1.0, Outcome::finds_function);
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn a_program_that_is_slower_everywhere_is_found_by_its_total() {
    let found = found(&plan(QUIET), 1.0, 1.2, Outcome::finds_total);
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn unchanged_programs_pass_in_short_runs() {
    for noise in [QUIET, NOISY, CROWDED] {
        let failed = failed(&short(noise));
        assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
    }
}

#[test]
fn short_runs_show_what_most_of_the_time_goes_to() {
    let found = found(&short(QUIET), 1.5, 1.0, Outcome::finds_function);
    assert!(found >= 90, "{found} of 100");
}

#[test]
fn no_other_function_is_blamed_for_one_that_is_slower() {
    for noise in [QUIET, CROWDED] {
        let is_wrong = |seed: &u64| trial(*seed, &short(noise), 1.5, 1.0).blames_another();
        let wrong = (0..TRIALS).filter(is_wrong).count();
        assert!(wrong <= MOST_FALSE, "{wrong} of {TRIALS}");
    }
}

/// Many runs of a few seconds, which are compared in pairs.
fn many() -> Plan {
    Plan { runs: 20, ..short(DRIFTING) }
}

#[test]
fn unchanged_programs_pass_on_a_machine_whose_speed_drifts() {
    let failed = failed(&many());
    assert!(failed <= MOST_FALSE, "{failed} of {TRIALS}");
}

#[test]
fn pairs_of_runs_show_what_the_drift_of_a_machine_would_hide() {
    let found = found(&many(), 1.15, 1.0, Outcome::finds_function);
    assert!(found >= 90, "{found} of 100");
}
