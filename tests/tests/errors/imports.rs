//! Files of other tools that cannot be imported, and recordings that cannot be merged.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use sigspy_tests::{TempDir, needs, program, record_with, run, run_with_input};

use crate::{refused, sigspy_in};

/// `sigspy import` of a file with these bytes fails with these words, and leaves no recording.
#[track_caller]
fn not_imported(bytes: &[u8], words: &[&str]) {
    let folder = TempDir::new();
    folder.write("profile.txt", bytes);
    let words = [&["cannot import profile.txt: "], words].concat();
    refused(sigspy_in(&folder).args(["import", "profile.txt"]), 125, &words);
    assert!(!folder.join("profile.sigspy").exists(), "there is nothing to show");
}

/// A profile of pprof with one sample, of this value and unit.
fn pprof(unit: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x0a\x04\x08\x01\x10\x02\x12".to_vec(); // type 1, unit 2; a sample:
    bytes.extend([value.len() as u8 + 1, 0x10]);
    bytes.extend(value);
    for text in ["", "kind", unit] {
        bytes.extend([0x32, text.len() as u8]);
        bytes.extend(text.bytes());
    }
    bytes
}

#[test]
pub fn a_file_does_not_exist() {
    let words = ["cannot read nothing.folded: No such file or directory"];
    refused(sigspy_in(&TempDir::new()).args(["import", "nothing.folded"]), 125, &words);
}

#[test]
pub fn a_file_is_of_no_known_format() {
    not_imported(b"\x7fELF\x02\x01\x01", &["none of the formats", "--from"]);
    not_imported(b"{\"traceEvents\":[]}", &["none of the formats", "perf script"]);
}

#[test]
pub fn a_file_is_of_perf_record() {
    not_imported(b"PERFILE2\x68\0\0\0", &["run `perf script -i FILE > FILE.txt`"]);
}

#[test]
pub fn a_file_is_a_recording_already() {
    not_imported(b"SIGSPY\r\n\x04\0\0\0\0\0\0\0", &["a recording of sigspy already"]);
}

#[test]
pub fn a_file_has_no_samples() {
    not_imported(b"# nothing\n\n", &["no samples in it; is it really folded stacks?"]);
}

#[test]
pub fn a_command_gives_no_stacks() {
    let recorded =
        record_with(&["-F", "997"], [program("split.c").path.into(), OsString::from("1")]);
    let commands = [
        ("exit 3", "`exit 3` gives no stacks to draw: exit status: 3"),
        ("cat > /dev/null", "no samples in it"),
        ("echo main", "line 1"),
        ("kill -9 $$", "signal: 9"),
    ];
    for (command, words) in commands {
        let folder = TempDir::new();
        let mut draw = sigspy_in(&folder);
        draw.args(["flamegraph", "--post-process", command]).arg(&recorded.path);
        refused(&mut draw, 125, &[words, "it is to read folded stacks"]);
        assert!(!folder.join("flamegraph.svg").exists(), "there is nothing to show");
    }
}

#[test]
pub fn a_line_is_no_stack() {
    not_imported(b"main;work 3\nmain;rest\n", &["line 2 is no folded stack", "--from"]);
}

#[test]
pub fn a_file_cannot_be_unpacked() {
    not_imported(b"\x1f\x8b\x08\0 not gzip", &["it cannot be unpacked: ", "make the file again"]);
}

#[test]
pub fn a_file_unpacks_to_too_much() {
    let mut gzip = Command::new(needs("gzip", "gzip"));
    let bytes = run_with_input(gzip.arg("-c"), &vec![0; 4 << 20]).expect(0).stdout;
    not_imported(&bytes, &["unpacks to more than 100 times its size", "gunzip"]);
}

#[test]
pub fn a_profile_of_pprof_is_none() {
    let mut bytes = pprof("nanoseconds", &[5]);
    bytes[8] = 0x08; // what was the value is a location
    not_imported(&bytes, &["no valid pprof profile: a sample has too few values"]);
}

#[test]
pub fn a_profile_is_not_of_time() {
    not_imported(&pprof("bytes", &[5]), &["its values are kind (bytes), and none of them is time"]);
}

#[test]
pub fn a_profile_is_a_difference() {
    let minus_one = [[0xff; 9].as_slice(), &[1]].concat();
    not_imported(&pprof("nanoseconds", &minus_one), &["negative values", "import the two"]);
}

#[test]
pub fn a_profile_is_longer_than_anybody_lives() {
    not_imported(b"main 9999999999999999\n", &["more than a hundred years", "--unit"]);
}

#[test]
pub fn recordings_are_of_wall_and_of_cpu_time() {
    let folder = TempDir::new();
    for clock in ["thread", "wall"] {
        let program = program("split.c");
        let command = [program.as_ref(), "0.1".as_ref()];
        let recorded = record_with(&["-F", "997", "--clock", clock], command).expect(0);
        folder.write(clock, fs::read(&recorded.path).expect("it can be read"));
    }
    let words = ["some of these have wall time and others CPU time", "merge those of one kind"];
    refused(sigspy_in(&folder).args(["merge", "thread", "wall"]), 125, &words);
    assert!(!folder.join("merged.sigspy").exists());
}

#[test]
pub fn recordings_are_too_much_together() {
    let folder = TempDir::new();
    folder.write("long.folded", "main 4000000000000000\n");
    let mut import = sigspy_in(&folder);
    run(import.args(["import", "long.folded"])).expect(0);
    let words = ["more than one recording can hold", "merge fewer"];
    refused(sigspy_in(&folder).args(["merge", "long.sigspy", "long.sigspy"]), 125, &words);
}
