//! Bad recordings and full disks: a sentence for the reader, and never a hang or a panic.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use sigspy_tests::{
    Folded, Outcome, Random, TempDir, export, full, needs, program, record_with, run, run_within,
    sigspy, spawn, unprivileged_sigspy, wait_until,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A whole recording of many different stacks.
fn whole_recording() -> &'static [u8] {
    static RECORDING: OnceLock<Vec<u8>> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let recorded = record_with(
            &["-F", "997", "--clock", "thread", "--symbols", "later"],
            [program("deep.cpp").as_ref(), "4".as_ref()],
        )
        .expect(0);
        fs::read(&recorded.path).expect("the recording can be read")
    })
}

fn report(recording: &Path) -> Command {
    let mut command = Command::new(sigspy());
    command.args(["report", "-i"]).arg(recording);
    command
}

/// Reads a recording with `report` or `export`, as chance has it.
fn read_with_either(random: &mut Random, recording: &Path) -> Outcome {
    let mut command = if random.below(2) == 0 { report(recording) } else { export(recording) };
    let outcome = run_within(PATIENCE, &mut command);
    assert_calm(&outcome);
    outcome
}

/// No panic and no crash; if it failed, then with one sentence and nothing on stdout.
fn assert_calm(outcome: &Outcome) {
    assert!(!outcome.stderr.contains("panicked"), "it panicked:\n{outcome}");
    assert!(![101, 134, 137, 139].contains(&outcome.code()), "it crashed:\n{outcome}");
    if outcome.code() != 0 {
        assert_one_sentence(outcome);
        assert_eq!(outcome.text(), "", "{outcome}");
    }
}

fn assert_one_sentence(outcome: &Outcome) {
    assert_eq!(outcome.errors().len(), 1, "there should be one line with an error:\n{outcome}");
}

fn assert_unreadable(outcome: &Outcome) {
    assert_calm(outcome);
    assert_eq!(outcome.code(), 125, "{outcome}");
}

#[test]
fn a_recording_cut_at_any_byte_shows_what_is_there_and_says_so() {
    let whole = whole_recording();
    let folder = TempDir::new();
    let mut random = Random::new();
    let length = whole.len() as u64;
    let every_64_kib = (0..length).step_by(64 << 10);
    let anywhere: Vec<u64> =
        (0..if full() { 500 } else { 100 }).map(|_| random.below(length)).collect();
    for cut in every_64_kib.chain(anywhere) {
        let path = folder.write("cut.sigspy", &whole[..usize::try_from(cut).expect("a length")]);
        let outcome = read_with_either(&mut random, &path);
        // Half of a recording has samples in it; the first bytes may have none.
        if outcome.code() == 0 || cut > length / 2 {
            let outcome = outcome.expect(0);
            let said = outcome.text() + &outcome.stderr;
            assert!(said.contains("ends early"), "cut at {cut} of {length}:\n{outcome}");
        }
        if cut > length / 2 {
            let exported = run_within(PATIENCE, &mut export(&path)).expect(0);
            let folded = Folded::parse(&exported.text(), 1000).expect("folded stacks");
            assert!(folded.sampled() > 0, "cut at {cut} of {length}:\n{exported}");
        }
    }
}

#[test]
fn a_recording_with_a_flipped_bit_does_no_harm() {
    let folder = TempDir::new();
    let mut random = Random::new();
    for _ in 0..if full() { 5000 } else { 500 } {
        let mut bytes = whole_recording().to_owned();
        let bit = random.below(8 * bytes.len() as u64);
        bytes[usize::try_from(bit / 8).expect("an index")] ^= 1 << (bit % 8);
        read_with_either(&mut random, &folder.write("flipped.sigspy", bytes));
    }
}

#[test]
fn an_empty_file_is_no_recording() {
    let folder = TempDir::new();
    let path = folder.write("empty.sigspy", "");
    assert_unreadable(&run_within(PATIENCE, &mut report(&path)));
    assert_unreadable(&run_within(PATIENCE, &mut export(&path)));
}

