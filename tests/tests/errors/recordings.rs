//! Recordings that cannot be read, and files that cannot be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::OnceLock;

use sigspy_tests::{TempDir, needs, program, record_at, run, sigspy, unprivileged_sigspy};

use crate::{refused, sigspy_in};

/// A recording with samples in it.
fn whole() -> &'static [u8] {
    static RECORDING: OnceLock<Vec<u8>> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let recorded = record_at(997, [program("split.c").as_ref(), "0.5".as_ref()]).expect(0);
        fs::read(&recorded.path).expect("the recording can be read")
    })
}

fn folder_with(recording: &[u8]) -> TempDir {
    let folder = TempDir::new();
    folder.write("x.sigspy", recording);
    folder
}

/// `sigspy NAME x.sigspy` with more words.
fn command(folder: &TempDir, name: &str, words: &[&str]) -> Command {
    let mut command = sigspy_in(folder);
    command.args([name, "x.sigspy"]).args(words);
    command
}

#[test]
pub fn there_is_no_recording() {
    let words = ["there is no recording here", "`sigspy record -- PROGRAM`"];
    refused(sigspy_in(&TempDir::new()).arg("report"), 125, &words);
}

#[test]
pub fn a_folder_has_no_recordings() {
    let folder = folder_with(whole());
    fs::create_dir(folder.join("empty")).expect("the folder is ours");
    let words = ["there are no recordings in empty", "their names end with .sigspy"];
    refused(sigspy_in(&folder).args(["diff", "empty", "x.sigspy"]), 125, &words);
}

#[test]
pub fn a_folder_cannot_be_read() {
    let folder = folder_with(whole());
    let mut command = unprivileged_sigspy(&folder);
    fs::set_permissions(folder.join("x.sigspy"), Permissions::from_mode(0o644)).expect("ours");
    fs::create_dir(folder.join("closed")).expect("the folder is ours");
    fs::set_permissions(folder.join("closed"), Permissions::from_mode(0o0)).expect("it is ours");
    let words = ["cannot read the folder closed: Permission denied", "name the recordings"];
    refused(command.args(["diff", "closed", "x.sigspy"]), 125, &words);
}

#[test]
pub fn a_recording_does_not_exist() {
    let words = ["cannot read x.sigspy: No such file or directory", "name a recording"];
    refused(&mut command(&TempDir::new(), "report", &[]), 125, &words);
}

#[test]
pub fn a_recording_is_a_text() {
    let folder = folder_with(b"a text that is long enough to be one");
    let words = ["x.sigspy is not a sigspy recording", "`sigspy record`"];
    refused(&mut command(&folder, "report", &[]), 125, &words);
}

#[test]
pub fn a_recording_has_nothing_in_it() {
    const HEADER: usize = 16;
    let words = ["x.sigspy ends before its first sample", "record again"];
    refused(&mut command(&folder_with(&whole()[..HEADER]), "report", &[]), 125, &words);
}

#[test]
pub fn a_recording_is_of_the_future() {
    let mut future = whole().to_vec();
    future[8] = 99;
    let words = ["x.sigspy has recording format 99", "with the version that wrote it"];
    refused(&mut command(&folder_with(&future), "report", &[]), 125, &words);
}

#[test]
pub fn a_recording_has_no_end() {
    let folder = folder_with(&whole()[..whole().len() / 2]);
    let words = ["x.sigspy has no end", "write a copy with -o"];
    refused(&mut command(&folder, "symbolize", &["--renew"]), 125, &words);
}

#[test]
pub fn names_are_for_whole_recordings() {
    let mut damaged = whole().to_vec();
    let third = damaged.len() / 3;
    damaged[third] ^= 1;
    let folder = folder_with(&damaged);
    let words = ["x.sigspy is damaged", "write a copy with -o"];
    refused(&mut command(&folder, "symbolize", &["--renew"]), 125, &words);
}

#[test]
pub fn more_is_lost_than_was_allowed() {
    let folder = folder_with(whole());
    let mut report = command(&folder, "report", &["--fail-on-loss=-1"]);
    let outcome = run(&mut report).expect(1);
    let errors = outcome.errors();
    assert_eq!(errors.len(), 1, "{outcome}");
    assert!(
        errors[0].contains("more than --fail-on-loss -1; `sigspy report --quality`"),
        "{outcome}"
    );
    assert!(
        outcome.text().contains("burn_48_percent"),
        "the report is there all the same:\n{outcome}"
    );
}

#[test]
pub fn a_flame_graph_of_nothing() {
    let folder = TempDir::new();
    let mut idle = sigspy_in(&folder);
    run(idle.args(["record", "-F", "1", "-o", "x.sigspy", "--", "true"])).expect(0);
    let words = ["there are no samples to draw", "record for longer"];
    refused(sigspy_in(&folder).args(["flamegraph", "-i", "x.sigspy"]), 125, &words);
    assert!(!folder.join("flamegraph.svg").exists());
}

#[test]
pub fn a_file_of_somebody_else_stays() {
    let folder = folder_with(whole());
    folder.write("notes", "mine");
    let mut export = command(&folder, "export", &["--format", "folded", "-o", "notes"]);
    refused(&mut export, 125, &["notes exists, and is no recording or flame graph", "--force"]);
    assert_eq!(fs::read(folder.join("notes")).expect("it is there"), b"mine");
}

#[test]
pub fn a_file_cannot_be_written() {
    let folder = folder_with(whole());
    let mut export = command(&folder, "export", &["--format", "folded", "-o", "nowhere/x"]);
    refused(&mut export, 125, &["cannot write nowhere/x: No such file", "choose another place"]);
}

#[test]
pub fn the_disk_is_full_while_recording() {
    let folder = TempDir::new();
    let mut record = sigspy_in(&folder);
    record.args(["record", "-o", "/dev/full", "--", "true"]);
    let words = ["cannot write the recording: No space left", "it holds what was written before"];
    refused(&mut record, 125, &words);
}

#[test]
pub fn the_disk_is_full_while_reporting() {
    for (name, words) in [("report", &[][..]), ("export", &["--format", "folded", "--threads"])] {
        let folder = folder_with(whole());
        let script = "exec \"$@\" > /dev/full";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(sigspy()).args([name, "x.sigspy"]).args(words);
        shell.current_dir(folder.path());
        refused(&mut shell, 125, &["cannot write ", ": No space left", "make room where it goes"]);
    }
}

#[test]
pub fn a_name_does_not_tell_the_format() {
    let folder = folder_with(whole());
    let mut export = command(&folder, "export", &["-o", "x.unknown"]);
    refused(&mut export, 125, &["x.unknown does not tell its format", "say it with --format"]);
}

#[test]
pub fn ticks_are_for_folded_stacks() {
    let folder = folder_with(whole());
    let words = ["--format", "pprof", "--unit", "ticks", "-o", "x.pb.gz"];
    refused(&mut command(&folder, "export", &words), 125, &["--unit is for folded stacks"]);
}

#[test]
pub fn bytes_are_not_for_a_terminal() {
    let folder = folder_with(whole());
    let line = format!("'{}' export x.sigspy --format pprof", sigspy().display());
    let mut script = Command::new(needs("script", "bsdutils"));
    script.args(["-qec", &line, "/dev/null"]).current_dir(folder.path());
    let outcome = run(&mut script).expect(125);
    assert!(outcome.text().contains("this is no text for a terminal; write a file"), "{outcome}");
}
