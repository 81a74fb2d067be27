//! `cargo sigspy` with packages that have nothing, or too much, to run, and with cargos that are
//! scripts of ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use sigspy_tests::{TempDir, needs, sigspy};

use crate::refused;

/// `cargo-sigspy` in a package with these binaries.
fn cargo_sigspy(folder: &TempDir, binaries: &[&str]) -> Command {
    fs::create_dir_all(folder.join("src/bin")).expect("the folder is ours");
    folder.write(
        "Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    folder.write("src/lib.rs", "");
    for name in binaries {
        folder.write(format!("src/bin/{name}.rs"), "fn main() {}\n");
    }
    let mut command = Command::new(sigspy().with_file_name("cargo-sigspy"));
    command.arg("sigspy").current_dir(folder.path()).env("CARGO_TARGET_DIR", folder.join("target"));
    command.env("CARGO", needs("cargo", "cargo"));
    command
}

/// A cargo that answers `metadata` as the real one does, and builds by `script`.
fn other_cargo(folder: &TempDir, script: &str) -> PathBuf {
    let real = needs("cargo", "cargo");
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in metadata) exec '{}' \"$@\";; esac\n{script}\n",
        real.display()
    );
    let path = folder.write("other-cargo", text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

/// Fails with a cargo that builds by `script`.
#[track_caller]
fn refused_with(script: &str, code: i32, words: &[&str]) {
    let folder = TempDir::new();
    let mut command = cargo_sigspy(&folder, &["a"]);
    refused(command.env("CARGO", other_cargo(&folder, script)).arg("-q"), code, words);
}

#[test]
pub fn nothing_can_be_run() {
    let folder = TempDir::new();
    refused(&mut cargo_sigspy(&folder, &[]), 125, &["there is no ", "in this workspace"]);
}

#[test]
pub fn several_can_be_run() {
    let folder = TempDir::new();
    let words = ["there is more than one --unit-test", "choose among `--unit-test"];
    refused(cargo_sigspy(&folder, &["a", "b"]).arg("--unit-test"), 125, &words);
}

#[test]
pub fn cargo_is_not_there() {
    let folder = TempDir::new();
    let mut command = cargo_sigspy(&folder, &["a"]);
    let words = ["cannot run cargo: No such file", "put it into PATH, or set CARGO"];
    refused(command.env("CARGO", "/no/such/cargo"), 125, &words);
}

#[test]
pub fn cargo_speaks_in_tongues() {
    let folder = TempDir::new();
    let mut command = cargo_sigspy(&folder, &["a"]);
    let words = ["cannot understand what `cargo metadata` says: ", "cargo 1.80 and newer"];
    refused(command.env("CARGO", needs("echo", "coreutils")), 125, &words);
}

/// Cargo says itself what is wrong, and nobody says it again.
#[test]
pub fn cargo_has_failed() {
    refused_with("echo 'error: it does not compile' >&2; exit 101", 101, &["it does not compile"]);
}

#[test]
pub fn cargo_runs_nothing() {
    refused_with("exit 0", 125, &["cargo has nothing to run for these flags", "--target"]);
}

#[test]
pub fn cargo_runs_several() {
    let script = "for program in one two; do\n\
                  \"$CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER\" \"$program\"; done";
    refused_with(
        script,
        125,
        &["one program is run at a time, and cargo would run one, two", "choose one"],
    );
}

#[test]
pub fn cargo_and_we_do_not_understand_one_another() {
    let words = ["cannot learn from cargo what it would run: ", "`sigspy flamegraph -- PROGRAM`"];
    refused_with("echo nonsense >> \"$SIGSPY_CARGO_NOTES\"", 125, &words);
}
