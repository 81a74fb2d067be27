//! What keeps `sigspy check` from an answer: its exit status then is 2.

use std::fs;
use std::process::Command;
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

/// `sigspy check` of two programs that do nothing, with one more option.
fn check_of_nothing(folder: &TempDir, options: &[&str]) -> Command {
    let mut check = sigspy_in(folder);
    check.args(["check", "--base-command", "true", "--head-command", "true"]).args(options);
    check
}

#[test]
pub fn a_folder_has_something_else_than_a_baseline() {
    let folder = TempDir::new();
    fs::create_dir(folder.join("kept")).expect("the folder is ours");
    folder.write("kept/letter", "mine");
    let mut check = check_of_nothing(&folder, &["--save-baseline", "kept"]);
    refused(&mut check, 2, &["kept has something else than a baseline", "name a new folder"]);
}

#[test]
pub fn a_folder_for_recordings_has_files() {
    let folder = TempDir::new();
    fs::create_dir(folder.join("kept")).expect("the folder is ours");
    folder.write("kept/base-warm-up-1.txt", "mine");
    let mut check = check_of_nothing(&folder, &["--keep", "kept"]);
    refused(&mut check, 2, &["kept has files in it", "name a new folder", "--force"]);
    let text = fs::read(folder.join("kept/base-warm-up-1.txt")).expect("it is there");
    assert_eq!(text, b"mine");
}

#[test]
pub fn a_result_does_not_exist() {
    let folder = TempDir::new();
    let mut check = sigspy_in(&folder);
    check.args(["check", "--from", "nothing.json"]);
    refused(&mut check, 2, &["cannot read nothing.json", "--json and --save-baseline", "No such"]);
}

/// `--from` a file with this text fails with these words.
#[track_caller]
fn no_result(text: &str, words: &[&str]) {
    let folder = TempDir::new();
    folder.write("result.json", text);
    refused(sigspy_in(&folder).args(["check", "--from", "result.json"]), 2, words);
}

#[test]
pub fn a_result_is_none() {
    no_result("mine", &["result.json is no result of `sigspy check`", "make another"]);
}

#[test]
pub fn a_result_is_of_the_future() {
    no_result("{\"schema\": 99}", &["result.json is of version 99", "make it again"]);
}

#[test]
pub fn two_results_are_for_standard_output() {
    let folder = TempDir::new();
    let mut check = check_of_nothing(&folder, &["--json", "-", "--markdown", "-"]);
    refused(&mut check, 2, &["one result at most", "give the others the names of files"]);
}
