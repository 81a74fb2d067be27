//! Code that programs compile as they run: it has the names that they tell in their perf maps, and
//! stacks go through it.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use sigspy_tests::{
    Folded, Recorded, TempDir, needs, processors, program, program_with, record_in, record_with,
    run,
};

/// The rate of the tests: as often as the kernel looks.
const RATE: [&str; 2] = ["-F", "250"];

/// The perf map of a program that prints its pid, removed when dropped: most programs leave it.
struct Map(String);

impl Map {
    fn of(recorded: &Recorded) -> Self {
        Self(format!("/tmp/perf-{}.map", recorded.outcome.number("pid")))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // it may have removed it itself
    }
}

/// A function has the CPU time that the program says, all of it in whole stacks.
fn assert_found(recorded: &Recorded, folded: &Folded, function: &str, said: u64) {
    let found = folded.only(|frames| frames.iter().any(|frame| frame == function));
    let share = found.total() as f64 / said as f64;
    // 75 samples: one at either end may stand for the neighbour's time, too.
    let (heaviest, outcome) = (folded.heaviest(12), &recorded.outcome);
    assert!((0.9..1.1).contains(&share), "{share} of {function}\n{heaviest}\n{outcome}");
    let whole = found.weight_of("main") as f64 / found.total() as f64;
    assert!(whole > 0.97, "{whole} of {function} is whole\n{heaviest}\n{outcome}");
}

/// What the program `jit.c` burns in mode `moves`.
const MOVES: [&str; 5] = ["alpha", "beta<int>(char, long)", "gamma", "called", "late"];

fn assert_moves(recorded: &Recorded) -> Folded {
    let folded = recorded.folded();
    for function in MOVES {
        assert_found(recorded, &folded, function, recorded.outcome.number(function));
    }
    folded
}

#[test]
fn code_has_the_name_that_it_had_when_it_ran() {
    let _turn = processors();
    for memory in ["anonymous", "shared", "memfd"] {
        let program = program("jit.c");
        let command: [&OsStr; 3] = [program.as_ref(), "moves".as_ref(), memory.as_ref()];
        let recorded = record_with(&RATE, command).expect(0);
        let map = Map::of(&recorded);
        assert!(!fs::exists(&map.0).unwrap(), "it has removed its map");
        assert_moves(&recorded);
    }
}

/// With and without frame pointers in the functions beside: those lead beyond a trampoline.
#[test]
fn stacks_go_through_trampolines_as_cpython_has_them() {
    let _turn = processors();
    let frames = ["main", "py::outer:/app/main.py", "evaluate", "py::inner:/app/main.py", "called"];
    for flag in ["-fomit-frame-pointer", "-fno-omit-frame-pointer"] {
        let recorded = record_with(&RATE, [program_with("jit.c", &[flag])]).expect(0);
        let folded = assert_moves(&recorded);
        // `called` reads a clock now and then.
        let expected =
            folded.weight_where(|stack| stack.windows(frames.len()).any(|part| *part == frames));
        let share = expected as f64 / folded.weight_of("called") as f64;
        assert!(share > 0.97, "{share} with {flag}\n{}", folded.heaviest(12));
    }
}

#[test]
fn a_program_that_is_killed_has_told_its_names() {
    let _turn = processors();
    let recorded = record_with(&RATE, [program("jit.c").as_ref(), "dies".as_ref()]);
    let _map = Map::of(&recorded);
    let recorded = recorded.expect(128 + 9);
    assert_found(&recorded, &recorded.folded(), "late", recorded.outcome.number("late"));
}

#[test]
fn a_child_of_fork_has_the_code_of_its_parent_and_its_own() {
    let _turn = processors();
    let recorded = record_with(&RATE, [program("jit.c").as_ref(), "forks".as_ref()]).expect(0);
    let (folded, outcome) = (recorded.folded(), &recorded.outcome);
    let both = outcome.number("of_parent") + outcome.number("of_child");
    assert_found(&recorded, &folded, "alpha", both);
    assert_found(&recorded, &folded, "own", outcome.number("own"));
}

/// A container: another /tmp, and pids of its own. The socket of the agents is elsewhere, the
/// program is a descriptor.
#[test]
fn a_map_is_that_of_the_programs_own_tmp_and_pid() {
    let _turn = processors();
    needs("unshare", "util-linux");
    needs("mount", "mount");
    let script = "exec 9<\"$0\"; mount -t tmpfs tmpfs /tmp && exec /proc/self/fd/9 moves";
    let program = program("jit.c");
    let words = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script].map(OsStr::new);
    let command = words.into_iter().chain([program.as_ref()]);
    let recorded = record_in(&[("XDG_RUNTIME_DIR", "/dev/shm")], &RATE, command).expect(0);
    assert_eq!(recorded.outcome.number("pid"), 1, "{}", recorded.outcome);
    assert_moves(&recorded);
}

