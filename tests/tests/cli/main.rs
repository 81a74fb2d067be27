//! The command line: exit codes, messages, files, and signals from the keyboard.

mod files;
mod goldens;
mod interrupts;
mod made_up;
mod messages;
mod programs;
mod reports;
mod shells;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use sigspy_tests::{Outcome, TempDir, sigspy};

/// `sigspy record` in a folder, with a recording of a known name.
fn record_in(folder: &TempDir) -> Command {
    let mut command = Command::new(sigspy());
    command.args(["record", "-o", "recording.sigspy"]).current_dir(folder.path());
    command
}

fn assert_error(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), code, "exit status of\n{outcome}");
    let errors = outcome.errors();
    assert_eq!(errors.len(), 1, "there should be one line with an error:\n{outcome}");
    for word in words {
        assert!(errors[0].contains(word), "the error does not say `{word}`:\n{outcome}");
    }
    assert_eq!(outcome.text(), "", "an error belongs on stderr:\n{outcome}");
}

fn executable(folder: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = folder.write(name, contents);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}
