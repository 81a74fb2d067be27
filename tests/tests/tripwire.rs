//! The handler calls no function of the C library that a handler may not call.
//!
//! Programs run under `sigspy record` with a library beside the agent that kills them as soon as
//! the heap, the loader, thread-local storage or a lock is used while the handler runs; how it can
//! tell is written in `tripwire/tripwire.c`.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use sigspy_tests::{
    Outcome, Program, TempDir, full, needs, program, program_in, record_in, run, tripwire,
};

/// From the default rate to one at which every tick of the kernel has a sample.
const RATES: [&str; 3] = ["97", "997", "4000"];

/// What the library writes when it kills a program, or when it does not work.
const ALARM: &str = "tripwire: ";

/// Killed by SIGILL, as a shell has it.
const TRIPPED: i32 = 132;

/// One of each kind; all wires are made by the same macro.
const FUNCTIONS: [&str; 18] = [
    "malloc",
    "calloc",
    "realloc",
    "free",
    "aligned_alloc",
    "dlsym",
    "dlopen",
    "pthread_self",
    "pthread_kill",
    "pthread_once",
    "pthread_getspecific",
    "pthread_mutex_lock",
    "pthread_mutex_trylock",
    "pthread_cond_signal",
    "pthread_rwlock_rdlock",
    "__errno_location",
    "clock_gettime",
    "sigaction",
];

/// How a program says what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Same,
    /// It prints times that it measured.
    Times,
}

/// Runs a program at all rates; it must end with `code`, and print the same as without sigspy.
fn assert_untripped<S: AsRef<OsStr>>(
    output: Output,
    code: i32,
    command: impl IntoIterator<Item = S>,
) {
    let command: Vec<OsString> = command.into_iter().map(|word| word.as_ref().to_owned()).collect();
    let bare = run(Command::new(&command[0]).args(&command[1..])).expect(code);
    let preload = tripwire().path;
    let preload = preload.to_str().expect("the target folder has a name in UTF-8");
    let turns = if full() { 10 } else { 1 };
    for rate in RATES.iter().cycle().take(turns * RATES.len()) {
        let recorded = record_in(&[("LD_PRELOAD", preload)], &["-F", rate], &command);
        assert_silent(&recorded.outcome);
        let recorded = recorded.expect(code);
        if output == Output::Same {
            assert_eq!(recorded.outcome.text(), bare.text(), "output of\n{}", recorded.outcome);
        }
    }
}

#[track_caller]
fn assert_silent(outcome: &Outcome) {
    assert!(!outcome.stderr.contains(ALARM), "{outcome}");
}

/// A program of ours, with arguments.
fn ours(program: Program, arguments: &[&str]) -> Vec<OsString> {
    let path = program.path.into_os_string();
    [path].into_iter().chain(arguments.iter().map(OsString::from)).collect()
}

fn handler(function: &str, place: &str) -> Vec<OsString> {
    ours(program_in("tripwire", "handler.c", &[]), &[function, place])
}

#[test]
fn a_wire_is_tripped_with_all_signals_blocked_and_only_then() {
    for function in FUNCTIONS {
        let call = |place| {
            let command = handler(function, place);
            run(Command::new(&command[0]).args(&command[1..]).env("LD_PRELOAD", tripwire().path))
        };
        let killed = call("in").expect(TRIPPED);
        assert!(killed.stderr.starts_with(ALARM), "{killed}");
        assert_silent(&call("out").expect(0));
    }
}

#[test]
fn the_wires_are_there_in_a_profiled_program() {
    let preload = tripwire().path;
    let environment = [("LD_PRELOAD", preload.to_str().expect("as above"))];
    for rate in RATES {
        let killed = record_in(&environment, &["-F", rate], handler("malloc", "in"));
        let killed = killed.expect(TRIPPED).outcome;
        assert!(killed.stderr.contains("tripwire: malloc was called"), "{killed}");
    }
}

#[test]
fn programs_in_c_trip_no_wire() {
    let folder = TempDir::new();
    let words = folder.join("words");
    let words = words.to_str().expect("a temporary folder has a name in UTF-8");
    let short: [(&str, &[&str], i32); 9] = [
        ("spin.c", &["0.2", words], 0),
        ("spin.c", &["0.1", words, "exec"], 0),
        ("spin.c", &["0.1", words, "abort"], 134),
        ("threads.c", &["4", "0.4"], 0),
        ("split.c", &["0.2"], 0),
        ("mask.c", &["0.5"], 0),
        ("inlined.c", &["0.1"], 0),
        ("sleeper.c", &[], 0),
        ("scribble.c", &[], 7),
    ];
    let long: [(&str, &[&str], i32); 3] = [
        ("churn.c", &[], 0),
        ("own_timer.c", &["setitimer"], 0),
        ("own_timer.c", &["timer_create"], 0),
    ];
    let long = if full() { &long[..] } else { &[] };
    for (source, arguments, code) in short.iter().chain(long) {
        assert_untripped(Output::Times, *code, ours(program(source), arguments));
    }
    assert_untripped(Output::Same, 0, ours(program("exec_chain.c"), &["20"]));
    assert_untripped(Output::Same, 5, ours(program("exit_code.c"), &["exit", "5"]));
}

