//! What sigspy prints, word for word: the help of each command, and reports on a recording that is
//! always the same. `SIGSPY_BLESS=1` writes the files in `golden/` anew; look at their changes
//! before they are committed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sigspy_tests::{TempDir, run, sigspy, workspace};

use crate::made_up;

fn golden(name: &str) -> PathBuf {
    workspace().join("tests/golden").join(name)
}

/// Compares a text with the file of that name, or replaces it.
fn compare(name: &str, text: &str) -> Result<(), String> {
    let path = golden(name);
    if env::var_os("SIGSPY_BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(&path, text).expect("the file can be written");
        return Ok(());
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        return Ok(());
    }
    let differs = |(one, other): (&str, &str)| one != other;
    let lines = || expected.lines().chain([""]).zip(text.lines().chain([""]));
    let line = lines().position(differs).unwrap_or(0);
    let (was, is) = lines().nth(line).unwrap_or_default();
    Err(format!("{name}, line {}:\n  was: {was}\n  is:  {is}", 1 + line))
}

#[track_caller]
fn assert_all_equal(results: impl Iterator<Item = Result<(), String>>) {
    let changed: Vec<String> = results.filter_map(Result::err).collect();
    assert!(
        changed.is_empty(),
        "the output has changed. If that is meant:\n  SIGSPY_BLESS=1 cargo test -p sigspy-tests --test \
         cli goldens\n{}",
        changed.join("\n")
    );
}

/// The commands that `sigspy --help` lists.
fn commands() -> Vec<String> {
    let help = run(Command::new(sigspy()).arg("--help")).expect(0).text();
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.map_while(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

#[test]
fn the_help_of_each_command_is_as_it_was_read_and_agreed_on() {
    let help = |words: &[&str]| run(Command::new(sigspy()).args(words)).expect(0).text();
    let of_command = |name: String| compare(&format!("help/{name}.txt"), &help(&[&name, "--help"]));
    let whole = compare("help/sigspy.txt", &help(&["--help"]));
    assert_all_equal(commands().into_iter().map(of_command).chain([whole]));
}

#[test]
fn each_page_of_help_is_of_a_command() {
    let commands = commands();
    for page in fs::read_dir(golden("help")).expect("there is help") {
        let path = page.expect("a folder can be read").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let known = name == "sigspy" || commands.contains(&name);
        assert!(known, "there is no command {name} any more: remove {}", path.display());
    }
}

#[test]
fn reports_of_a_known_recording_are_as_they_were_read_and_agreed_on() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let printed = |words: &[&str], recording: &Path| {
        let (command, options) = words.split_first().expect("a command");
        let mut sigspy = Command::new(sigspy());
        run(sigspy.arg(command).arg(recording).args(options)).expect(0).text()
    };
    let reports: [(&str, &[&str]); 5] = [
        ("report", &["report"]),
        ("report-short", &["report", "-n", "2", "--percent-limit", "20"]),
        ("quality", &["report", "--quality"]),
        ("folded", &["export", "--format", "folded"]),
        ("folded-threads", &["export", "--format", "folded", "--threads", "--unit", "ticks"]),
    ];
    let compared = reports
        .iter()
        .map(|(name, words)| compare(&format!("reports/{name}.txt"), &printed(words, &recording)));
    assert_all_equal(compared);
}
