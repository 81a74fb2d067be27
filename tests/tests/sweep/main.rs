//! A tick may come between any two instructions: inside of malloc, of the loader, of a throw.
//!
//! Programs visit such places under the real `sigspy record`; at every instruction boundary they
//! are interrupted by a tick, see [`tracer`]. They must not notice, and each tick must be in the
//! recording. The short form leaves out instructions of long regions; the long one leaves out none,
//! and repeats the sweep at many rates.

mod region;
mod ticks;
mod tracer;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use sigspy_tests::{
    Folded, Outcome, Random, TempDir, export, full, processors, program_in, run, sigspy, spawn,
    thread_of, wait_until,
};

use region::{Density, Traced};
use ticks::Counts;
use tracer::trace;

/// Genuine ticks are to be rare, but one must come while the program burns a quarter of a second.
const RARE: u32 = 10;

/// Longer than any sweep should take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Share of the ticks that must have a whole stack. No unwind information describes the code that
/// leaves longjmp or the unwinder for another frame, where a coroutine begins, and some of the
/// start files of the compiler; the programs are there for longer than others would be.
const WHOLE: f64 = 0.98;

/// What programs exit with.
const DONE: i32 = 7;

fn density() -> Density {
    if full() {
        Density { all_of_first: u64::MAX, then_one_in: 1 }
    } else {
        Density { all_of_first: 6000, then_one_in: 16 }
    }
}

/// A shell that says who it is, waits until it is traced, and becomes the program. So the program
/// is traced from its first instruction, and no tick of it is overlooked.
const LAUNCH: &str = "echo $$ > \"$0\"; kill -STOP $$; exec \"$@\"";

fn stopped_pid(file: &Path) -> i32 {
    let pid = || fs::read_to_string(file).ok()?.trim().parse::<i32>().ok();
    let state = |pid| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    wait_until("the shell has stopped itself", || {
        pid().is_some_and(|pid| state(pid).contains(") T "))
    });
    pid().expect("it has been read just now")
}

/// What is swept: the program `sweep/PROGRAM.cpp`, under `sigspy record` with these.
#[derive(Clone, Copy, Debug)]
struct Options {
    program: &'static str,
    clock: &'static str,
    rate: u32,
}

fn check(program: &'static str, clock: &'static str, rate: u32) {
    let options = Options { program, clock, rate };
    let _turn = processors();
    println!("{options:?}");
    let plugin = program_in("sweep", "plugin.c", &["-shared", "-fPIC"]);
    let program = program_in("sweep", &format!("{}.cpp", options.program), &["-ldl"]);
    let command = [program.as_ref(), plugin.as_ref()];
    let bare = run(Command::new(command[0]).arg(command[1])).expect(DONE);

    let folder = TempDir::new();
    let (recording, pid) = (folder.join("recording.sigspy"), folder.join("pid"));
    let mut record = Command::new(sigspy());
    record.args(["record", "--clock", clock, "-F", &rate.to_string(), "-o"]).arg(&recording);
    record.args(["--", "sh", "-c", LAUNCH].map(OsStr::new)).arg(&pid).args(command);
    let random = Random::new();
    let running = spawn(&mut record);
    let pid = stopped_pid(&pid);
    // Its own thread: it waits for whatever is below it, and that shall be the program alone.
    let tracer = thread::spawn(move || trace(pid, density(), random));
    let outcome = running.wait_within(PATIENCE);
    let traced =
        tracer.join().unwrap_or_else(|_| panic!("see above; this is how it ended:\n{outcome}"));

    let outcome = outcome.expect(DONE);
    assert_eq!(outcome.text(), bare.text(), "output of\n{outcome}");
    assert_eq!(traced.status, Some(DONE));
    assert_all_swept(&traced);
    assert_all_recorded(&traced, &recording, &options, &outcome);
}

