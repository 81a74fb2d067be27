//! Ctrl-C.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use sigspy_tests::{Folded, Running, TempDir, export, program, run, sigspy, spawn, wait_until};

use crate::record_in;

/// A program with a handler for SIGINT, under sigspy and ready for the signal.
fn interruptible(folder: &TempDir, mode: &str) -> Running {
    let ready = folder.join("ready");
    let mut command = record_in(folder);
    let running = spawn(command.arg("--").arg(program("interrupt.c")).arg(mode).arg(&ready));
    wait_until("the program is ready", || ready.exists());
    std::thread::sleep(Duration::from_millis(300));
    running
}

#[test]
fn the_first_interrupt_belongs_to_the_program() {
    let folder = TempDir::new();
    let running = interruptible(&folder, "once");
    running.signal_group(Signal::SIGINT);
    let outcome = running.wait_within(Duration::from_secs(20)).expect(0);
    assert_eq!(outcome.text(), "interrupted\nended\n", "{outcome}");
    let folded = recorded_in(&folder);
    // 0.3 s of CPU time come after the interrupt.
    assert!(folded.sampled() > 280_000_000, "{}\n{outcome}", folded.heaviest(10));
}

#[test]
fn the_second_interrupt_ends_the_recording_and_writes_it() {
    let folder = TempDir::new();
    let running = interruptible(&folder, "always");
    running.signal_group(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    running.signal_group(Signal::SIGINT);
    let outcome = running.wait_and_kill_the_rest(Duration::from_secs(20));
    assert!(outcome.summary().contains(" samples"), "{outcome}");
    assert!(recorded_in(&folder).sampled() > 50_000_000, "{outcome}");
}

#[test]
fn a_program_that_dies_of_the_interrupt_is_recorded() {
    let folder = TempDir::new();
    let words = folder.join("words");
    let running = spawn(record_in(&folder).arg("--").arg(program("spin.c")).arg("30").arg(&words));
    wait_until("the program is running", || words.exists());
    std::thread::sleep(Duration::from_millis(500));
    running.signal_group(Signal::SIGINT);
    let outcome = running.wait_within(Duration::from_secs(20)).expect(128 + 2);
    assert!(recorded_in(&folder).sampled() > 50_000_000, "{outcome}");
}

/// At any time: most of it is between runs, as the program ends at once.
#[test]
fn an_interrupted_check_leaves_no_recordings() {
    let exits = program("exit_code.c");
    for wait_ms in (0..240).step_by(20) {
        let folder = TempDir::new();
        let mut command = Command::new(sigspy());
        command.env("TMPDIR", folder.path()).args(["check", "--runs", "1000", "--base"]);
        let running = spawn(command.arg(&exits).arg("--head").arg(&exits).arg("--"));
        wait_until("there are recordings", || files_in(&folder) > 0);
        std::thread::sleep(Duration::from_millis(wait_ms));
        running.signal_group(Signal::SIGINT);
        let outcome = running.wait_within(Duration::from_secs(20)).expect(128 + 2);
        assert_eq!(outcome.text(), "", "{outcome}");
        assert_eq!(files_in(&folder), 0, "{outcome}");
    }
}

fn files_in(folder: &TempDir) -> usize {
    folder.path().read_dir().expect("the folder is there").count()
}

fn recorded_in(folder: &TempDir) -> Folded {
    let outcome = run(&mut export(&folder.join("recording.sigspy"))).expect(0);
    Folded::parse(&outcome.text(), 1000).expect("folded stacks")
}