#[test]
fn many_short_threads_trip_no_wire() {
    let script = "import threading\n\
        def work(): sum(range(20000))\n\
        for _ in range(40):\n\
        \x20   threads = [threading.Thread(target=work) for _ in range(16)]\n\
        \x20   for thread in threads: thread.start()\n\
        \x20   for thread in threads: thread.join()\n\
        print(threading.active_count())";
    needs("python3", "python3");
    assert_untripped(Output::Same, 0, ["python3", "-c", script]);
}

#[test]
fn programs_in_cpp_trip_no_wire() {
    assert_untripped(Output::Same, 3, ours(program("pool.cpp"), &[]));
    assert_untripped(Output::Times, 0, ours(program("deep.cpp"), &["0.4"]));
}

#[test]
fn programs_in_rust_trip_no_wire() {
    assert_untripped(Output::Same, 5, ours(program("pool.rs"), &[]));
}

#[test]
fn python_trips_no_wire() {
    needs("python3", "python3");
    let script = "import ctypes, hashlib, json, re, sqlite3, subprocess\n\
        words = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(30000)]\n\
        print(len(json.dumps(words)), len(re.findall('[a-f]{3}', ' '.join(words))))\n\
        print(subprocess.run(['sh', '-c', 'echo from a child; exit 4'], capture_output=True))\n\
        raise SystemExit(9)";
    assert_untripped(Output::Same, 9, ["python3", "-c", script]);
}

#[test]
fn xz_trips_no_wire() {
    needs("xz", "xz-utils");
    assert_untripped(
        Output::Same,
        0,
        ["sh", "-c", "seq 200000 | xz -T2 --block-size=500KiB | sha256sum"],
    );
}

#[test]
fn sqlite_trips_no_wire() {
    needs("sqlite3", "sqlite3");
    let sql = "create table numbers (n integer primary key, word text);
        with recursive count(n) as (select 1 union all select n + 1 from count where n < 50000)
            insert into numbers select n, printf('%x', n * 7919 % 65536) from count;
        create index words on numbers (word);
        select word, count(*) from numbers group by word order by 2 desc, 1 limit 20;
        select count(*) from numbers a join numbers b on a.word = b.word where a.n < 2000;";
    assert_untripped(Output::Same, 0, ["sqlite3", ":memory:", sql]);
}

#[test]
fn git_trips_no_wire() {
    needs("git", "git");
    let folder = TempDir::new();
    let script = r#"
set -e
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME="$0"
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE='2024-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
cd "$0"
rm -rf repository
git init -q -b main repository
cd repository
for i in $(seq 8); do
    seq $((i * 3000)) | split -l $((i * 50)) -a 4 - part.
    git add part.*
    git commit -q -m "split by $i"
done
git log -p | sha256sum
git gc -q
git rev-parse HEAD
"#;
    let words = [OsStr::new("sh"), OsStr::new("-c"), OsStr::new(script), folder.path().as_ref()];
    assert_untripped(Output::Same, 0, words);
}

#[test]
fn compilers_trip_no_wire() {
    needs("gcc", "gcc");
    needs("g++", "g++");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/programs");
    let script = "gcc -O2 -pthread -S -o - \"$0/threads.c\" | sha256sum\n\
        g++ -std=c++17 -O1 -S -o - \"$0/pool.cpp\" | sha256sum";
    assert_untripped(Output::Same, 0, ["sh", "-c", script, source]);
}

#[test]
fn node_trips_no_wire() {
    needs("node", "nodejs");
    let script = r#"
const { Worker } = require("worker_threads");
const work = `let words = new Map();
    for (let i = 0, state = 7; i < 300000; i++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        words.set(state % 5000, (words.get(state % 5000) || 0) + state);
    }
    require("worker_threads").parentPort.postMessage(JSON.stringify([...words]).length);`;
const run = () => new Promise((resolve, reject) =>
    new Worker(work, { eval: true }).on("message", resolve).on("error", reject));
Promise.all([run(), run(), run()]).then((lengths) => {
    console.log(lengths.join(" "));
    process.exitCode = 6;
});
"#;
    assert_untripped(Output::Same, 6, ["node", "-e", script]);
}
