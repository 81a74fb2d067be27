//! Programs that can be profiled and those that cannot; their exit status and their input.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use sigspy_tests::{
    TempDir, program, program_with, record, record_at, run, run_with_input, unprivileged_sigspy,
};

use crate::{assert_error, executable, record_in};

#[test]
fn a_program_that_does_not_exist_is_127() {
    let folder = TempDir::new();
    let outcome = run(record_in(&folder).args(["--", "./sevrer"]));
    assert_error(&outcome, 127, &["./sevrer"]);
    assert!(!folder.join("recording.sigspy").exists(), "there is nothing to record");
}

#[test]
fn a_program_that_is_not_in_the_path_is_127() {
    let folder = TempDir::new();
    let outcome = run(record_in(&folder).args(["--", "no-such-program-anywhere"]));
    assert_error(&outcome, 127, &["no-such-program-anywhere"]);
}

#[test]
fn a_file_that_is_not_executable_is_126() {
    let folder = TempDir::new();
    folder.write("notes.txt", "not a program\n");
    let outcome = run(record_in(&folder).args(["--", "./notes.txt"]));
    assert_error(&outcome, 126, &["./notes.txt"]);
}

#[test]
fn a_folder_is_not_executable() {
    let folder = TempDir::new();
    let outcome = run(record_in(&folder).args(["--", "/etc"]));
    assert_error(&outcome, 126, &["/etc"]);
}

#[test]
fn a_static_program_is_refused_and_told_why() {
    let folder = TempDir::new();
    let program = program_with("exit_code.c", &["-static"]);
    let outcome = run(record_in(&folder).arg("--").arg(program));
    assert_error(&outcome, 125, &["statically linked"]);
}

#[test]
fn a_set_uid_program_is_refused_and_told_why() {
    let folder = TempDir::new();
    let set_uid = ["/usr/bin/passwd", "/usr/bin/su", "/bin/su", "/usr/bin/mount", "/bin/mount"]
        .into_iter()
        .find(|path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o4000 != 0));
    let set_uid = set_uid.expect("no set-uid program is installed: apt-get install passwd");
    let mut command = unprivileged_sigspy(&folder);
    let outcome = run(command.args(["record", "-o", "recording.sigspy", "--", set_uid, "--help"]));
    assert_error(&outcome, 125, &[set_uid, "set-user-ID"]);
}

#[test]
fn a_32_bit_program_is_refused_and_told_why() {
    let folder = TempDir::new();
    let program = executable(&folder, "old", &elf_header_of_32_bits());
    let outcome = run(record_in(&folder).arg("--").arg(program));
    assert_error(&outcome, 125, &["not a 64-bit x86-64 program"]);
}

/// The file header of a 32-bit x86 program that has nothing in it.
fn elf_header_of_32_bits() -> Vec<u8> {
    const CLASS_32: u8 = 1;
    const LITTLE_ENDIAN: u8 = 1;
    const EXECUTABLE: u8 = 2;
    const I386: u8 = 3;
    let mut header = vec![0; 52];
    header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', CLASS_32, LITTLE_ENDIAN, 1]);
    header[16] = EXECUTABLE;
    header[18] = I386;
    header[20] = 1; // version
    header[40] = 52; // size of this header
    header
}

#[test]
fn a_rate_out_of_range_is_refused() {
    let folder = TempDir::new();
    for rate in ["0", "10001", "-5", "fast"] {
        let flag = format!("--freq={rate}");
        let outcome = run(record_in(&folder).args([&flag, "--", "true"]));
        assert_error(&outcome, 125, &[rate]);
        assert!(!folder.join("recording.sigspy").exists(), "nothing was run");
    }
}

#[test]
fn a_rate_is_understood_however_it_is_written() {
    let folder = TempDir::new();
    for flag in [&["-F250"][..], &["-F", "250"], &["--freq=250"], &["--freq", "250"]] {
        let outcome = run(record_in(&folder).args(flag).args(["--", "true"])).expect(0);
        assert!(outcome.summary().contains("250 Hz"), "{outcome}");
    }
}

#[test]
fn the_slowest_and_the_fastest_rate_work() {
    for rate in [1, 10_000] {
        record_at(rate, [program("split.c").as_ref(), "0.5".as_ref()]).expect(0);
    }
}

#[test]
fn a_program_without_cpu_time_gets_a_diagnosis() {
    let recorded = record([program("sleeper.c")]).expect(0);
    let said = recorded.outcome.stderr.to_lowercase();
    assert!(said.contains("no samples") || said.contains(" 0 samples"), "{}", recorded.outcome);
    assert!(said.contains("cpu time"), "it does not say why:\n{}", recorded.outcome);
}

#[test]
fn the_exit_status_is_that_of_the_program() {
    for (how, number, code) in
        [("exit", 0, 0), ("exit", 3, 3), ("exit", 125, 125), ("raise", 9, 137), ("raise", 15, 143)]
    {
        let program = program("exit_code.c");
        let words = [how.to_owned(), number.to_string()];
        let command = [program.as_ref()].into_iter().chain(words.iter().map(OsStr::new));
        let recorded = record(command).expect(code);
        assert_eq!(recorded.outcome.text(), "ending\n", "{}", recorded.outcome);
    }
}

#[test]
fn true_and_false_are_themselves() {
    record(["true"]).expect(0);
    record(["false"]).expect(1);
}

#[test]
fn standard_input_goes_to_the_program() {
    let folder = TempDir::new();
    let input = "every line of it\n".repeat(60_000);
    let outcome =
        run_with_input(record_in(&folder).args(["--", "cat"]), input.as_bytes()).expect(0);
    assert!(outcome.text() == input, "cat wrote {} bytes\n{outcome}", outcome.stdout.len());
}

#[test]
fn options_after_the_program_are_its_own() {
    let folder = TempDir::new();
    let outcome = run(record_in(&folder).args(["echo", "-F", "4000", "--help", "-o"])).expect(0);
    assert_eq!(outcome.text(), "-F 4000 --help -o\n");
}

#[test]
fn the_summary_says_what_was_recorded_and_where() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let summary = recorded.outcome.summary();
    for words in [" samples", " CPU, ", " 1 thread", "recording.sigspy"] {
        assert!(summary.contains(words), "`{words}` is not in `{summary}`");
    }
}
