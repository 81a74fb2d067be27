//! No call of the program returns EINTR because of us.
//!
//! The agent's handler is installed with SA_RESTART, but the kernel restarts neither `poll`,
//! `epoll_wait`, `select`, the sleeps, nor a `recv` with a time-out: a signal that finds a thread in
//! one of those ends the call. The clocks of CPU time must not do that: they stand still while a
//! thread sleeps, so their signals are for threads that run. A signal for the whole process may go to
//! another thread than the one that ran: that of `--clock process` does so now and then, which is
//! documented, as it is for `--clock wall` and for `--clock perf`, whose ticks come within system
//! calls, too.
//!
//! A run is 10,000 calls, with `SIGSPY_FULL=1` 200,000: of each of the eight ways to wait equally
//! many. None may be interrupted: there is no tolerance, as programs take EINTR for an error.

use std::process::Command;

use sigspy_tests::{Outcome, full, processors, program, record_with, run};

const WAYS: [&str; 8] = [
    "poll",
    "epoll_wait",
    "select",
    "nanosleep",
    "clock_nanosleep",
    "recv",
    "sem_timedwait",
    "sigtimedwait",
];
const THREADS_PER_WAY: u64 = 2;

#[test]
fn nothing_is_interrupted_in_a_bare_run() {
    let _turn = processors();
    let bare = run(Command::new(program("waits.c")).arg(calls_per_thread().to_string())).expect(0);
    assert_eq!(interruptions(&bare), [""; 0], "{bare}");
}

#[test]
fn the_clocks_of_threads_interrupt_nothing_at_97_hz() {
    assert_interrupts_nothing("thread", 97);
}

#[test]
fn the_clocks_of_threads_interrupt_nothing_at_997_hz() {
    assert_interrupts_nothing("thread", 997);
}

fn assert_interrupts_nothing(clock: &str, hz: u32) {
    let _turn = processors();
    let program = [program("waits.c").path.into_os_string(), calls_per_thread().to_string().into()];
    let recorded = record_with(&["--clock", clock, "-F", &hz.to_string()], program).expect(0);
    let interruptions = interruptions(&recorded.outcome);
    assert_eq!(interruptions, [""; 0], "interrupted calls in\n{}", recorded.outcome);
    // There were ticks to interrupt something with: the program burns all the time.
    let seen = recorded.folded().weight_of("work");
    assert!(seen > 500_000_000, "only {seen} ns were sampled\n{}", recorded.outcome);
}

fn calls_per_thread() -> u64 {
    let all = if full() { 200_000 } else { 10_000 };
    all / WAYS.len() as u64 / THREADS_PER_WAY
}

/// The ways to wait that were interrupted, each with a sentence. Fails if some calls were not made.
fn interruptions(outcome: &Outcome) -> Vec<String> {
    let expected = calls_per_thread() * THREADS_PER_WAY;
    let sentence = |way: &str| {
        let words = outcome.words(way);
        let (calls, interrupted) = words.split_once(' ').expect("two numbers");
        assert_eq!(calls, expected.to_string(), "calls of {way} in\n{outcome}");
        (interrupted != "0").then(|| format!("{way}: {interrupted} of {calls}"))
    };
    WAYS.into_iter().filter_map(sentence).collect()
}