#[test]
fn functions_of_node_are_called_as_node_calls_them() {
    needs("node", "nodejs");
    let script = "\
function hot(n) { let s = 0; for (let i = 1; i < n; i++) s = (s + i * i) % 1000003; return s; }
function cold(n) { return n < 2 ? n : cold(n - 1) + cold(n - 2); }
const cpu = () => { const { user, system } = process.cpuUsage(); return user + system; };
let sum = cold(20);
const start = cpu();
while (cpu() - start < 1.5e6) sum += hot(2000000);
console.log(`pid ${process.pid}\\nhot ${Math.round((cpu() - start) * 1e3)}\\nsum ${sum}`);
";
    let _turn = processors();
    let folder = TempDir::new();
    let file = folder.write("hot.js", script);
    // It also writes a log, which nobody reads.
    let log = format!("--logfile={}", folder.join("log").display());
    let words: [&OsStr; 6] = [
        "node".as_ref(),
        "--perf-basic-prof".as_ref(),
        "--interpreted-frames-native-stack".as_ref(),
        "--no-logfile-per-isolate".as_ref(),
        log.as_ref(),
        file.as_ref(),
    ];
    let recorded = record_with(&RATE, words).expect(0);
    let _map = Map::of(&recorded);
    // `JS:*hot FILE:LINE:COLUMN`, where * says that it is optimized.
    let name = format!("hot {}:1:13", file.display());
    assert_runs_by_name(&recorded, &recorded.folded(), |frame| frame.ends_with(&name));
}

/// Nine tenths of the time that a program says are in functions with a name, in whole stacks.
fn assert_runs_by_name(recorded: &Recorded, folded: &Folded, is_hot: impl Fn(&String) -> bool) {
    let hot = folded.only(|frames| frames.iter().any(&is_hot));
    let (heaviest, outcome) = (folded.heaviest(9), &recorded.outcome);
    let share = hot.total() as f64 / outcome.number("hot") as f64;
    assert!(share > 0.9, "{share} by name\n{heaviest}\n{outcome}");
    let whole = 1.0 - hot.weight_below("[incomplete") as f64 / hot.total() as f64;
    assert!(whole > 0.97, "{whole} whole\n{heaviest}\n{outcome}");
}

/// It tells all names when it ends.
#[test]
fn functions_of_java_are_called_as_java_calls_them() {
    needs("javac", "default-jdk-headless");
    let source = "\
public class Hot {
    static long hot(long n) {
        long sum = 0;
        for (long i = 1; i < n; i++) sum += sum % i ^ i;
        return sum;
    }
    static long cpu() {
        return java.lang.management.ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }
    public static void main(String[] arguments) {
        long start = cpu(), sum = 0;
        while (cpu() - start < 1_500_000_000L) sum += hot(2_000_000);
        System.out.println(\"pid \" + ProcessHandle.current().pid());
        System.out.println(\"hot \" + (cpu() - start) + \"\\nsum \" + sum);
    }
}
";
    let _turn = processors();
    let folder = TempDir::new();
    let file = folder.write("Hot.java", source);
    run(Command::new("javac").arg("-d").arg(folder.path()).arg(file)).expect(0);
    let flags = [
        "java",
        "-XX:-UsePerfData",
        "-XX:+PreserveFramePointer",
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:+DumpPerfMapAtExit",
        "-cp",
    ];
    let words = flags.map(OsStr::new).into_iter().chain([folder.path().as_ref(), "Hot".as_ref()]);
    let recorded = record_with(&RATE, words).expect(0);
    let _map = Map::of(&recorded);
    assert_runs_by_name(&recorded, &recorded.folded(), |frame| frame.contains("Hot.hot"));
}

/// Python has perf maps since 3.12. `tests/run` says whether there is one that new.
#[test]
#[ignore = "needs a Python with perf maps: its name is in SIGSPY_PYTHON"]
fn functions_of_python_are_called_as_python_calls_them() {
    let python = std::env::var_os("SIGSPY_PYTHON").expect("SIGSPY_PYTHON names a Python");
    let script = "\
import os, time
def hot(n):
    total = 0
    for i in range(n):
        total += i * i
    return total
def descend(depth):
    return hot(20000) if depth == 0 else descend(depth - 1)
start = time.process_time_ns()
while time.process_time_ns() - start < 1_500_000_000:
    descend(100)
print('pid', os.getpid())
print('hot', time.process_time_ns() - start)
";
    let _turn = processors();
    let folder = TempDir::new();
    let file = folder.write("hot.py", script);
    let words = [&*python, "-X".as_ref(), "perf".as_ref(), file.as_ref()];
    let recorded = record_with(&RATE, words).expect(0);
    let _map = Map::of(&recorded);
    let folded = recorded.folded();
    let name = |function: &str| format!("py::{function}:{}", file.display());
    assert_runs_by_name(&recorded, &folded, |frame| *frame == name("hot"));
    // Nobody is left out.
    let functions = std::iter::once(name("<module>"))
        .chain(std::iter::repeat_n(name("descend"), 101))
        .chain([name("hot")]);
    let functions: Vec<_> = functions.collect();
    let deep = folded.weight_where(|frames| {
        frames.iter().filter(|frame| frame.starts_with("py::")).eq(&functions)
    });
    let share = deep as f64 / folded.weight_of(&name("hot")) as f64;
    assert!(share > 0.97, "{share} with all callers\n{}", folded.heaviest(3));
}
