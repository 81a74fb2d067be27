//! Programs that use what sigspy uses: SIGPROF, signal masks, timers, stacks of their own, or a
//! profiler of their own. They behave as without us, and are profiled all the same.
//!
//! Each program runs bare and profiled. It prints what it finds, which must be the same in both
//! runs, and `burnt`, the CPU time in its function `work`, which differs and is what we must find.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{Outcome, Recorded, TempDir, full, processors, program_in, record_with, run};

/// Signals for ticks: the usual one, and one that none of the programs uses.
const SIGNALS: [&str; 2] = ["PROF", "40"];

#[test]
fn a_handler_of_the_programs_own_by_sigaction_is_called_for_its_signals_alone() {
    assert_unnoticed("handlers.c", &["sigaction"]);
}

#[test]
fn a_handler_of_the_programs_own_by_signal_is_called_for_its_signals_alone() {
    assert_unnoticed("handlers.c", &["signal"]);
}

#[test]
fn a_handler_of_the_programs_own_by_a_raw_system_call_is_adopted_when_a_thread_starts() {
    assert_unnoticed("handlers.c", &["raw"]);
}

#[test]
fn a_program_that_blocks_sigprof_reads_back_what_it_set() {
    assert_same("masks.c", &[]);
}

#[test]
fn sigwait_for_all_signals_gets_those_of_the_program_alone() {
    assert_received("sigwait");
}

#[test]
fn sigwaitinfo_for_all_signals_gets_those_of_the_program_alone() {
    assert_received("sigwaitinfo");
}

#[test]
fn sigtimedwait_for_all_signals_gets_those_of_the_program_alone() {
    assert_received("sigtimedwait");
}

#[test]
fn a_signalfd_for_all_signals_gets_those_of_the_program_alone() {
    assert_received("signalfd");
}

#[test]
fn fibers_switched_by_assembly_compute_the_same() {
    assert_unnoticed("jump.c", &[]);
}

#[test]
fn a_stack_overflow_in_rust_is_still_reported_by_its_standard_library() {
    let program = program_in("coexistence", "overflow.rs", &[]);
    for place in ["main", "thread"] {
        let _turn = processors();
        let bare = run(Command::new(&program).arg(place)).expect(128 + 6);
        for signal in SIGNALS {
            let command: [&OsStr; 2] = [program.as_ref(), place.as_ref()];
            let options = ["-F", "997", "--signal", signal];
            let recorded = record_with(&options, command).expect(128 + 6);
            let profiled = &recorded.outcome;
            assert_eq!(bare.text(), profiled.text(), "{profiled}");
            assert_eq!(complaint(&bare), complaint(profiled), "{profiled}");
            let seen = recorded.folded().weight_of("overflow::work");
            assert!(seen > 0, "nothing before the overflow\n{profiled}");
        }
    }
}

/// What the standard library says, without numbers: they are those of threads.
fn complaint(outcome: &Outcome) -> String {
    let line = outcome.stderr.lines().find(|line| line.contains("has overflowed its stack"));
    let line = line.unwrap_or_else(|| panic!("no word about an overflow:\n{outcome}"));
    line.chars().filter(|character| !character.is_ascii_digit()).collect()
}

#[test]
fn gperftools_with_setitimer_takes_its_own_samples_beside_ours() {
    assert_gperftools_works("");
}

#[test]
fn gperftools_with_a_timer_for_each_thread_takes_its_own_samples_beside_ours() {
    assert_gperftools_works("CPUPROFILE_PER_THREAD_TIMERS=1");
}

