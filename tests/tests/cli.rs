//! The command line: exit codes, messages, files, and signals from the keyboard.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use sigspy_tests::{
    Folded, Outcome, Running, TempDir, export, program, program_with, record, record_at, run,
    run_with_input, sigspy, spawn, unprivileged_sigspy, wait_until,
};

/// `sigspy record` in a folder, with a recording of a known name.
fn record_in(folder: &TempDir) -> Command {
    let mut command = Command::new(sigspy());
    command.args(["record", "-o", "recording.sigspy"]).current_dir(folder.path());
    command
}

fn assert_error(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code(), code, "exit status of\n{outcome}");
    let errors = outcome.errors();
    assert_eq!(errors.len(), 1, "there should be one line with an error:\n{outcome}");
    for word in words {
        assert!(errors[0].contains(word), "the error does not say `{word}`:\n{outcome}");
    }
    assert_eq!(outcome.text(), "", "an error belongs on stderr:\n{outcome}");
}

fn executable(folder: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = folder.write(name, contents);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

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

#[test]
fn a_recording_without_a_name_gets_one_and_is_the_default_afterwards() {
    let folder = TempDir::new();
    let sigspy_here = || {
        let mut command = Command::new(sigspy());
        command.current_dir(folder.path());
        command
    };
    run(sigspy_here().args(["record", "--"]).arg(program("split.c")).arg("0.5")).expect(0);
    let link = fs::read_link(folder.join("sigspy.sigspy")).expect("a link to the recording");
    let name = link.to_string_lossy().into_owned();
    assert!(name.starts_with("sigspy-split-") && name.ends_with(".sigspy"), "{name}");
    let report = run(sigspy_here().arg("report")).expect(0);
    assert!(report.text().contains("burn_48_percent"), "{report}");
    let exported = run(sigspy_here().args(["export", "--format", "folded"])).expect(0);
    assert!(exported.text().contains("main;burn_48_percent"), "{exported}");
}

#[test]
fn a_file_of_someone_else_is_not_overwritten() {
    let folder = TempDir::new();
    let notes = folder.write("recording.sigspy", "my notes\n");
    let outcome = run(record_in(&folder).args(["--", "true"]));
    assert_error(&outcome, 125, &["recording.sigspy", "--force"]);
    assert_eq!(fs::read(&notes).expect("it is there"), b"my notes\n");

    run(record_in(&folder).args(["--force", "--"]).arg(program("split.c")).arg("0.5")).expect(0);
    run(&mut export(&notes)).expect(0);
}

#[test]
fn a_recording_cannot_be_written_into_nowhere() {
    let folder = TempDir::new();
    let mut command = Command::new(sigspy());
    command.args(["record", "-o", "nowhere/recording.sigspy", "--", "echo", "run"]);
    let outcome = run(command.current_dir(folder.path()));
    assert_error(&outcome, 125, &["nowhere/recording.sigspy"]);
}

#[test]
fn the_report_begins_with_its_quality() {
    let recorded = record_at(997, [program("split.c").as_ref(), "2".as_ref()]).expect(0);
    let report = recorded.report();
    let first = report.lines().next().unwrap_or_default();
    assert!(first.contains('%') && first.contains("whole"), "the first line is `{first}`");
    assert!(report.contains("burn_48_percent"), "{report}");
}

#[test]
fn the_quality_names_modules_and_may_decide_on_the_exit_status() {
    let recorded = record_at(997, [program("split.c").as_ref(), "2".as_ref()]).expect(0);
    let report = |options: &[&str]| {
        let mut command = Command::new(sigspy());
        run(command.arg("report").args(options).arg(&recorded.path))
    };
    let quality = report(&["--quality", "--fail-on-loss", "5"]).expect(0).text();
    let whole = quality.lines().find(|line| line.ends_with("  split"));
    assert!(whole.is_some_and(|line| line.trim().starts_with("100.0 %")), "{quality}");
    assert!(!quality.contains("not whole\n"), "{quality}");
    let failed = report(&["--fail-on-loss=-1"]).expect(1);
    assert!(failed.stderr.contains("has no whole stack"), "{failed}");
}

#[test]
fn ticks_and_microseconds_tell_the_same() {
    let recorded = record_at(97, [program("split.c").as_ref(), "3".as_ref()]).expect(0);
    let mut command = Command::new(sigspy());
    command.args(["export", "--format", "folded", "--unit", "ticks", "-i"]).arg(&recorded.path);
    let exported = run(&mut command).expect(0);
    let in_ticks = Folded::parse(&exported.text(), 10_309_278).expect("folded stacks").sampled();
    let in_us = recorded.folded().sampled();
    // Two ticks that come as one signal count as one.
    assert!(in_ticks.abs_diff(in_us) <= in_us / 20, "{in_ticks} ns, {in_us} ns\n{exported}");
}

#[test]
fn an_export_to_a_file_leaves_stdout_empty() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let file = recorded.folder().join("split.folded");
    let on_stdout = run(&mut export(&recorded.path)).expect(0).text();
    let outcome = run(export(&recorded.path).arg("-o").arg(&file)).expect(0);
    assert_eq!(outcome.text(), "", "{outcome}");
    assert_eq!(fs::read_to_string(file).expect("it was written"), on_stdout);
}

