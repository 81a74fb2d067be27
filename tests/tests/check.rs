//! Checks of programs that take longer than before, and of such that do not.

use std::process::Command;

use sigspy_tests::{Outcome, TempDir, processors, program, run, sigspy};

/// Milliseconds of each function.
const BASE: &str = "200 100 100 100 100 100";
/// The first takes three times as long.
const SLOWER: &str = "600 100 100 100 100 100";

/// Compares runs of the test program with these arguments.
fn check(options: &[&str], base: &str, head: &str) -> Outcome {
    let parts = program("parts.c");
    let command = |arguments: &str| format!("'{}' {arguments}", parts.path.display());
    let mut check = Command::new(sigspy());
    check.args(["check", "--runs", "3", "--warm-up", "0"]).args(options);
    run(check.args(["--base-command", &command(base), "--head-command", &command(head)]))
}

#[test]
fn a_function_that_takes_longer_fails_the_check_and_is_named() {
    let _alone = processors();
    let folder = TempDir::new();
    let json = folder.join("result.json");
    let options = ["--json", json.to_str().expect("a plain path"), "--work", "work"];
    let failed = check(&options, BASE, SLOWER).expect(1);
    let text = failed.text();
    assert!(text.starts_with("Regression: "), "{failed}");
    assert!(text.contains("part_1 in parts takes"), "{failed}");
    assert!(!text.contains("work 100"), "what the program writes is not ours to show: {failed}");
    assert!(failed.stderr.contains("base-confirm-3: "), "{failed}");
    let json = std::fs::read_to_string(json).expect("it was written");
    assert!(json.contains("\"verdict\": \"regression\"") && json.ends_with("}\n"), "{json}");
}

#[test]
fn a_program_that_takes_as_long_as_before_passes() {
    let _alone = processors();
    let passed = check(&[], BASE, BASE).expect(0);
    assert!(passed.text().starts_with("Ok: "), "{passed}");
}

#[test]
fn one_run_cannot_tell_and_does_not_pass() {
    let _alone = processors();
    let one = ["--runs", "1"];
    let parts = program("parts.c");
    let mut command = Command::new(sigspy());
    command.args(["check", "--self-test", "--warm-up", "0"]).args(one);
    let unsure = run(command.arg("--").arg(&parts).args(["100", "100"])).expect(3);
    assert!(unsure.text().contains("it is not known how much runs differ"), "{unsure}");
    let mut command = Command::new(sigspy());
    command.args(["check", "--self-test", "--warm-up", "0", "--inconclusive", "pass"]).args(one);
    run(command.arg("--").arg(&parts).args(["100", "100"])).expect(0);
}

#[test]
fn a_run_that_fails_or_does_other_work_makes_the_check_invalid() {
    let _alone = processors();
    let folder = TempDir::new();
    let script = |name: &str, last: &str| {
        let path = folder.write(name, format!("#!/bin/sh\necho work {last}\n").as_bytes());
        Command::new("chmod").arg("+x").arg(&path).status().expect("chmod is everywhere");
        path
    };
    let (one, two) = (script("one", "1"), script("two", "2"));
    let check = |options: &[&str], base, head| {
        let mut command = Command::new(sigspy());
        command.args(["check", "--runs", "1", "--warm-up", "0"]).args(options);
        run(command.arg("--base").arg(base).arg("--head").arg(head))
    };
    let other_work = check(&["--work", "work"], &one, &two).expect(3);
    assert!(other_work.text().contains("did not do the same work (1 and 2)"), "{other_work}");
    let no_work = check(&["--work", "requests"], &one, &one).expect(3);
    assert!(no_work.text().contains("does not say how much it has done"), "{no_work}");
    let failing = script("failing", "1; exit 3");
    let failed = check(&[], &one, &failing).expect(3);
    assert!(failed.text().contains("run 1 of the head has failed with exit status 3"), "{failed}");
}

#[test]
fn what_keeps_a_check_from_an_answer_has_an_exit_status_of_its_own() {
    let run_check = |options: &[&str]| run(Command::new(sigspy()).arg("check").args(options));
    run_check(&["--base", "x"]).expect(2);
    run_check(&["--no-such-flag"]).expect(2);
    let words = ["--color", "never", "check", "--no-such-flag"];
    run(Command::new(sigspy()).args(words)).expect(2);
    let missing = run_check(&["--base", "./nowhere", "--head", "./nowhere"]).expect(2);
    assert!(missing.errors()[0].contains("nowhere"), "{missing}");
    let late = run_check(&["--base", "/bin/true", "--head", "./nowhere"]).expect(2);
    assert!(!late.stderr.contains("base-warm-up"), "nothing was run for nothing: {late}");
    let both = ["--base", "/bin/true", "--head", "/bin/true"];
    let alone = run_check(&[&both, &["--confirm", "1"][..]].concat()).expect(2);
    assert!(alone.stderr.contains("0, or 2 to 1000 runs"), "{alone}");
    let undivided = run_check(&[&both, &["--normalize", "work"][..]].concat()).expect(2);
    assert!(undivided.stderr.contains("--work <WORD>"), "{undivided}");
    let nothing = run_check(&["--self-test"]).expect(2);
    assert!(nothing.errors()[0].contains("there is no command to run"), "{nothing}");
}

#[test]
fn a_folder_is_where_the_command_runs() {
    let _alone = processors();
    let (base, head) = (TempDir::new(), TempDir::new());
    for folder in [&base, &head] {
        std::fs::copy(&program("parts.c").path, folder.join("parts")).expect("it can be copied");
    }
    let kept = TempDir::new();
    let mut command = Command::new(sigspy());
    command.args(["check", "--runs", "1", "--warm-up", "0", "--keep"]).arg(kept.path());
    command.arg("--base").arg(base.path()).arg("--head").arg(head.path());
    run(command.args(["--", "./parts", "50"])).expect(3);
    assert!(kept.join("base-1.sigspy").exists() && kept.join("head-1.txt").exists());
}
