//! Settings from files: which count, and what a project may not set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{Outcome, TempDir, run, sigspy};

/// A user and a repository, without settings.
struct Desk {
    folder: TempDir,
    /// Deep in the repository.
    here: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new();
        let here = folder.join("repository/src/deep");
        fs::create_dir_all(&here).expect("the folder is ours");
        fs::create_dir_all(folder.join("repository/.git")).expect("the folder is ours");
        fs::create_dir_all(folder.join("settings/sigspy")).expect("the folder is ours");
        Self { folder, here }
    }

    fn user(self, text: &str) -> Self {
        self.folder.write("settings/sigspy/config.toml", text);
        self
    }

    fn project(self, text: &str) -> Self {
        self.folder.write("repository/sigspy.toml", text);
        self
    }

    fn sigspy(&self) -> Command {
        let mut command = Command::new(sigspy());
        command.current_dir(&self.here).env("XDG_CONFIG_HOME", self.folder.join("settings"));
        command
    }

    /// The rate at which a program is recorded, as the summary says it.
    fn rate(&self, options: &[&str]) -> String {
        let mut command = self.sigspy();
        let command = command.args(["record", "-o", "../true.sigspy"]).args(options);
        let outcome = run(command.args(["--", "true"])).expect(0);
        let (_, rate) = outcome.summary().split_once(" clocks at ").expect("the clock is named");
        rate.split(',').next().expect("it is not the last").to_owned()
    }

    fn refusal(&self, command: &[&str]) -> Outcome {
        let outcome = run(self.sigspy().args(command)).expect(125);
        assert_eq!(outcome.errors().len(), 1, "{outcome}");
        assert_eq!(outcome.text(), "", "{outcome}");
        outcome
    }
}

#[test]
fn the_command_line_counts_more_than_the_project_and_that_more_than_the_user() {
    let desk = Desk::new();
    assert_eq!(desk.rate(&[]), "97 Hz");
    let desk = desk.user("[record]\nfreq = 101\nmax-depth = 64\n");
    assert_eq!(desk.rate(&[]), "101 Hz");
    let desk = desk.project("[record]\nfreq = 102\n");
    assert_eq!(desk.rate(&[]), "102 Hz");
    assert_eq!(desk.rate(&["-F", "103"]), "103 Hz");
    assert_eq!(desk.rate(&["--no-config"]), "97 Hz");
    let own = desk.folder.write("own.toml", "[record]\nfreq = 104\n");
    let own = own.to_str().expect("it is text");
    assert_eq!(desk.rate(&["--config", own]), "104 Hz");
}

#[test]
fn settings_are_for_the_command_of_their_table() {
    let desk = Desk::new().project("[flamegraph]\nfreq = 101\n\n[report]\nlimit = 3\n");
    assert_eq!(desk.rate(&[]), "97 Hz");
}

#[test]
fn a_file_above_the_repository_is_not_read() {
    let desk = Desk::new();
    desk.folder.write("sigspy.toml", "[record]\nfreq = 101\n");
    assert_eq!(desk.rate(&[]), "97 Hz");
    fs::remove_dir(desk.folder.join("repository/.git")).expect("it is empty");
    assert_eq!(desk.rate(&[]), "97 Hz", "without a repository, only this folder counts");
}

#[test]
fn errors_name_file_and_line_and_what_was_meant() {
    let command = ["record", "-o", "x.sigspy", "--", "true"];
    for (text, words) in [
        (
            "[record]\n\nfrequ = 1\n",
            "sigspy.toml:3: `record` has no flag --frequ; did you mean `freq`?",
        ),
        ("[recrod]\nfreq = 1\n", "sigspy.toml:1: [recrod] is no command"),
        ("[record]\nfreq = 0\n", "sigspy.toml:2: invalid value '0' for '--freq <HZ>'"),
        ("[record]\nfollow = \"nobody\"\n", "sigspy.toml:2: invalid value 'nobody' for '--follow"),
        ("[record]\nfreq = \n", "sigspy.toml:2: "),
        ("[report]\nfreq = 5\n", "sigspy.toml:2: `report` has no flag --freq"),
    ] {
        let outcome = Desk::new().project(text).refusal(&command);
        assert!(outcome.stderr.contains(words), "{text}\n{outcome}");
    }
}

#[test]
fn a_project_can_neither_run_nor_write_anything() {
    for setting in ["output = \"/tmp/elsewhere\"", "open = true", "force = true"] {
        let desk = Desk::new().project(&format!("[flamegraph]\n{setting}\n"));
        let outcome = desk.refusal(&["flamegraph", "--", "true"]);
        assert!(outcome.stderr.contains("comes with somebody's project"), "{outcome}");
        assert!(fs::read_dir(&desk.here).expect("it is there").next().is_none(), "{outcome}");
    }
    let desk = Desk::new().user("[export]\noutput = \"mine.folded\"\n");
    run(desk
        .sigspy()
        .args(["record", "-F", "997", "-o", "x.sigspy", "--", "python3", "-c"])
        .arg("sum(range(10**7))"))
    .expect(0);
    run(desk.sigspy().args(["export", "x.sigspy"])).expect(0);
    assert!(
        desk.folder.join("settings/sigspy/mine.folded").exists(),
        "below the file that says so"
    );
}

#[test]
fn a_file_that_is_none_is_an_error_and_not_waited_for() {
    let desk = Desk::new();
    let pipe = desk.folder.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    for path in [pipe.as_path(), Path::new("/no/such/file"), Path::new("/dev/zero")] {
        let path = path.to_str().expect("it is text");
        let outcome = desk.refusal(&["report", "--config", path]);
        assert!(outcome.stderr.contains("cannot read the settings in"), "{outcome}");
    }
    let outcome = desk.project(&"[".repeat(2 << 20)).refusal(&["report"]);
    assert!(outcome.stderr.contains("larger than a mebibyte"), "{outcome}");
}

#[test]
fn settings_deep_in_each_other_exhaust_nothing() {
    let text = format!("[record]\nfreq = {}\n", "[".repeat(500_000));
    Desk::new().project(&text).refusal(&["record", "--", "true"]);
}

#[test]
fn other_commands_do_without_settings() {
    let desk = Desk::new().project("nonsense");
    run(desk.sigspy().args(["completions", "bash"])).expect(0);
    run(desk.sigspy().args(["agent", "--path"])).expect(0);
}