/// `libprofiler` is preloaded, starts before `main`, and writes its profile at exit. A shell puts it
/// in front of what sigspy preloads, so that it profiles the program and not sigspy.
fn assert_gperftools_works(setting: &str) {
    let _turn = processors();
    let program = program_in("coexistence", "profiled.c", &[]);
    let folder = TempDir::new();
    let library = gperftools();
    let script = format!(
        "export LD_PRELOAD=\"{}${{LD_PRELOAD:+:$LD_PRELOAD}}\" {setting} CPUPROFILE_FREQUENCY=25; \
         CPUPROFILE=\"$1\" exec \"$0\"",
        library.display()
    );
    let command = |file: &Path| {
        let words: [&OsStr; 5] =
            ["sh".as_ref(), "-c".as_ref(), script.as_ref(), program.as_ref(), file.as_ref()];
        words.map(OsStr::to_owned)
    };
    let alone = folder.join("alone");
    let bare = run(Command::new("sh").args(&command(&alone)[1..])).expect(0);
    let alone = samples_per_second(&alone, &bare);
    // 75 samples: a faster clock loses expiries on a busy machine, as gperftools does not count those
    // that are merged into one signal. The clock of setitimer goes by the kernel's ticks that find
    // the program running, 750 at 250 Hz. Where it shares its CPU with another, that is each second
    // tick at random: three standard errors, sqrt(0.5 / 750), are 8 %, and 11 % of a ratio of two.
    assert!((23.0..27.0).contains(&alone), "{alone} samples a second, without us\n{bare}");
    for signal in SIGNALS {
        let beside = folder.join(signal);
        let recorded = record_with(&["-F", "997", "--signal", signal], command(&beside)).expect(0);
        let ratio = samples_per_second(&beside, &recorded.outcome) / alone;
        assert!((0.89..1.11).contains(&ratio), "{ratio} of its samples\n{}", recorded.outcome);
        assert_finds_work(&recorded);
    }
}

fn samples_per_second(profile: &Path, outcome: &Outcome) -> f64 {
    gperftools_samples(profile) as f64 / outcome.number("burnt") as f64 * 1e9
}

fn gperftools() -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let candidates = folders.map(|folder| Path::new(folder).join("libprofiler.so.0"));
    let found = candidates.into_iter().find(|library| library.exists());
    found.expect("libprofiler.so.0 is missing: apt-get install libgoogle-perftools4")
}

/// The samples in a profile of gperftools: words, of which the first five are a header. A record is
/// a count, a number of addresses, and these; the last one has the count 0.
///
/// Source: gperftools, docs/cpuprofile-fileformat.html.
fn gperftools_samples(file: &Path) -> u64 {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("no profile of gperftools: {error}"));
    let (words, _) = bytes.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let (mut rest, mut samples) = (&words[5..], 0);
    while let [count, addresses, behind @ ..] = rest
        && *count > 0
    {
        samples += count;
        rest = &behind[usize::try_from(*addresses).expect("addresses that were in memory")..];
    }
    samples
}

/// The program prints the same as without us, and we find the work that it says it did.
fn assert_unnoticed(source: &str, arguments: &[&str]) {
    for recorded in assert_same(source, arguments) {
        assert_finds_work(&recorded);
    }
}

/// The program gets its own signals and no others. A thread that one of its SIGPROFs has found behind
/// a mask has no ticks from then on, which is documented; with another signal for ticks, all have.
fn assert_received(way: &str) {
    let recorded = assert_same("receives.c", &[way]);
    assert_finds_work(recorded.last().expect("the one with the other signal"));
}

/// The program prints the same as without us, whatever the signal of ticks.
fn assert_same(source: &str, arguments: &[&str]) -> Vec<Recorded> {
    let program = program_in("coexistence", source, &[]);
    let _turn = processors();
    let bare = run(Command::new(&program).args(arguments)).expect(0);
    let rounds = if full() { 10 } else { 1 };
    let signals = SIGNALS.into_iter().cycle().take(rounds * SIGNALS.len());
    let profiled = signals.map(|signal| {
        let command = [program.as_ref()].into_iter().chain(arguments.iter().map(OsStr::new));
        let recorded = record_with(&["-F", "997", "--signal", signal], command);
        assert_eq!(findings(&bare), findings(&recorded.outcome), "{signal}: {}", recorded.outcome);
        recorded.expect(0)
    });
    profiled.collect()
}

fn findings(outcome: &Outcome) -> Vec<String> {
    let text = outcome.text();
    text.lines().filter(|line| !line.starts_with("burnt ")).map(str::to_owned).collect()
}

/// The profile has the CPU time that the program says it spent in `work`.
fn assert_finds_work(recorded: &Recorded) {
    let burnt = recorded.outcome.number("burnt") as f64;
    let folded = recorded.folded();
    let share = folded.weight_of("work") as f64 / burnt;
    // One to three seconds at 4 ms a sample are 250 of them or more. They are not draws, as the
    // clock is that of the work itself: what is left is some samples at the ends of three threads,
    // and the time between two pieces of work.
    let outcome = &recorded.outcome;
    assert!((0.95..1.05).contains(&share), "{share}:\n{}\n{outcome}", folded.heaviest(8));
}
