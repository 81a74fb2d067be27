//! Threads, signals, timers and memory that the program has of its own.

use std::collections::BTreeMap;
use std::process::Command;

use sigspy_tests::{
    Outcome, Recorded, TempDir, processors, program, program_with, record, record_at, record_with,
    run, sigspy, thread_of,
};

fn profile(hz: u32, source: &str, arguments: &[&str]) -> Recorded {
    let mut command = vec![program(source).path.into_os_string()];
    command.extend(arguments.iter().map(Into::into));
    record_at(hz, command)
}

#[test]
fn threads_that_come_and_go_leave_no_timers() {
    let recorded = profile(997, "churn.c", &[]).expect(0);
    let timers = recorded.outcome.words("timers");
    if timers == "unknown" {
        println!("this kernel has no /proc/PID/timers, so the timers cannot be counted");
        return;
    }
    // One of the process, in reserve, and one of the main thread.
    let timers: u32 = timers.parse().expect("a number of timers");
    assert!(timers <= 2, "{timers} timers are left:\n{}", recorded.outcome);
}

#[test]
fn short_lived_threads_are_in_the_profile() {
    let recorded = profile(97, "churn.c", &[]).expect(0);
    let folded = recorded.folded();
    let cpu_ns = recorded.outcome.number("total");
    let off = folded.total() as f64 / cpu_ns as f64 - 1.0;
    assert!(off.abs() < 0.01, "off by {:.1} %\n{}", 100.0 * off, recorded.outcome);
    // 7 s in `work`, of which 5 s are in threads of one period each: a standard error of 1.7 %.
    let seen = folded.weight_of("work") as f64 / cpu_ns as f64;
    assert!((0.94..1.06).contains(&seen), "{seen}:\n{}", folded.heaviest(10));
}

#[test]
fn a_program_that_replaces_itself_lives_on_whatever_the_clock() {
    for clock in ["process", "thread"] {
        let command = [program("exec_chain.c").path.into_os_string(), "200".into()];
        let recorded = record_with(&["-F", "4000", "--clock", clock], command).expect(0);
        assert_eq!(recorded.outcome.text(), "done\n", "{clock}: {}", recorded.outcome);
    }
}

/// ITIMER_PROF survives exec, and a static program has no agent to catch its signal.
#[test]
fn a_static_program_that_takes_the_place_of_a_profiled_one_is_not_killed_by_our_timer() {
    let spin = program_with("exit_code.c", &["-static"]);
    for clock in ["process", "thread", "perf"] {
        for _ in 0..20 {
            let script = "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; exec \"$0\" return 7";
            let command = ["sh".as_ref(), "-c".as_ref(), script.as_ref(), spin.as_ref()];
            record_with(&["-F", "4000", "--clock", clock], command).expect(7);
        }
    }
}

/// 200 processes burn 1.5 ms each or so, less than a tick of the kernel: most of them are never
/// seen, and those that are stand for the others.
#[test]
fn processes_too_short_to_be_seen_are_stood_for_by_others() {
    let _turn = processors();
    let command = [program("exec_chain.c").path.into_os_string(), "200".into()];
    let recorded = record_at(997, command).expect(0);
    let burnt = recorded.folded().weight_of("burn") as f64;
    // Each takes 1.53 ms in the mean. The phases of processes that follow one another are not
    // independent: no more than the order is certain.
    let share = burnt / (200.0 * 1.53e6);
    assert!((0.5..2.0).contains(&share), "{share} of the time in `burn`\n{}", recorded.outcome);
}

#[test]
fn threads_have_their_names_in_the_profile() {
    let recorded = profile(997, "threads.c", &["4", "3"]).expect(0);
    let folded = recorded.folded_by_thread();
    let names: BTreeMap<u32, String> = folded
        .stacks()
        .filter_map(|(frames, _)| thread_of(&frames[0]))
        .map(|(name, tid)| (tid, name.to_owned()))
        .collect();
    for line in recorded.outcome.text().lines().filter(|line| line.contains("worker-")) {
        let mut words = line.split(' ');
        let tid = words.next().and_then(|tid| tid.parse().ok()).expect("a thread's id");
        let name = words.next().expect("a thread's name");
        assert_eq!(names.get(&tid).map(String::as_str), Some(name), "in {names:?}");
    }
}

#[test]
fn threads_that_end_at_once_have_their_names_in_the_profile() {
    let recorded = profile(997, "threads.c", &["64", "0.3"]).expect(0);
    let text = recorded.outcome.text();
    let are_known = |(name, tid): (&str, u32)| text.contains(&format!("{tid} {name} "));
    let folded = recorded.folded_by_thread();
    let threads = folded.stacks().filter_map(|(frames, _)| thread_of(&frames[0]));
    let all: BTreeMap<u32, bool> =
        threads.map(|(name, tid)| (tid, are_known((name, tid)))).collect();
    let known = all.values().filter(|known| **known).count();
    // A tick may come before the thread has given itself a name.
    assert!(known * 10 >= all.len() * 9 && known > 10, "{known} of {}\n{text}", all.len());
}

/// A thread is asked for its name when its first sample is read, and is another program by then.
#[test]
fn what_a_program_did_before_exec_is_not_in_the_name_of_the_next() {
    let script = "i=0; while [ $i -lt 5000 ]; do i=$((i + 1)); done; exec sleep 0.01";
    let mut samples = 0;
    for _ in 0..10 {
        let recorded = record_with(&["-F", "4000"], ["sh", "-c", script]).expect(0);
        let folded = recorded.folded_by_thread();
        for (frames, _) in folded.stacks().filter(|(frames, _)| frames[0] != "sleep") {
            let (name, _) = frames.iter().find_map(|frame| thread_of(frame)).expect("a thread");
            assert_eq!(name, "sh", "in {frames:?}\n{}", recorded.outcome);
            samples += 1;
        }
    }
    assert!(samples > 0, "the shell was never seen");
}

