//! What the command line, the environment and files of settings cannot say.

use std::process::Command;

use sigspy_tests::{TempDir, program, run, sigspy};

use crate::{refused, sigspy_in};

#[test]
pub fn a_flag_does_not_exist() {
    let folder = TempDir::new();
    let words = ["unexpected argument '--frequency'"];
    refused(sigspy_in(&folder).args(["record", "--frequency", "1", "--", "true"]), 125, &words);
    let outcome = run(sigspy_in(&folder).args(["recrod", "--", "true"])).expect(125);
    assert!(outcome.stderr.contains("a similar subcommand exists: 'record'"), "{outcome}");
}

#[test]
pub fn a_setting_is_wrong() {
    let folder = TempDir::new();
    folder.write("sigspy.toml", "[report]\nlimt = 3\n");
    refused(sigspy_in(&folder).arg("report"), 125, &["sigspy.toml:2: ", "did you mean `limit`?"]);
}

#[test]
pub fn settings_cannot_be_read() {
    let folder = TempDir::new();
    let words = ["cannot read the settings in x.toml: No such file", "--no-config"];
    refused(sigspy_in(&folder).args(["report", "--config", "x.toml"]), 125, &words);
}

#[test]
pub fn the_agent_has_no_place() {
    let mut command = Command::new(sigspy());
    command.args(["agent", "--path"]).env_remove("HOME").env_remove("XDG_CACHE_HOME");
    refused(
        &mut command,
        125,
        &["no folder to put the agent or sources into", "set XDG_CACHE_HOME or HOME"],
    );
}

#[test]
pub fn nobody_has_asked_for_a_collector() {
    for socket in ["99", "1", "-5"] {
        let mut command = Command::new(sigspy());
        command.arg("collect").arg(format!("--socket={socket}"));
        refused(&mut command, 125, &["for the agent to start", "`sigspy agent --help`"]);
    }
}

/// The collector belongs to the program, whose standard error it has until it records.
#[test]
pub fn the_environment_is_no_good() {
    let folder = TempDir::new();
    let agent = run(Command::new(sigspy()).args(["agent", "--path"])).expect(0).text();
    let mut program = Command::new(program("exit_code.c"));
    program.args(["exit", "0"]).env("LD_PRELOAD", agent.trim()).env("SIGSPY_FREQ", "0");
    let outcome = run(program.env("SIGSPY_OUTPUT", folder.join("x.sigspy"))).expect(0);
    let words = "the environment does not say how to record: invalid value '0' for '--freq <HZ>'";
    assert!(outcome.stderr.contains(words), "{outcome}");
    assert_eq!(outcome.text(), "ending\n", "the program runs without:\n{outcome}");
}