#[test]
fn a_flame_graph_comes_from_a_program_or_from_a_recording() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let from_recording = recorded.folder().join("recording.svg");
    let mut command = Command::new(sigspy());
    command.arg("flamegraph").arg("-i").arg(&recorded.path).arg("-o").arg(&from_recording);
    run(&mut command).expect(0);
    assert_flame_graph(&from_recording);

    let from_program = recorded.folder().join("program.svg");
    let mut command = Command::new(sigspy());
    command.args(["flamegraph", "-F", "250", "-o"]).arg(&from_program).arg("--");
    command.current_dir(recorded.folder());
    let outcome = run(command.arg(program("split.c")).arg("1")).expect(0);
    assert!(outcome.text().starts_with("burn_48_percent "), "{outcome}");
    assert_flame_graph(&from_program);
}

fn assert_flame_graph(path: &Path) {
    let svg = fs::read_to_string(path).expect("the flame graph was written");
    assert!(svg.contains("<svg") && svg.contains("</svg>"), "{}", path.display());
    assert!(svg.contains("burn_48_percent"), "{} has no functions", path.display());
}

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

/// A program with a handler for SIGINT, under sigspy and ready for the signal.
fn interruptible(folder: &TempDir, mode: &str) -> Running {
    let ready = folder.join("ready");
    let mut command = record_in(folder);
    let running = spawn(command.arg("--").arg(program("interrupt.c")).arg(mode).arg(&ready));
    wait_until("the program is ready", || ready.exists());
    std::thread::sleep(Duration::from_millis(300));
    running
}

#[test]
fn the_first_interrupt_belongs_to_the_program() {
    let folder = TempDir::new();
    let running = interruptible(&folder, "once");
    running.signal_group(Signal::SIGINT);
    let outcome = running.wait_within(Duration::from_secs(20)).expect(0);
    assert_eq!(outcome.text(), "interrupted\nended\n", "{outcome}");
    let folded = recorded_in(&folder);
    // 0.3 s of CPU time come after the interrupt.
    assert!(folded.sampled() > 280_000_000, "{}\n{outcome}", folded.heaviest(10));
}

#[test]
fn the_second_interrupt_ends_the_recording_and_writes_it() {
    let folder = TempDir::new();
    let running = interruptible(&folder, "always");
    running.signal_group(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    running.signal_group(Signal::SIGINT);
    let outcome = running.wait_and_kill_the_rest(Duration::from_secs(20));
    assert!(outcome.summary().contains(" samples"), "{outcome}");
    assert!(recorded_in(&folder).sampled() > 50_000_000, "{outcome}");
}

#[test]
fn a_program_that_dies_of_the_interrupt_is_recorded() {
    let folder = TempDir::new();
    let words = folder.join("words");
    let running = spawn(record_in(&folder).arg("--").arg(program("spin.c")).arg("30").arg(&words));
    wait_until("the program is running", || words.exists());
    std::thread::sleep(Duration::from_millis(500));
    running.signal_group(Signal::SIGINT);
    let outcome = running.wait_within(Duration::from_secs(20)).expect(128 + 2);
    assert!(recorded_in(&folder).sampled() > 50_000_000, "{outcome}");
}

fn recorded_in(folder: &TempDir) -> Folded {
    let outcome = run(&mut export(&folder.join("recording.sigspy"))).expect(0);
    Folded::parse(&outcome.text(), 1000).expect("folded stacks")
}
