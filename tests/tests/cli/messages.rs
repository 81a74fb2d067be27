//! What is said, to whom, and how.

use std::process::Command;

use sigspy_tests::{TempDir, program, record_at, run, sigspy};

use crate::{assert_error, record_in};

#[test]
fn help_and_version_go_to_stdout() {
    let help = run(Command::new(sigspy()).arg("--help")).expect(0);
    for command in ["record", "flamegraph", "report", "export"] {
        assert!(help.text().contains(command), "{help}");
    }
    assert_eq!(help.stderr, "");
    let version = run(Command::new(sigspy()).arg("--version")).expect(0);
    assert!(version.text().starts_with("sigspy "), "{version}");
    for command in ["record", "flamegraph", "report", "export"] {
        run(Command::new(sigspy()).args([command, "--help"])).expect(0);
    }
}

/// `sigspy report` of a file that is not there, with an environment that says nothing about color.
fn fail(options: &[&str]) -> Command {
    let mut command = Command::new(sigspy());
    command.args(["report", "no-such-file"]).args(options);
    for variable in ["NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

const RED: &str = "\u{1b}[1m\u{1b}[31m";

#[test]
fn errors_are_red_where_color_is_wanted() {
    for options in [&[][..], &["--color=auto"], &["--color", "never"]] {
        let outcome = run(&mut fail(options)).expect(125);
        assert!(outcome.stderr.starts_with("sigspy: error: cannot read"), "{outcome}");
    }
    let forced = run(fail(&[]).env("CLICOLOR_FORCE", "1")).expect(125);
    for outcome in [run(&mut fail(&["--color=always"])).expect(125), forced] {
        assert!(outcome.stderr.starts_with(&format!("sigspy: {RED}error:")), "{outcome}");
    }
    let refused = run(fail(&["--color=never"]).env("CLICOLOR_FORCE", "1")).expect(125);
    assert!(!refused.stderr.contains('\u{1b}'), "{refused}");
}

#[test]
fn help_is_colored_as_messages_are() {
    let help = |color| run(Command::new(sigspy()).args(["--help", color])).expect(0).text();
    assert!(help("--color=always").contains('\u{1b}'));
    assert!(!help("--color=never").contains('\u{1b}'));
    assert!(!help("--color=auto").contains('\u{1b}'));
}

#[test]
fn quiet_leaves_out_notes_and_keeps_errors() {
    let folder = TempDir::new();
    let flags = ["-q", "-F", "997", "--"];
    let outcome = run(record_in(&folder).args(flags).arg(program("split.c")).arg("1")).expect(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    assert_error(&run(&mut fail(&["--quiet"])), 125, &["no-such-file"]);
}

#[test]
fn verbose_says_which_files_lack_symbols() {
    let folder = TempDir::new();
    let recorded = |flags: &[&str]| {
        run(record_in(&folder).args(flags).arg("--").arg(program("split.c")).arg("0.5")).expect(0)
    };
    assert!(!recorded(&[]).stderr.contains("no debug information"));
    let verbose = recorded(&["--verbose"]);
    assert!(verbose.stderr.contains("split has no debug information"), "{verbose}");
}

#[test]
fn a_reader_that_has_seen_enough_hears_no_complaint() {
    let recorded = record_at(997, [program("deep.cpp").as_ref(), "2".as_ref()]).expect(0);
    // More than fits into a pipe, and nobody who reads it.
    let script = "{ \"$@\"; echo \"status $?\" >&2; } | :";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(sigspy()).args(["report", "-n", "100000", "-i"]);
    let outcome = run(shell.arg(&recorded.path)).expect(0);
    assert!(["status 141\n", "status 0\n"].contains(&outcome.stderr.as_str()), "{outcome}");
}
