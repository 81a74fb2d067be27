//! Nothing recorded is lost, whoever dies: the program, in any way, or sigspy.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use sigspy_tests::{
    Folded, Outcome, Random, Running, TempDir, export, full, kernel_tick, processors, program, run,
    sigspy, spawn, wait_until,
};

const RATE: u32 = 997;

/// A run of `spin` under sigspy, which says in shared memory what CPU time it has used.
struct Spin {
    words: PathBuf,
    recording: PathBuf,
    running: Running,
    _folder: TempDir,
}

impl Spin {
    fn start(seconds: &str, ending: &str) -> Self {
        let folder = TempDir::new();
        let (words, recording) = (folder.join("words"), folder.join("recording.sigspy"));
        let mut sigspy = Command::new(sigspy());
        sigspy.args(["record", "-F", &RATE.to_string(), "-o"]).arg(&recording).arg("--");
        let spin: [OsString; 4] =
            [program("spin.c").path.into(), seconds.into(), (&words).into(), ending.into()];
        let running = spawn(sigspy.args(spin));
        wait_until("spin is running", || word(&words, 0) > 0 && word(&words, 1) > 0);
        Self { words, recording, running, _folder: folder }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(word(&self.words, 0)).expect("a pid"))
    }

    fn wait_for_cpu_time(&self, cpu_time: Duration) {
        let wanted = u64::try_from(cpu_time.as_nanos()).expect("less than 500 years");
        wait_until("spin has used its CPU time", || word(&self.words, 1) >= wanted);
    }

    /// Waits for the end; returns the outcome, the CPU time used and the recording.
    fn end(self) -> (Outcome, u64, Result<Folded, Outcome>) {
        let outcome = self.running.wait();
        (outcome, word(&self.words, 1), read(&self.recording))
    }
}

fn word(path: &Path, index: usize) -> u64 {
    let bytes = fs::read(path).unwrap_or_default();
    let word = bytes.chunks_exact(8).nth(index).map(|bytes| bytes.try_into().expect("8 bytes"));
    word.map_or(0, u64::from_ne_bytes)
}

fn read(recording: &Path) -> Result<Folded, Outcome> {
    let outcome = run(&mut export(recording));
    match Folded::parse(&outcome.text(), 1000) {
        Ok(folded) if outcome.code() == 0 => Ok(folded),
        _ => Err(outcome),
    }
}

fn assert_all_is_kept(spin: Spin, code: i32) {
    let (outcome, cpu_ns, folded) = spin.end();
    let outcome = outcome.expect(code);
    let folded = folded.unwrap_or_else(|export| panic!("the recording is bad:\n{export}{outcome}"));
    // The program counts as begun with the kernel tick before it, ticks are noticed one kernel tick
    // late at most, and the first and the last period are partial.
    let tolerance = 2 * 1_000_000_000 / u64::from(RATE) + 2 * kernel_tick().as_nanos() as u64;
    let sampled = folded.sampled();
    assert!(
        sampled.abs_diff(cpu_ns) <= tolerance,
        "{sampled} ns were sampled of {cpu_ns} ns (give or take {tolerance} ns):\n{}\n{outcome}",
        folded.heaviest(10)
    );
}

#[test]
fn a_program_killed_at_any_moment_keeps_its_samples() {
    let _turn = processors();
    let mut random = Random::new();
    for _ in 0..if full() { 500 } else { 100 } {
        let spin = Spin::start("30", "return");
        std::thread::sleep(Duration::from_micros(20_000 + random.below(230_000)));
        kill(spin.pid(), Signal::SIGKILL).expect("spin is running");
        assert_all_is_kept(spin, 128 + 9);
    }
}

#[test]
fn a_program_that_leaves_by_exit_keeps_its_samples() {
    let _turn = processors();
    assert_all_is_kept(Spin::start("0.5", "_exit"), 0);
}

#[test]
fn a_program_that_aborts_keeps_its_samples() {
    let _turn = processors();
    assert_all_is_kept(Spin::start("0.5", "abort"), 128 + 6);
}

#[test]
fn a_program_that_crashes_keeps_its_samples() {
    let _turn = processors();
    assert_all_is_kept(Spin::start("0.5", "crash"), 128 + 11);
}

#[test]
fn a_program_that_becomes_another_keeps_its_samples() {
    let _turn = processors();
    let (outcome, cpu_ns, folded) = Spin::start("0.5", "exec").end();
    let outcome = outcome.expect(0);
    let folded = folded.unwrap_or_else(|export| panic!("the recording is bad:\n{export}{outcome}"));
    // Two programs, each with its partial first and last period and its start.
    let off = folded.total() as f64 / cpu_ns as f64 - 1.0;
    assert!(off.abs() < 0.05, "off by {:.1} % of {cpu_ns} ns\n{outcome}", 100.0 * off);
}

#[test]
fn the_program_runs_on_when_sigspy_is_killed() {
    let _turn = processors();
    // Orphans become our children, so that we see how they end.
    set_child_subreaper(true).expect("Linux has subreapers");
    let spin = Spin::start("3", "return");
    let pid = spin.pid();
    spin.wait_for_cpu_time(Duration::from_millis(1500));
    spin.running.signal(Signal::SIGKILL);
    let used = word(&spin.words, 1);

    let recording = spin.recording.clone();
    let outcome = spin.running.wait().expect(128 + 9);
    assert_eq!(outcome.text(), "done\n", "the program was disturbed:\n{outcome}");
    assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));

    let exported = run(&mut export(&recording)).expect(0);
    assert!(exported.stderr.contains("ends early"), "no word of the sudden end:\n{exported}");
    let sampled = Folded::parse(&exported.text(), 1000).expect("folded stacks").sampled();
    // What sigspy had in hand when it died is gone, and that is less than a second.
    assert!(
        (500_000_000..=used + 100_000_000).contains(&sampled),
        "{sampled} ns in the recording of {used} ns:\n{exported}"
    );
}

#[test]
fn the_program_runs_on_when_sigspy_is_killed_at_the_start() {
    let _turn = processors();
    let spin = Spin::start("0.3", "return");
    spin.running.signal(Signal::SIGKILL);
    let outcome = spin.running.wait().expect(128 + 9);
    assert_eq!(outcome.text(), "done\n", "the program was disturbed:\n{outcome}");
}
