//! Threads in great number, of short life, or of an unusual kind; and too few timers for them.

use std::fs;
use std::path::Path;
use std::process::Command;

use sigspy_tests::statistics::{Part, implausible_shares};
use sigspy_tests::{
    Folded, Outcome, Recorded, TempDir, export, full, needs, processors, program, record_at, run,
    unprivileged_sigspy,
};

#[test]
fn ten_thousand_short_threads_are_accounted_for_at_97_hz() {
    check_short_threads(97);
}

#[test]
fn ten_thousand_short_threads_are_accounted_for_at_997_hz() {
    check_short_threads(997);
}

/// Threads of 0.6 and 1.4 ms of CPU time, shorter than a period at 97 Hz, and shorter than a tick of
/// the kernel at any rate: few of them are ever seen, and those that are stand for the others.
fn check_short_threads(hz: u32) {
    let _turn = processors();
    let count = if full() { "40000" } else { "10000" };
    let recorded = profile(hz, "brief.c", &[count]);
    let folded = recorded.folded();
    let outcome = &recorded.outcome;
    assert_total(&folded, outcome);
    let unsampled = folded.weight_below("[unsampled]") as f64 / folded.total() as f64;
    assert!(unsampled < 0.1, "{:.1} % are unsampled\n{outcome}", 100.0 * unsampled);
    let parts = [part("left", &folded, outcome), part("right", &folded, outcome)];
    assert_eq!(implausible_shares(&parts, recorded.unit_ns(hz)), [""; 0], "{outcome}");
}

/// What ten thousand threads cost in the memory of the program. By the layout it is 128 bytes a
/// thread in the slots, and what the signal frames need of the stacks.
#[test]
fn ten_thousand_live_threads_take_little_memory() {
    const MOST_KIB: i64 = 40 << 10;
    let _turn = processors();
    let rounds = if full() { "8" } else { "1" };
    let arguments = ["10000", rounds];
    let bare = run(Command::new(program("crowd.c")).args(arguments)).expect(0);
    let recorded = profile(997, "crowd.c", &arguments);
    let profiled = &recorded.outcome;
    for line in ["threads", "burns"] {
        assert_eq!(bare.words(line), profiled.words(line), "{line} in\n{bare}{profiled}");
    }
    let growth = |part: &str| profiled.number(part) as i64 - bare.number(part) as i64;
    let parts = ["memory_stacks", "memory_sigspy", "memory_other"];
    let resident: i64 = parts.into_iter().map(growth).sum();
    assert!(resident < MOST_KIB, "{resident} KiB more are resident\n{bare}{profiled}");
    let share = growth("memory_share");
    assert!(share < MOST_KIB, "its share of memory is {share} KiB more\n{bare}{profiled}");
    // This is no empty promise: the agent was there.
    assert!(growth("memory_sigspy") > 0, "no memory is named after sigspy\n{profiled}");
    assert_total(&recorded.folded(), profiled);
}

/// Each timer counts against the limit for pending signals. Threads that can have none are sampled
/// by the clock of the whole process.
#[test]
fn too_few_timers_for_all_threads_cost_no_cpu_time_and_are_admitted() {
    let (folded, profiled) = profile_with_pending_signals(100);
    assert_total(&folded, &profiled);
    let worked = folded.weight_of("work") as f64 / profiled.number("total") as f64;
    // 300 threads of 40 ms each. Without its own timer a thread is found by chance: three standard
    // errors of 12 s in ticks of up to 10 ms are 9 %.
    assert!(worked > 0.8, "only {:.0} % in `work`\n{profiled}", 100.0 * worked);
    assert_says_so_once(&profiled);
}

#[test]
fn no_timers_at_all_leave_the_program_alone_and_are_admitted() {
    let (folded, profiled) = profile_with_pending_signals(0);
    assert_total(&folded, &profiled);
    assert_says_so_once(&profiled);
}

/// Profiles 300 threads with a limit on timers, and checks that they do not notice. The limit is one
/// for all processes of a user, so this is done as a user who has no others.
fn profile_with_pending_signals(limit: u32) -> (Folded, Outcome) {
    let _turn = processors();
    let folder = TempDir::new();
    let copy = folder.join("crowd");
    fs::copy(program("crowd.c").path, &copy).expect("the program can be copied");
    let recording = folder.join("recording.sigspy");

    let crowd = |command: &mut Command| {
        command.arg(&copy).args(["300", "40"]);
        run(&mut limited(limit, command)).expect(0)
    };
    let bare = crowd(&mut Command::new("env"));
    let mut sigspy = unprivileged_sigspy(&folder);
    sigspy.args(["record", "-F", "997", "-o"]).arg(&recording).arg("--");
    let profiled = crowd(&mut sigspy);
    for line in ["threads", "burns"] {
        assert_eq!(bare.words(line), profiled.words(line), "{line} in\n{bare}{profiled}");
    }
    (read(&recording), profiled)
}

/// The command, with so many pending signals allowed.
fn limited(pending: u32, command: &Command) -> Command {
    needs("prlimit", "util-linux");
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--sigpending={pending}:{pending}")).arg("--");
    limited.arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

fn assert_says_so_once(outcome: &Outcome) {
    let lines = outcome.stderr.lines().filter(|line| line.contains("RLIMIT_SIGPENDING")).count();
    assert_eq!(lines, 1, "lines that name the limit in\n{outcome}");
}

#[test]
fn threads_that_the_c_library_does_not_know_are_in_the_profile() {
    check_strangers("raw");
}

#[test]
fn threads_that_block_all_signals_are_in_the_profile() {
    check_strangers("masked");
}

fn check_strangers(kind: &str) {
    let _turn = processors();
    let recorded = profile(997, "strangers.c", &[kind]);
    let folded = recorded.folded();
    let outcome = &recorded.outcome;
    assert_total(&folded, outcome);
    let parts = [part("stranger", &folded, outcome), part("native", &folded, outcome)];
    assert_eq!(implausible_shares(&parts, recorded.unit_ns(997)), [""; 0], "{outcome}");
    // The ends of three threads: a period at the start and a tick of the kernel at the end of each.
    let sampled = folded.sampled() as f64 / outcome.number("total") as f64;
    assert!(sampled > 0.98, "only {:.1} % were sampled\n{outcome}", 100.0 * sampled);
}

fn profile(hz: u32, source: &str, arguments: &[&str]) -> Recorded {
    let mut command = vec![program(source).path.into_os_string()];
    command.extend(arguments.iter().map(Into::into));
    record_at(hz, command).expect(0)
}

fn read(recording: &Path) -> Folded {
    let outcome = run(&mut export(recording)).expect(0);
    Folded::parse(&outcome.text(), 1000).unwrap_or_else(|error| panic!("{error} in\n{outcome}"))
}

/// All CPU time is in the profile, what was lost or not sampled included: within 2 %, as the program
/// reads its clock before it ends, and the kernel charges it for its end.
#[track_caller]
fn assert_total(folded: &Folded, outcome: &Outcome) {
    let off = folded.total() as f64 / outcome.number("total") as f64 - 1.0;
    assert!(off.abs() < 0.02, "the total is off by {:.2} %\n{outcome}", 100.0 * off);
}

fn part(function: &str, folded: &Folded, outcome: &Outcome) -> Part {
    Part {
        name: function.to_owned(),
        true_ns: outcome.number(function),
        measured_ns: folded.weight_of(function),
    }
}