#[test]
fn time_with_the_signal_blocked_is_shown_as_such() {
    let recorded = profile(97, "mask.c", &["4"]).expect(0);
    let folded = recorded.folded();
    let outcome = &recorded.outcome;
    let blocked = outcome.number("burn_blocked") as f64;
    let open = outcome.number("burn_open") as f64;

    // Eight turns of 0.25 s or 24 periods. In each, the first tick to be held back is one sample.
    let shown = folded.weight_below("[SIGPROF blocked]") as f64 / blocked;
    assert!((0.85..1.02).contains(&shown), "{shown}:\n{}\n{outcome}", folded.heaviest(10));
    // No blocked time is charged to the code that runs when the signal is let in again.
    let charged = folded.weight_of("burn_open") as f64 / open;
    assert!((0.94..1.06).contains(&charged), "{charged}:\n{}\n{outcome}", folded.heaviest(10));
}

#[test]
fn a_program_with_setitimer_gets_its_ticks() {
    assert_own_ticks("setitimer");
}

#[test]
fn a_program_with_a_timer_for_sigprof_gets_its_ticks() {
    assert_own_ticks("timer_create");
}

fn assert_own_ticks(kind: &str) {
    let _turn = processors();
    let bare = run(Command::new(program("own_timer.c")).arg(kind)).expect(0);
    let recorded = profile(997, "own_timer.c", &[kind]).expect(0);
    let profiled = &recorded.outcome;
    for question in ["before", "after", "strangers"] {
        assert_eq!(bare.words(question), profiled.words(question), "{question}:\n{profiled}");
    }
    let ratio = profiled.number("ticks") as f64 / bare.number("ticks") as f64;
    assert!((0.95..=1.05).contains(&ratio), "{ratio} of its ticks:\n{bare}{profiled}");
    // And so do we: 3 s of CPU time.
    let sampled = recorded.folded().sampled();
    assert!((2_900_000_000..3_150_000_000).contains(&sampled), "{sampled} ns\n{profiled}");
}

#[test]
fn the_program_inherits_what_it_would_have_without_us() {
    let lines = |outcome: &Outcome| -> Vec<String> {
        let text = outcome.text();
        // Our two variables are the one thing that a program can see; a shell sets `_` to itself.
        let ours = ["env LD_PRELOAD=", "env SIGSPY_", "env _="];
        let rest = text.lines().filter(|line| !ours.iter().any(|known| line.starts_with(known)));
        rest.map(str::to_owned).collect()
    };
    let bare = run(&mut Command::new(program("env.c"))).expect(0);
    let recorded = record([program("env.c")]).expect(0);
    assert_eq!(lines(&bare), lines(&recorded.outcome));
}

/// As under nohup.
#[test]
fn the_program_ignores_the_signals_that_it_would_without_us() {
    let folder = TempDir::new();
    let ignored = |command: &mut Command| {
        let text = run(command).expect(0).text();
        let line = text.lines().find(|line| line.starts_with("SigIgn:")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no ignored signals in {text}"))
    };
    let ignoring = || {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP INT QUIT TERM; exec \"$@\"", "sh"]);
        command
    };
    let bare = ignored(ignoring().arg(program("env.c")));
    let mut record = ignoring();
    record.arg(sigspy()).args(["record", "-o"]).arg(folder.join("recording.sigspy")).arg("--");
    assert_eq!(ignored(record.arg(program("env.c"))), bare);
}

#[test]
fn a_preloaded_library_of_the_user_stays_preloaded() {
    let folder = TempDir::new();
    let library = folder.write("empty.c", "");
    let shared = folder.join("libempty.so");
    let mut compiler = Command::new("cc");
    run(compiler.args(["-shared", "-o"]).arg(&shared).arg(library)).expect(0);

    let mut command = Command::new(sigspy());
    command.args(["record", "-o"]).arg(folder.join("recording.sigspy")).arg("--");
    let outcome = run(command.arg(program("env.c")).env("LD_PRELOAD", &shared)).expect(0);
    let preloaded = outcome.text();
    let line = preloaded.lines().find(|line| line.starts_with("env LD_PRELOAD=")).unwrap_or("");
    assert!(line.contains("libempty.so") && line.contains("sigspy"), "{line}\n{outcome}");
}

#[test]
fn a_program_that_overwrites_our_memory_hurts_nobody() {
    let bare = run(&mut Command::new(program("scribble.c"))).expect(7);
    // (A perf event is a file of ours in the program.)
    let command = [program("scribble.c")];
    let recorded = record_with(&["-F", "997", "--clock", "thread"], command).expect(7);
    let outcome = &recorded.outcome;
    assert!(outcome.number("bytes") > 1 << 20, "it found no memory to overwrite:\n{outcome}");
    assert_eq!(outcome.number("shrunk"), 0, "our memory can be shrunk:\n{outcome}");
    assert_eq!(
        fd_count(&bare),
        fd_count(outcome),
        "files of ours are open in the program:\n{bare}{outcome}"
    );
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    // It must open; what it says about the time of the scribbling cannot be trusted.
    recorded.folded();
}

fn fd_count(outcome: &Outcome) -> String {
    outcome.words("fds").split(' ').next().expect("a count").to_owned()
}