fn assert_all_swept(traced: &Traced) {
    assert!(!traced.regions.is_empty(), "nothing was swept");
    for region in &traced.regions {
        println!("{region}");
        let left_out = region.instructions - region.blocked - region.swept;
        let is_short = region.instructions <= density().all_of_first;
        assert!(left_out == 0 || !is_short, "{left_out} instructions left out of {region}");
    }
}

/// Each tick is one sample, or is lost and counted as that: the collector may not come to read.
fn assert_all_recorded(traced: &Traced, recording: &Path, options: &Options, outcome: &Outcome) {
    let Counts { injected, genuine, overruns, either, .. } = traced.counts;
    let recorded = ticks_of(recording, options.program);
    let lost_ns = run(&mut export(recording)).expect(0);
    let lost_ns = parsed(&lost_ns).weight_where(|frames| is_below(frames, "[lost"));
    println!("{:?}; {} stops in the handler itself", traced.counts, traced.inside);
    println!("{} samples, {lost_ns} ns lost", recorded.total());
    if options.clock == "thread" {
        let lost = lost_ns.saturating_mul(options.rate.into()).div_ceil(1_000_000_000);
        // What is lost is known as time: with expiries that were merged, and with the first ticks
        // of a few threads, which stand for up to two.
        let (least, slack) = (injected + genuine, if lost == 0 { 0 } else { overruns + 16 });
        let expected = least - slack.min(least)..=least + either + slack;
        let total = recorded.total() + lost;
        assert!(expected.contains(&total), "{total} ticks, but {expected:?} expected\n{outcome}");
    } else {
        // A tick stands for whatever time has passed since the last one.
        let missing = (injected + genuine).checked_sub(recorded.total());
        let missing = missing.unwrap_or_else(|| panic!("more samples than ticks\n{outcome}"));
        assert_eq!(missing > 0, lost_ns > 0, "{missing} missing, {lost_ns} ns lost\n{outcome}");
    }
    assert!(outcome.errors().is_empty(), "{outcome}");
    for complaint in ["unaccounted", "made no sense"] {
        assert!(!outcome.stderr.contains(complaint), "{outcome}");
    }
    assert_whole(&recorded);
}

fn assert_whole(ticks: &Folded) {
    let broken = ticks.only(|frames| is_below(frames, "[incomplete"));
    let whole = 1.0 - broken.total() as f64 / ticks.total() as f64;
    println!("{:.2} % of the stacks are whole", 100.0 * whole);
    assert!(whole > WHOLE, "these are not:\n{}", broken.heaviest(20));
}

fn is_below(frames: &[String], root: &str) -> bool {
    frames.iter().any(|frame| frame.starts_with(root))
}

fn parsed(outcome: &Outcome) -> Folded {
    Folded::parse(&outcome.text(), 1000).unwrap_or_else(|error| panic!("{error} in\n{outcome}"))
}

/// The samples of a program. The shell that it was before has the same thread, but another name.
fn ticks_of(recording: &Path, program: &str) -> Folded {
    let outcome = run(export(recording).args(["--unit", "ticks", "--threads"])).expect(0);
    let folded = Folded::parse(&outcome.text(), 1).unwrap_or_else(|error| panic!("{error}"));
    // Where there are several processes, theirs is the first frame, and the thread the second.
    folded.only(|frames| {
        let thread = frames.iter().take(2).find_map(|frame| thread_of(frame));
        thread.is_some_and(|(name, _)| name == program)
    })
}

#[test]
fn a_tick_may_come_at_every_instruction_of_the_c_library() {
    check("victim", "thread", RARE);
}

#[test]
fn a_tick_may_come_where_stacks_threads_and_programs_begin_and_end() {
    check("corners", "thread", RARE);
}

#[test]
fn a_tick_of_the_process_clock_may_come_at_every_instruction() {
    check("corners", "process", RARE);
}

#[test]
fn ticks_may_come_among_many_others() {
    let rates: &[u32] = if full() { &[1000, 4000, 100, 30] } else { &[1000] };
    for rate in rates {
        check("corners", "thread", *rate);
        if full() {
            check("victim", "thread", *rate);
            check("victim", "process", *rate);
        }
    }
}
