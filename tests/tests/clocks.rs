//! What the clocks measure, where each of them is blind, and that it says so.

use std::fs;
use std::process::Command;

use sigspy_tests::{Folded, Recorded, export, processors, program, record_with, run, sigspy};

/// Whether perf events that see the kernel are to be had. Where they are not, the tests look at what
/// sigspy says about it.
fn perf_is_permitted() -> bool {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let strict = paranoid.trim().parse::<i32>().is_ok_and(|level| level > 1);
    !paranoid.is_empty() && (!strict || nix::unistd::geteuid().is_root())
}

fn in_step(clock: &str) -> (f64, f64, Recorded) {
    let _turn = processors();
    let command = [program("in_step.c").path.into_os_string(), "3".into()];
    let recorded = record_with(&["-F", "997", "--clock", clock], command).expect(0);
    let number = |name| recorded.outcome.number(name) as f64;
    let truth = number("after_tick") / (number("after_tick") + number("around_tick"));
    let folded = recorded.folded();
    let (after, around) = (folded.weight_of("after_tick"), folded.weight_of("around_tick"));
    (truth, after as f64 / (after + around).max(1) as f64, recorded)
}

/// 3000 samples: a standard error of 0.9 points.
#[test]
fn perf_events_are_right_about_work_in_step_with_the_kernels_tick() {
    if !perf_is_permitted() {
        println!("perf events may not see the kernel here: nothing to compare");
        return;
    }
    let (truth, seen, recorded) = in_step("perf");
    assert!((truth - seen).abs() < 0.03, "{seen} instead of {truth}\n{}", recorded.outcome);
    assert!(recorded.report().contains("clock: perf events of threads"), "{}", recorded.report());
}

#[test]
fn timers_of_threads_are_not_and_say_so() {
    let (truth, seen, recorded) = in_step("thread");
    assert!(truth > 0.2, "the program is not in step: {truth}\n{}", recorded.outcome);
    // It is the known bias that is shown here: a tick is never in what runs right behind it.
    assert!(seen < truth / 2.0, "{seen} instead of {truth}\n{}", recorded.outcome);
    assert!(recorded.report().contains("work in step with that tick"), "{}", recorded.report());
    // The total is right all the same.
    let total = recorded.folded().total() as f64 / recorded.outcome.number("total") as f64;
    assert!((0.99..1.01).contains(&total), "{total}\n{}", recorded.outcome);
}

#[test]
fn perf_events_give_right_totals() {
    let _turn = processors();
    let command = [program("phases.c")];
    let recorded = record_with(&["-F", "1999", "--clock", "perf"], command).expect(5);
    let total = recorded.outcome.number("total") as f64;
    let off = recorded.folded().total() as f64 / total - 1.0;
    assert!(off.abs() < 0.005, "off by {off}\n{}", recorded.outcome);
    if perf_is_permitted() {
        let exported = run(export(&recorded.path).args(["--unit", "ticks"])).expect(0);
        let samples = Folded::parse(&exported.text(), 1).expect("folded stacks").total() as f64;
        // One for each expiry, also between two ticks of the kernel.
        assert!(samples > 0.9 * total * 1999e-9, "{samples} samples\n{}", recorded.outcome);
    } else {
        let says = &recorded.outcome.stderr;
        assert!(says.contains("perf events may not see") || says.contains("stood in"), "{says}");
    }
}

#[test]
fn the_clock_is_named() {
    let _turn = processors();
    let named = |options: &[&str]| {
        let recorded = record_with(options, [program("phases.c")]).expect(5);
        let words = ["thread clocks", "process clock", "perf clocks", "wall clocks"];
        let found = words.iter().find(|words| recorded.outcome.summary().contains(**words));
        found.map(|words| (*words).to_owned()).unwrap_or_default()
    };
    assert_eq!(named(&[]), "thread clocks");
    assert_eq!(named(&["-F", "97", "--clock", "auto"]), "thread clocks");
    assert_eq!(named(&["-F", "1999"]), "thread clocks");
    assert_eq!(named(&["--clock", "perf"]), "perf clocks");
    assert_eq!(named(&["--clock", "wall"]), "wall clocks");
    assert_eq!(named(&["--clock", "process"]), "process clock");
}

#[test]
fn the_wall_clock_sees_threads_that_wait_and_threads_that_run() {
    let _turn = processors();
    let options = ["-F", "199", "--clock", "wall"];
    let recorded = record_with(&options, [program("sleepers.c")]).expect(0);
    assert_eq!(recorded.outcome.text(), "rested\n", "{}", recorded.outcome);
    let folded = recorded.folded();
    let of = |function: &str, waits: bool| {
        let is_it = |frames: &[String]| {
            frames.iter().any(|frame| frame == function)
                && frames.iter().any(|frame| frame == "[waiting]") == waits
        };
        folded.only(is_it).sampled() as f64 / 1e9
    };
    // A second each; the last sleep may go on for a fifth of one.
    let (dozing, toiling) = (of("doze", true), of("toil", false));
    assert!((0.9..1.4).contains(&dozing), "{dozing} s\n{}", folded.heaviest(10));
    assert!((0.7..1.1).contains(&toiling), "{toiling} s\n{}", folded.heaviest(10));
    // The main thread waits for both.
    assert!(of("main", true) > 0.7, "{}", folded.heaviest(10));
    assert!(of("doze", false) < 0.1, "{}", folded.heaviest(10));
}

#[test]
fn another_signal_can_be_had_for_ticks() {
    let _turn = processors();
    for signal in ["USR2", "40"] {
        let options = ["--clock", "thread", "-F", "250", "--signal", signal];
        let recorded = record_with(&options, [program("phases.c")]).expect(5);
        let off = recorded.folded().total() as f64 / recorded.outcome.number("total") as f64 - 1.0;
        assert!(off.abs() < 0.01, "{signal}: off by {off}\n{}", recorded.outcome);
        assert!(recorded.folded().weight_of("third") > 300_000_000, "{}", recorded.outcome);
    }
    for wrong in ["SEGV", "KILL", "99", "NONSENSE"] {
        let mut command = Command::new(sigspy());
        let outcome = run(command.args(["record", "--signal", wrong, "--", "true"])).expect(125);
        assert!(outcome.stderr.contains("--signal"), "{outcome}");
    }
}
