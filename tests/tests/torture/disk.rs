//! Full disks: a file system of a few pages for what sigspy writes. Each is a tmpfs in a mount
//! namespace of its own, which goes with the last process in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{
    Outcome, Random, TempDir, export, needs, run, run_with_mounts, shell_with_mounts, sigspy,
};

use crate::case::{assert_same, torture_program};

/// Fills a file system of its own at $1 and runs the rest, which may create files there as long as
/// they stay empty: with `nothing`, not even those.
const SCRIPT: &str = r#"
    inodes=64
    [ "$2" = nothing ] && inodes=2
    mount -t tmpfs -o "size=64k,nr_inodes=$inodes" none "$1" || exit 99
    cat /dev/zero >"$1/filler" 2>/dev/null
    shift 2
    exec "$@"
"#;

/// A command that runs with a full disk at `place`.
fn with_full_disk(place: &Path, room_for: &str) -> Command {
    let mut command = shell_with_mounts(SCRIPT);
    command.arg(place).arg(room_for);
    command
}

fn storm() -> [OsString; 2] {
    [torture_program("malloc_storm.c").path.into(), "1".into()]
}

fn bare() -> Outcome {
    let [program, factor] = storm();
    run(Command::new(program).arg(factor))
}

/// Records with a full disk at a place that sigspy may want to use, but need not.
fn check_with_full(place: &Path, variable: Option<&str>) {
    let bare = bare();
    for room_for in ["nothing", "names"] {
        let folder = TempDir::new();
        let recording = folder.join("recording.sigspy");
        let mut command = with_full_disk(place, room_for);
        command.arg(sigspy()).args(["record", "-F", "4000", "-o"]).arg(&recording).arg("--");
        command.args(storm()).envs(variable.map(|variable| (variable, place)));
        let outcome = run_with_mounts(&mut command);
        assert_same(&bare, &outcome, "with a full disk");
        assert!(outcome.errors().is_empty(), "{outcome}");
        assert!(outcome.summary().contains(" samples"), "{outcome}");
        let exported = run(&mut export(&recording)).expect(0);
        assert!(exported.text().contains(";run"), "no samples:\n{exported}{outcome}");
    }
}

#[test]
fn shared_memory_is_full() {
    check_with_full(Path::new("/dev/shm"), None);
}

#[test]
fn the_folder_of_the_cache_is_full() {
    let folder = TempDir::new();
    check_with_full(folder.path(), Some("XDG_CACHE_HOME"));
}

#[test]
fn the_folder_of_the_socket_is_full() {
    let folder = TempDir::new();
    check_with_full(folder.path(), Some("XDG_RUNTIME_DIR"));
}

/// Where nothing can be written, or a name but not a byte, the program does not even start, and
/// sigspy says why.
#[test]
fn the_folder_of_the_recording_is_full() {
    for room_for in ["nothing", "names"] {
        let (full, other) = (TempDir::new(), TempDir::new());
        let mut command = with_full_disk(full.path(), room_for);
        command.arg(sigspy()).args(["record", "-o"]).arg(full.join("recording.sigspy"));
        command.args(["--", "touch"]).arg(other.join("started"));
        let outcome = run_with_mounts(&mut command).expect(125);
        assert_eq!(outcome.errors().len(), 1, "there should be one line with an error:\n{outcome}");
        assert!(!fs::exists(other.join("started")).expect("it is ours"), "{outcome}");
    }
}

/// Runs the rest with a small file system at $1.
const SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=64k none "$1" || exit 99
    shift
    exec "$@"
"#;

/// A program that spends its time below functions with names of random letters, 15,000 each.
fn program_with_long_names(folder: &TempDir) -> PathBuf {
    let mut random = Random::new();
    let mut name =
        || -> String { (0..15_000).map(|_| char::from(b'a' + random.below(26) as u8)).collect() };
    let mut source = "#include <time.h>\nvolatile long x;\n".to_owned();
    let mut callee = "while (clock() < CLOCKS_PER_SEC / 4) x++".to_owned();
    for _ in 0..8 {
        let name = name();
        source += &format!("__attribute__((noinline)) void {name}(void) {{ {callee}; x++; }}\n");
        callee = format!("{name}()");
    }
    source += &format!("int main(void) {{ {callee}; return 7; }}\n");
    let (source, program) = (folder.write("long.c", source), folder.join("long"));
    needs("cc", "gcc");
    run(Command::new("cc").arg("-O1").arg(source).arg("-o").arg(&program)).expect(0);
    program
}

#[test]
fn names_without_room_cost_a_warning() {
    let (full, folder) = (TempDir::new(), TempDir::new());
    let mut command = shell_with_mounts(SMALL_DISK);
    command.arg(full.path()).arg(sigspy()).args(["record", "-o"]).arg(full.join("x.sigspy"));
    let outcome = run_with_mounts(command.arg("--").arg(program_with_long_names(&folder)));
    let outcome = outcome.expect(7);
    assert!(outcome.stderr.contains("warning: the recording has no names in it"), "{outcome}");
}
