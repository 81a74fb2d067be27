//! The agent in LD_PRELOAD, without `sigspy record` in front.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sigspy_tests::{Folded, Outcome, TempDir, export, program, run, sigspy, spawn, wait_until};

fn agent() -> String {
    let outcome = run(Command::new(sigspy()).args(["agent", "--path"])).expect(0);
    outcome.text().trim_end().to_owned()
}

/// A program with the agent preloaded and variables of the environment.
fn preloaded(program: &Path, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", agent()).envs(environment.iter().copied());
    command
}

/// The recordings in a folder, once they are complete.
fn recordings(folder: &TempDir) -> Vec<PathBuf> {
    wait_until("no collector is at work", || {
        !run(Command::new("pgrep").args(["-f", "sigspy collect"])).status.success()
    });
    let entries = fs::read_dir(folder.path()).expect("the folder is ours").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "sigspy"));
    paths.sort();
    paths
}

fn folded(path: &Path) -> Folded {
    Folded::parse(&run(&mut export(path)).expect(0).text(), 1000).expect("folded stacks")
}

fn assert_quiet(outcome: &Outcome) {
    assert_eq!(outcome.stderr, "", "{outcome}");
}

#[test]
fn a_program_records_itself() {
    let folder = TempDir::new();
    let output = folder.join("%e-%p.sigspy");
    let variables = [("SIGSPY_OUTPUT", output.to_str().unwrap()), ("SIGSPY_FREQ", "250")];
    let running = spawn(&mut preloaded(&program("phases.c").path, &variables));
    let pid = running.pid();
    let outcome = running.wait().expect(5);
    assert_quiet(&outcome);
    let paths = recordings(&folder);
    assert_eq!(paths, [folder.join(format!("phases-{pid}.sigspy"))], "{outcome}");
    let folded = folded(&paths[0]);
    let off = folded.total() as f64 / outcome.number("total") as f64 - 1.0;
    // What it uses after its destructors, and before the agent is there, nobody tells.
    assert!(off.abs() < 0.02, "off by {off}\n{outcome}");
    assert!(folded.weight_of("second") > 300_000_000, "{}", folded.heaviest(5));
}

#[test]
fn what_a_program_starts_is_in_the_same_recording() {
    let folder = TempDir::new();
    let output = folder.join("all.sigspy");
    let phases = program("phases.c").path;
    let script = format!("{0}; {0} | cat", phases.display());
    let mut shell = preloaded(Path::new("/bin/sh"), &[("SIGSPY_OUTPUT", output.to_str().unwrap())]);
    let outcome = run(shell.args(["-c", &script])).expect(0);
    assert_quiet(&outcome);
    let paths = recordings(&folder);
    assert_eq!(paths, [output], "{outcome}");
    let first = folded(&paths[0]).weight_of("first") as f64 / 8e8;
    assert!((0.85..1.15).contains(&first), "{first}\n{outcome}");
}

#[test]
fn without_being_asked_the_agent_does_nothing() {
    let folder = TempDir::new();
    for variables in [&[][..], &[("SIGSPY_FREQ", "97")], &[("SIGSPY_MODE", "off")]] {
        let mut command = preloaded(&program("phases.c").path, variables);
        let outcome = run(command.current_dir(folder.path())).expect(5);
        assert_quiet(&outcome);
        assert!(recordings(&folder).is_empty(), "{variables:?}");
    }
}

#[test]
fn what_cannot_be_recorded_runs_all_the_same_and_one_line_says_why() {
    let folder = TempDir::new();
    let bare = run(&mut Command::new(program("exit_code.c")));
    let assert_one_line = |variables: &[(&str, &str)], text: &str| {
        let outcome = run(&mut preloaded(&program("exit_code.c").path, variables));
        assert_eq!(outcome.code(), bare.code(), "{outcome}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        assert!(
            outcome.stderr.starts_with("sigspy: ") && outcome.stderr.contains(text),
            "{outcome}"
        );
    };
    assert_one_line(&[("SIGSPY_OUTPUT", "/no/such/folder/x.sigspy")], "cannot write");
    let output = folder.join("x.sigspy");
    let output = output.to_str().unwrap();
    assert_one_line(&[("SIGSPY_OUTPUT", output), ("SIGSPY_FREQ", "often")], "--freq");
    let foreign = folder.write("foreign.txt", "mine");
    assert_one_line(&[("SIGSPY_OUTPUT", foreign.to_str().unwrap())], "exists");
    assert_eq!(fs::read_to_string(foreign).unwrap(), "mine");
}

#[test]
fn an_agent_without_a_collector_beside_it_says_so() {
    let folder = TempDir::new();
    let copy = folder.join("libsigspy.so");
    fs::copy(agent(), &copy).expect("the agent can be copied");
    let mut command = Command::new(program("exit_code.c"));
    let output = folder.join("x.sigspy");
    let outcome = run(command.env("LD_PRELOAD", &copy).env("SIGSPY_OUTPUT", output));
    assert!(outcome.stderr.contains("cannot start the collector"), "{outcome}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
}

#[test]
fn the_variables_of_gperftools_are_understood() {
    let folder = TempDir::new();
    let output = folder.join("cpu.sigspy");
    let variables = [("CPUPROFILE", output.to_str().unwrap()), ("CPUPROFILE_FREQUENCY", "250")];
    let outcome = run(&mut preloaded(&program("phases.c").path, &variables)).expect(5);
    assert_quiet(&outcome);
    assert!(folded(&recordings(&folder)[0]).weight_of("fourth") > 300_000_000, "{outcome}");
}

/// A program that waits for its children, all of them, must not find ours.
#[test]
fn the_collector_is_nobodys_child() {
    let folder = TempDir::new();
    let output = folder.join("shell.sigspy");
    let script =
        "wait; children=$(ps -o pid= --ppid $$); wc -l <<< \"$children\"; kill -0 0; echo $?";
    let mut bare = Command::new("bash");
    let bare = run(bare.args(["-c", script])).expect(0);
    let mut command =
        preloaded(Path::new("/bin/bash"), &[("SIGSPY_OUTPUT", output.to_str().unwrap())]);
    let started = std::time::Instant::now();
    let outcome = run(command.args(["-c", script])).expect(0);
    assert_eq!(outcome.text(), bare.text(), "{outcome}");
    assert!(started.elapsed() < Duration::from_secs(60), "{outcome}");
    recordings(&folder);
}
