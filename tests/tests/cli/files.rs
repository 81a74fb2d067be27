//! Files that are written, and those that are not.

use std::fs;
use std::process::Command;

use sigspy_tests::{TempDir, export, program, record, run, sigspy};

use crate::{assert_error, record_in};

#[test]
fn a_recording_without_a_name_gets_one_and_is_the_default_afterwards() {
    let folder = TempDir::new();
    let sigspy_here = || {
        let mut command = Command::new(sigspy());
        command.current_dir(folder.path());
        command
    };
    run(sigspy_here().args(["record", "--"]).arg(program("split.c")).arg("0.5")).expect(0);
    let link = fs::read_link(folder.join("sigspy.sigspy")).expect("a link to the recording");
    let name = link.to_string_lossy().into_owned();
    assert!(name.starts_with("sigspy-split-") && name.ends_with(".sigspy"), "{name}");
    let report = run(sigspy_here().arg("report")).expect(0);
    assert!(report.text().contains("burn_48_percent"), "{report}");
    let exported = run(sigspy_here().args(["export", "--format", "folded"])).expect(0);
    assert!(exported.text().contains("main;burn_48_percent"), "{exported}");
}

#[test]
fn a_file_of_someone_else_is_not_overwritten() {
    let folder = TempDir::new();
    let notes = folder.write("recording.sigspy", "my notes\n");
    let outcome = run(record_in(&folder).args(["--", "true"]));
    assert_error(&outcome, 125, &["recording.sigspy", "--force"]);
    assert_eq!(fs::read(&notes).expect("it is there"), b"my notes\n");

    run(record_in(&folder).args(["--force", "--"]).arg(program("split.c")).arg("0.5")).expect(0);
    run(&mut export(&notes)).expect(0);
}

#[test]
fn a_recording_cannot_be_written_into_nowhere() {
    let folder = TempDir::new();
    let mut command = Command::new(sigspy());
    command.args(["record", "-o", "nowhere/recording.sigspy", "--", "echo", "run"]);
    let outcome = run(command.current_dir(folder.path()));
    assert_error(&outcome, 125, &["nowhere/recording.sigspy"]);
}

#[test]
fn an_export_to_a_file_leaves_stdout_empty() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let file = recorded.folder().join("split.folded");
    let on_stdout = run(&mut export(&recorded.path)).expect(0).text();
    let outcome = run(export(&recorded.path).arg("-o").arg(&file)).expect(0);
    assert_eq!(outcome.text(), "", "{outcome}");
    assert_eq!(fs::read_to_string(file).expect("it was written"), on_stdout);
}
