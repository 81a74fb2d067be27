//! Names that are looked up later, or elsewhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use sigspy_tests::{Folded, Outcome, Recorded, export, record_with, run, sigspy};

use super::{Stripped, is_named};

const LATER: [&str; 4] = ["-F", "250", "--symbols", "later"];

/// A recording without names of a program that is no longer where it was.
fn recorded_elsewhere() -> (Stripped, Recorded) {
    let app = Stripped::new("phases.c");
    let recorded = record_with(&LATER, [&app.program]).expect(5);
    fs::rename(&app.program, app.folder.join("debug/app")).expect("it is ours");
    (app, recorded)
}

fn symbolize(recording: &Path, options: &[&str]) -> Outcome {
    run(Command::new(sigspy()).arg("symbolize").arg(recording).args(options))
}

fn folded(recording: &Path) -> Folded {
    Folded::parse(&run(&mut export(recording)).expect(0).text(), 1000).expect("folded stacks")
}

#[test]
fn a_recording_gets_its_names_from_the_folder_that_is_named() {
    let (app, recorded) = recorded_elsewhere();
    let without = run(&mut export(&recorded.path)).expect(0);
    assert!(without.stderr.contains("app cannot be opened"), "{without}");
    assert!(!without.text().contains("fourth"), "{without}");
    let folder = app.folder.join("debug");
    let folder = folder.to_str().expect("temporary folders have plain names");
    let quick = run(export(&recorded.path).args(["--symbol-dir", folder])).expect(0);
    assert!(quick.text().contains("fourth"), "{quick}");
    let outcome = symbolize(&recorded.path, &["--symbol-dir", folder]).expect(0);
    assert!(!outcome.stderr.contains("warning"), "{outcome}");
    fs::remove_dir_all(folder).expect("it is ours");
    let report = recorded.report();
    assert!(report.contains("fourth"), "{report}");
}

#[test]
fn names_can_be_looked_up_again_when_there_are_better_ones() {
    let (app, recorded) = recorded_elsewhere();
    symbolize(&recorded.path, &[]).expect(0);
    let folder = app.folder.join("debug");
    let folder = folder.to_str().expect("temporary folders have plain names");
    let outcome = symbolize(&recorded.path, &["--symbol-dir", folder]).expect(0);
    assert!(outcome.stderr.contains("has names already"), "{outcome}");
    assert!(!is_named(&folded(&recorded.path), "main"));
    symbolize(&recorded.path, &["--symbol-dir", folder, "--renew"]).expect(0);
    assert!(is_named(&folded(&recorded.path), "main"));
}

#[test]
fn a_folder_that_is_not_there_is_told_before_the_program_runs() {
    let mut command = Command::new(sigspy());
    command.args(["record", "--symbol-dir", "/no/such/folder", "--", "echo", "it runs"]);
    let outcome = run(&mut command).expect(125);
    assert_eq!(outcome.text(), "");
    assert!(outcome.stderr.contains("there is no such folder"), "{outcome}");
}

#[test]
fn a_copy_with_names_leaves_the_recording_alone() {
    let (app, recorded) = recorded_elsewhere();
    let before = fs::read(&recorded.path).expect("it was written");
    let folder = app.folder.join("debug");
    let copy = app.folder.join("copy.sigspy");
    let options = ["--symbol-dir", folder.to_str().unwrap(), "-o", copy.to_str().unwrap()];
    symbolize(&recorded.path, &options).expect(0);
    assert_eq!(fs::read(&recorded.path).expect("it was written"), before);
    assert!(is_named(&folded(&copy), "main"));
    assert_eq!(folded(&copy).total(), folded(&recorded.path).total());
    fs::write(&copy, "a letter").expect("it is ours");
    let refused = symbolize(&recorded.path, &options).expect(125);
    assert!(refused.stderr.contains("is no recording or flame graph of sigspy"), "{refused}");
}

#[test]
fn names_are_added_to_a_copy_of_a_recording_that_was_cut_or_damaged() {
    let (app, recorded) = recorded_elsewhere();
    let folder = app.folder.join("debug");
    let folder = folder.to_str().expect("temporary folders have plain names");
    let whole = fs::read(&recorded.path).expect("it was written");
    fs::write(&recorded.path, &whole[..whole.len() - 7]).expect("it is ours");
    let cut = fs::read(&recorded.path).expect("it was written");
    let outcome = symbolize(&recorded.path, &["--symbol-dir", folder]).expect(125);
    assert!(outcome.stderr.contains("has no end"), "{outcome}");
    assert_eq!(fs::read(&recorded.path).expect("it was written"), cut);
    let copy = app.folder.join("copy.sigspy");
    let copy_to = ["--symbol-dir", folder, "-o", copy.to_str().unwrap()];
    symbolize(&recorded.path, &copy_to).expect(0);
    assert!(is_named(&folded(&copy), "main"));
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    fs::write(&recorded.path, damaged).expect("it is ours");
    let outcome = symbolize(&recorded.path, &["--symbol-dir", folder]).expect(125);
    assert!(outcome.stderr.contains("write a copy with -o"), "{outcome}");
    symbolize(&recorded.path, &copy_to).expect(0);
}