#[test]
fn a_file_of_another_kind_is_no_recording() {
    let folder = TempDir::new();
    let text = folder.write("notes.txt", "a line of text\n".repeat(1000));
    for path in [program("split.c").path, text, PathBuf::from("/dev/null")] {
        assert_unreadable(&run_within(PATIENCE, &mut report(&path)));
        assert_unreadable(&run_within(PATIENCE, &mut export(&path)));
    }
}

#[test]
fn a_folder_is_no_recording() {
    let folder = TempDir::new();
    assert_unreadable(&run_within(PATIENCE, &mut report(folder.path())));
    assert_unreadable(&run_within(PATIENCE, &mut export(folder.path())));
}

#[test]
fn a_missing_recording_is_named() {
    let outcome = run_within(PATIENCE, &mut report(Path::new("/nowhere/at-all.sigspy")));
    assert_unreadable(&outcome);
    assert!(outcome.stderr.contains("/nowhere/at-all.sigspy"), "{outcome}");
}

#[test]
fn a_recording_that_may_not_be_read_is_named() {
    let folder = TempDir::new();
    let path = folder.write("secret.sigspy", whole_recording());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let mut command = unprivileged_sigspy(&folder);
    let outcome = run_within(PATIENCE, command.args(["report", "-i"]).arg(&path));
    assert_unreadable(&outcome);
    assert!(outcome.stderr.contains("secret.sigspy"), "{outcome}");
}

/// After the disk filled up: the program is unharmed, sigspy says what happened, and the first part
/// of the recording can be read.
fn assert_survived_full_disk(outcome: &Outcome, exported: &Outcome) {
    assert_eq!(outcome.code(), 125, "sigspy could not write:\n{outcome}");
    assert_one_sentence(outcome);
    assert!(outcome.text().contains("\ntotal "), "the program was disturbed:\n{outcome}");
    assert_eq!(exported.code(), 0, "the recording cannot be read:\n{exported}");
    let folded = Folded::parse(&exported.text(), 1000).expect("folded stacks");
    assert!(folded.sampled() > 0, "nothing was kept:\n{exported}");
}

#[test]
fn a_limit_on_the_size_of_files_ends_the_recording_and_not_the_program() {
    needs("prlimit", "util-linux");
    let folder = TempDir::new();
    let path = folder.join("recording.sigspy");
    let mut command = Command::new(sigspy());
    command.args(["record", "-F", "997", "-o"]).arg(&path).arg("--");
    let running = spawn(command.arg(program("deep.cpp")).arg("5"));
    wait_until("something is recorded", || size(&path) > 4096);
    // Only now, and for sigspy alone: the limit also counts for the memory that it shares.
    let limit = format!("--fsize={}", size(&path) + 4096);
    let pid = running.pid().to_string();
    run(Command::new("prlimit").args(["--pid", &pid, &limit])).expect(0);
    let outcome = running.wait();
    assert_survived_full_disk(&outcome, &run(&mut export(&path)));
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_program() {
    if !can_mount() {
        println!("mounting is not allowed here: the limit on the size of files has to stand in");
        return;
    }
    let folder = TempDir::new();
    let disk = folder.join("disk");
    fs::create_dir(&disk).expect("the folder is ours");
    // The disk is gone when the shell ends, so it also reads the recording.
    let script = r#"
        disk=$1 size=$2 exported=$3 sigspy=$4; shift 4
        mount -t tmpfs -o "size=$size" none "$disk" || exit 99
        "$sigspy" record -F 997 --clock thread -o "$disk/recording.sigspy" -- "$@"
        status=$?
        "$sigspy" export --format folded --unit us -i "$disk/recording.sigspy" > "$exported" || exit 98
        exit $status
    "#;
    let exported = folder.join("exported");
    let half = (whole_recording().len() / 2).next_multiple_of(4096).to_string();
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script, "sh"]).arg(&disk).arg(half).arg(&exported);
    let outcome = run(command.arg(sigspy()).arg(program("deep.cpp")).arg("4"));
    let exported = run(Command::new("cat").arg(&exported));
    assert_survived_full_disk(&outcome, &exported);
}

fn can_mount() -> bool {
    let folder = TempDir::new();
    let mut command = Command::new("unshare");
    command.args(["-Urm", "mount", "-t", "tmpfs", "none"]).arg(folder.path());
    run(&mut command).code() == 0
}
