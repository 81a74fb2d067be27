//! Recording a part of a run: by time, by signal to sigspy, by signal to the program.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use sigspy_tests::{
    Folded, Recorded, TempDir, export, mask_has, processors, program, record_with, run, sigspy,
    spawn, wait_until,
};

const PHASE_NS: f64 = 4e8;

fn seen(folded: &Folded) -> [f64; 4] {
    ["first", "second", "third", "fourth"].map(|name| folded.weight_of(name) as f64 / PHASE_NS)
}

fn assert_seen(recorded: &Recorded, expected: [bool; 4]) {
    let folded = recorded.folded();
    for (share, expected) in seen(&folded).into_iter().zip(expected) {
        // A tick may stand for 4 ms on the wrong side of a signal, more on a busy machine.
        let right = if expected { (0.8..1.15).contains(&share) } else { share < 0.2 };
        assert!(right, "{:?}, not {expected:?}\n{}", seen(&folded), recorded.outcome);
    }
    // What was used during pauses is in no total.
    let sum: f64 = seen(&folded).iter().sum::<f64>() * PHASE_NS;
    let total = folded.total() as f64;
    assert!(total < sum + 0.1 * PHASE_NS, "{total} for {sum}\n{}", recorded.outcome);
}

#[test]
fn the_program_pauses_and_resumes_its_recording_by_a_signal() {
    let _turn = processors();
    let usr2 = (Signal::SIGUSR2 as i32).to_string();
    let command = || [program("phases.c").path.into_os_string(), usr2.clone().into()];
    let options = ["-F", "250", "--clock", "thread", "--toggle-signal", "USR2"];
    let recorded = record_with(&options, command()).expect(5);
    assert_seen(&recorded, [true, false, true, false]);

    let paused = [&options[..], &["--start-paused"]].concat();
    let recorded = record_with(&paused, command()).expect(5);
    assert_seen(&recorded, [false, true, false, true]);
}

#[test]
fn a_recording_that_nobody_resumes_is_empty_and_says_why() {
    let _turn = processors();
    let recorded = record_with(&["--start-paused"], [program("phases.c")]).expect(5);
    assert!(recorded.outcome.stderr.contains("paused"), "{}", recorded.outcome);
    assert_eq!(recorded.folded().sampled(), 0);
}

#[test]
fn a_delay_leaves_the_beginning_out() {
    let _turn = processors();
    let recorded = record_with(&["-F", "250", "--delay", "300ms"], [program("phases.c")]).expect(5);
    let [first, .., fourth] = seen(&recorded.folded());
    assert!(first < 0.95, "{first}\n{}", recorded.outcome);
    assert!((0.8..1.15).contains(&fourth), "{fourth}\n{}", recorded.outcome);
}

#[test]
fn a_duration_ends_the_recording_and_not_the_program() {
    let _turn = processors();
    let options = ["-F", "250", "--duration", "500ms"];
    let recorded = record_with(&options, [program("phases.c")]).expect(5);
    // Half a second is a part of the first phase on a busy machine, and never all of them.
    let [first, _, _, fourth] = seen(&recorded.folded());
    assert!((0.1..1.15).contains(&first), "{first}\n{}", recorded.outcome);
    assert!(fourth < 0.05, "{fourth}\n{}", recorded.outcome);
    assert!(recorded.outcome.text().contains("phase3 "), "{}", recorded.outcome);
}

#[test]
fn sigspy_resumes_by_sigusr1() {
    let _turn = processors();
    let folder = TempDir::new();
    let path = folder.join("recording.sigspy");
    let mut command = Command::new(sigspy());
    command.args(["record", "--start-paused", "-F", "250", "-o"]).arg(&path).arg("--");
    let running = spawn(command.arg(program("phases.c")));
    wait_until("sigspy heeds the signal", || catches(running.pid(), Signal::SIGUSR1));
    running.signal(Signal::SIGUSR1);
    let outcome = running.wait().expect(5);
    let folded = Folded::parse(&run(&mut export(&path)).expect(0).text(), 1000).expect("stacks");
    let [.., fourth] = seen(&folded);
    assert!(fourth > 0.7, "{:?}\n{outcome}", seen(&folded));
}

/// Whether a process has a handler for a signal.
fn catches(process: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    mask_has(&status, "SigCgt", signal as i32)
}

#[test]
fn times_need_a_unit_that_we_know() {
    for (option, wrong) in [("--delay", "5 parsecs"), ("--duration", "soon"), ("--delay", "-1")] {
        let mut command = Command::new(sigspy());
        let wrong = format!("{option}={wrong}");
        let outcome = run(command.args(["record", &wrong, "--", "true"])).expect(125);
        assert!(outcome.stderr.contains(option), "{outcome}");
    }
}

#[test]
fn nothing_waits_for_a_program_longer_than_it_runs() {
    let started = Instant::now();
    record_with(&["--duration", "1h"], ["true"]).expect(0);
    assert!(started.elapsed() < Duration::from_secs(60));
}
