//! The total is right, and so are the shares of functions and threads.
//!
//! The programs know the CPU time of each of their functions and threads. By default a choice of
//! rates and programs is run, in about two minutes; with `SIGSPY_FULL=1` all of them, and longer.
//!
//! Tolerances: the total, with what was lost or not sampled, within 0.5 %. What was sampled, within
//! 0.5 % or what chance explains (see [`tolerance_of_total`]), and never below 98 % of the CPU time
//! unless chance explains that too. No function or thread is off by more than three standard
//! errors, corrected for the number of functions or threads in the run (see
//! [`implausible_shares`]).

use sigspy_tests::statistics::{Part, implausible_shares, tolerance_of_total};
use sigspy_tests::{Folded, Outcome, Recorded, full, processors, program, record_at, thread_of};

#[test]
fn functions_and_total_are_right_at_97_hz() {
    check_split(97, 12);
}

#[test]
fn functions_and_total_are_right_at_250_hz() {
    check_split(250, 6);
}

#[test]
fn functions_and_total_are_right_at_997_hz() {
    check_split(997, 6);
}

#[test]
fn functions_and_total_are_right_at_4000_hz() {
    check_split(4000, 6);
}

#[test]
fn threads_in_c_are_right_at_97_hz() {
    check_threads("threads.c", 97, &[(1, 8), (2, 16), (8, 20), (64, 24)], &[8, 64]);
}

#[test]
fn threads_in_c_are_right_at_250_hz() {
    check_threads("threads.c", 250, &[(1, 8), (2, 8), (8, 16), (64, 20)], &[2]);
}

#[test]
fn threads_in_c_are_right_at_997_hz() {
    check_threads("threads.c", 997, &[(1, 5), (2, 8), (8, 8), (64, 16)], &[1, 8, 64]);
}

#[test]
fn threads_in_c_are_right_at_4000_hz() {
    check_threads("threads.c", 4000, &[(1, 5), (2, 8), (8, 8), (64, 16)], &[2, 64]);
}

#[test]
fn threads_in_rust_are_right_at_97_hz() {
    check_threads("threads.rs", 97, &[(1, 8), (2, 16), (8, 20), (64, 24)], &[2]);
}

#[test]
fn threads_in_rust_are_right_at_250_hz() {
    check_threads("threads.rs", 250, &[(1, 8), (2, 8), (8, 16), (64, 20)], &[8]);
}

#[test]
fn threads_in_rust_are_right_at_997_hz() {
    check_threads("threads.rs", 997, &[(1, 5), (2, 8), (8, 8), (64, 16)], &[2, 64]);
}

#[test]
fn threads_in_rust_are_right_at_4000_hz() {
    check_threads("threads.rs", 4000, &[(1, 5), (2, 8), (8, 8), (64, 16)], &[8]);
}

/// Runs a program of six functions for some seconds of CPU time, four times as long in full.
fn check_split(hz: u32, seconds: u32) {
    let recorded = profile("split.c", hz, &[seconds * stretch()]);
    let folded = recorded.folded();
    check_total(&recorded, &folded, hz, 1);
    let parts: Vec<Part> = functions(&recorded.outcome)
        .map(|(name, true_ns)| Part { measured_ns: folded.weight_of(&name), name, true_ns })
        .collect();
    check_shares(&recorded, &parts, hz);
}

/// Runs a program with each of the given numbers of threads, for so many seconds of CPU time; all of
/// them in full, else only the chosen ones.
fn check_threads(source: &str, hz: u32, runs: &[(u32, u32)], chosen: &[u32]) {
    for (count, seconds) in runs {
        if full() || chosen.contains(count) {
            check_thread_count(source, hz, *count, seconds * stretch());
        }
    }
}

fn check_thread_count(source: &str, hz: u32, count: u32, seconds: u32) {
    let recorded = profile(source, hz, &[count, seconds]);
    let folded = recorded.folded_by_thread();
    check_total(&recorded, &folded, hz, count);
    let parts: Vec<Part> = threads(&recorded.outcome)
        .map(|(tid, name, true_ns)| {
            let measured_ns = folded.only(|frames| is_thread(frames, tid)).sampled();
            Part { name: format!("{name} ({tid})"), true_ns, measured_ns }
        })
        .collect();
    assert_eq!(parts.len(), count as usize, "{}", recorded.outcome);
    check_shares(&recorded, &parts, hz);
}

fn stretch() -> u32 {
    if full() { 4 } else { 1 }
}

fn profile(source: &str, hz: u32, arguments: &[u32]) -> Recorded {
    let program = program(source);
    let mut command = vec![program.path.into_os_string()];
    command.extend(arguments.iter().map(|argument| argument.to_string().into()));
    let _turn = processors();
    record_at(hz, command).expect(0)
}

/// The lines `name ns` of the program's output.
fn functions(outcome: &Outcome) -> impl Iterator<Item = (String, u64)> {
    lines(outcome).filter(|words| words.len() == 2 && words[0] != "total").map(|words| {
        let ns = words[1].parse().expect("nanoseconds");
        (words[0].clone(), ns)
    })
}

/// The lines `tid name ns` of the program's output.
fn threads(outcome: &Outcome) -> impl Iterator<Item = (u32, String, u64)> {
    lines(outcome).filter(|words| words.len() == 3).map(|words| {
        let tid = words[0].parse().expect("a thread's id");
        let ns = words[2].parse().expect("nanoseconds");
        (tid, words[1].clone(), ns)
    })
}

fn lines(outcome: &Outcome) -> impl Iterator<Item = Vec<String>> {
    let text = outcome.text();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    text.lines().map(words).collect::<Vec<_>>().into_iter()
}

fn is_thread(frames: &[String], wanted: u32) -> bool {
    frames.first().and_then(|frame| thread_of(frame)).is_some_and(|(_, tid)| tid == wanted)
}

fn check_total(recorded: &Recorded, folded: &Folded, hz: u32, threads: u32) {
    let cpu_ns = recorded.outcome.number("total");
    let off = |ns: u64| ns as f64 / cpu_ns as f64 - 1.0;
    let facts = || {
        let roots = ["[lost]", "[SIGPROF blocked]", "[unsampled]", "[incomplete"];
        let below = roots.map(|root| format!("{root} {} ns", folded.weight_below(root))).join(", ");
        format!("at {hz} Hz: {cpu_ns} ns of CPU time; {below}\n{}", recorded.outcome)
    };

    let total = off(folded.total());
    assert!(total.abs() <= 0.005, "the total is off by {:.2} % {}", 100.0 * total, facts());

    let tolerance = tolerance_of_total(cpu_ns, threads, 1e9 / f64::from(hz));
    let sampled = off(folded.sampled());
    let surplus_or_gap = format!("the samples alone are off by {:.2} %", 100.0 * sampled);
    assert!(sampled <= tolerance, "{surplus_or_gap} {}", facts());
    assert!(sampled >= -tolerance.max(0.02), "{surplus_or_gap} {}", facts());
}

fn check_shares(recorded: &Recorded, parts: &[Part], hz: u32) {
    let found = implausible_shares(parts, recorded.unit_ns(hz));
    assert!(found.is_empty(), "at {hz} Hz:\n{}\n{}", found.join("\n"), recorded.outcome);
}
