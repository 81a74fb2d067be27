//! Programs that cannot be recorded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use sigspy_tests::{TempDir, program_with, unprivileged_sigspy};

use crate::{refused, sigspy_in};

fn record(folder: &TempDir) -> Command {
    let mut command = sigspy_in(folder);
    command.args(["record", "-o", "recording.sigspy", "--"]);
    command
}

fn executable(folder: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = folder.write(name, contents);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

/// A small program, changed.
fn changed_program(folder: &TempDir, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(program_with("exit_code.c", &[]).path).expect("it was built");
    change(&mut bytes);
    executable(folder, "changed", &bytes)
}

#[test]
pub fn a_program_does_not_exist() {
    let folder = TempDir::new();
    refused(record(&folder).arg("./sevrer"), 127, &["cannot find ./sevrer", "give its path"]);
}

#[test]
pub fn a_program_is_not_executable() {
    let folder = TempDir::new();
    folder.write("notes", "text");
    refused(record(&folder).arg("./notes"), 126, &["./notes is not executable", "chmod +x"]);
}

#[test]
pub fn a_program_is_a_folder() {
    let folder = TempDir::new();
    refused(record(&folder).arg("/etc"), 126, &["/etc is a folder", "name the program in it"]);
}

#[test]
pub fn a_program_is_a_text() {
    let folder = TempDir::new();
    executable(&folder, "notes", b"text without an interpreter\n");
    let words = ["neither an ELF program nor a script", "name the program that runs it"];
    refused(record(&folder).arg("./notes"), 126, &words);
}

#[test]
pub fn a_program_is_static() {
    let folder = TempDir::new();
    let program = program_with("exit_code.c", &["-static"]);
    refused(record(&folder).arg(program), 125, &["is statically linked", "link it dynamically"]);
}

#[test]
pub fn a_program_gains_rights() {
    let folder = TempDir::new();
    let names = ["/usr/bin/passwd", "/usr/bin/su", "/bin/su", "/usr/bin/mount", "/bin/mount"];
    let set_uid = names
        .into_iter()
        .find(|path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o4000 != 0));
    let set_uid = set_uid.expect("no set-uid program is installed: apt-get install passwd");
    let mut command = unprivileged_sigspy(&folder);
    command.args(["record", "-o", "recording.sigspy", "--", set_uid, "--help"]);
    refused(&mut command, 125, &[set_uid, "set-user-ID", "run a copy without them"]);
}

#[test]
pub fn a_program_is_for_another_machine() {
    const MACHINE: usize = 18;
    const AARCH64: u8 = 183;
    let folder = TempDir::new();
    let program = changed_program(&folder, |bytes| bytes[MACHINE] = AARCH64);
    refused(record(&folder).arg(program), 125, &["not a 64-bit x86-64 program", "build it for"]);
}

#[test]
pub fn a_program_has_no_loader() {
    let folder = TempDir::new();
    let program = changed_program(&folder, |bytes| {
        let loader = b"/lib64/ld-linux";
        let place = bytes.windows(loader.len()).position(|part| part == loader);
        bytes[place.expect("it names its loader") + 5] = b'5';
    });
    let words = ["cannot run ", "No such file or directory", "whether it runs without sigspy"];
    refused(record(&folder).arg(program), 126, &words);
}

#[test]
pub fn there_is_no_place_to_meet() {
    let folder = TempDir::new();
    let words = ["cannot make a folder for the agent's socket: ", "`sigspy doctor` says"];
    let mut command = record(&folder);
    command.arg("true").env("XDG_RUNTIME_DIR", "/proc").env("TMPDIR", "/proc");
    refused(&mut command, 125, &words);
}

#[test]
pub fn a_program_did_nothing() {
    let folder = TempDir::new();
    let mut command = sigspy_in(&folder);
    command.args(["flamegraph", "-F", "1", "--"]).arg(program_with("sleeper.c", &[]));
    refused(&mut command, 125, &["no samples: ", " ms of CPU time", "raise the rate with -F"]);
    assert!(!folder.join("flamegraph.svg").exists(), "there is nothing to draw");
}
