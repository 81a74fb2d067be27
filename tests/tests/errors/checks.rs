//! What keeps `sigspy check` from an answer: its exit status then is 2.

use std::time::Duration;

use nix::sys::signal::Signal;
use sigspy_tests::{TempDir, spawn, wait_until};

use crate::{refused, sigspy_in};

#[test]
pub fn there_is_no_command_to_check() {
    let folder = TempDir::new();
    let mut check = sigspy_in(&folder);
    check.args(["check", "--base-command", "", "--head-command", "true"]);
    refused(&mut check, 2, &["there is no command to run", "give it behind --"]);
}

#[test]
pub fn the_output_of_a_run_is_gone() {
    let folder = TempDir::new();
    let removes = r#"sh -c 'rm "$(readlink /proc/$$/fd/1)"'"#;
    let mut check = sigspy_in(&folder);
    check.args(["check", "--work", "done", "--base-command", removes, "--head-command", removes]);
    refused(&mut check, 2, &["cannot read", "No such file"]);
}

#[test]
pub fn a_check_is_interrupted() {
    ended_by(Signal::SIGINT);
}

#[test]
fn a_check_is_ended() {
    ended_by(Signal::SIGTERM);
}

fn ended_by(signal: Signal) {
    let folder = TempDir::new();
    let sleeps = "sh -c 'touch ready; exec sleep 60'";
    let mut check = sigspy_in(&folder);
    check.args(["check", "--base-command", sleeps, "--head-command", sleeps]);
    let running = spawn(&mut check);
    wait_until("the program is running", || folder.join("ready").exists());
    running.signal_group(signal);
    let outcome = running.wait_within(Duration::from_secs(30)).expect(130);
    assert_eq!(outcome.errors(), ["error: interrupted, and nothing can be told"], "{outcome}");
}
