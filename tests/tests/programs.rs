//! The program does not notice: same output, same files, same exit status at 997 Hz as without.
//!
//! Each program runs twice in the same folder, bare and profiled; the folder is emptied in between.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{Outcome, TempDir, export, needs, program, prose, run_with_input, sigspy};

/// A command, its input files and standard input, and the files it makes.
#[derive(Default)]
struct Case<'a> {
    command: Vec<OsString>,
    inputs: Vec<(&'a str, Vec<u8>)>,
    stdin: Vec<u8>,
    outputs: Vec<&'a str>,
    code: i32,
}

impl Case<'_> {
    fn new<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Self {
        let command = command.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Self { command, ..Self::default() }
    }

    /// Runs the command bare and profiled, and compares all that can be seen from outside.
    fn check(self) {
        let folder = TempDir::new();
        let recordings = TempDir::new();
        let recording = recordings.join("recording.sigspy");

        let bare = self.run(&folder, &[]).expect(self.code);
        let bare_files = self.files(&folder);
        let words = ["record", "-F", "997", "-o"].map(OsStr::new);
        let file = [recording.as_os_str(), OsStr::new("--")];
        let prefix = [&[sigspy().as_os_str()], &words[..], &file].concat();
        let profiled = self.run(&folder, &prefix).expect(self.code);

        assert_eq!(text(&bare.stdout), text(&profiled.stdout), "stdout of\n{profiled}");
        assert_eq!(bare_files, self.files(&folder), "files made by\n{profiled}");
        let added = profiled.stderr.strip_prefix(&bare.stderr);
        let added = added.unwrap_or_else(|| panic!("bare:\n{bare}profiled:\n{profiled}"));
        let foreign: Vec<_> = added.lines().filter(|line| !line.starts_with("sigspy: ")).collect();
        assert!(foreign.is_empty(), "new on stderr: {foreign:#?}\n{profiled}");
        assert!(profiled.summary().contains(" samples"), "{profiled}");
        assert_has_samples(&recording, &profiled);
    }

    fn run(&self, folder: &TempDir, prefix: &[&OsStr]) -> Outcome {
        fs::remove_dir_all(folder.path()).expect("the folder is ours");
        fs::create_dir(folder.path()).expect("the folder is ours");
        for (name, contents) in &self.inputs {
            folder.write(name, contents);
        }
        let words = prefix.iter().copied().chain(self.command.iter().map(OsString::as_os_str));
        let words: Vec<_> = words.collect();
        let mut command = Command::new(words[0]);
        run_with_input(command.args(&words[1..]).current_dir(folder.path()), &self.stdin)
    }

    fn files(&self, folder: &TempDir) -> BTreeMap<String, Digest> {
        let digest = |name: &&str| ((*name).to_owned(), Digest::of(&folder.join(name)));
        self.outputs.iter().map(digest).collect()
    }
}

/// What a file has in it, short enough to be printed.
#[derive(Debug, PartialEq, Eq)]
struct Digest {
    bytes: usize,
    hash: u64,
}

impl Digest {
    fn of(path: &Path) -> Self {
        let error = |error| panic!("cannot read {}: {error}", path.display());
        let contents = fs::read(path).unwrap_or_else(error);
        // FNV-1a: files are compared with each other, and nobody attacks.
        let hash = contents.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { bytes: contents.len(), hash }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_has_samples(recording: &Path, outcome: &Outcome) {
    let folded = run_with_input(&mut export(recording), &[]).expect(0);
    assert!(!folded.stdout.is_empty(), "nothing was recorded of\n{outcome}");
}

#[test]
fn xz_with_two_threads_compresses_the_same() {
    needs("xz", "xz-utils");
    let mut case = Case::new(["xz", "-T2", "--block-size=2MiB", "-k", "-6", "prose"]);
    case.inputs = vec![("prose", prose(8 << 20))];
    case.outputs = vec!["prose.xz"];
    case.check();
}

#[test]
fn gzip_compresses_the_same() {
    needs("gzip", "gzip");
    let mut case = Case::new(["gzip", "-9", "-n", "-k", "prose"]);
    case.inputs = vec![("prose", prose(16 << 20))];
    case.outputs = vec!["prose.gz"];
    case.check();
}

#[test]
fn python_computes_the_same() {
    needs("python3", "python3");
    let script = r#"
import hashlib, subprocess, sys, threading
results = {}
def work(number):
    state, digest = number, hashlib.sha256()
    for _ in range(60000):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        digest.update(str(state).encode())
    results[number] = digest.hexdigest()
threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(results.items()))
print(subprocess.run(["sh", "-c", "echo from a child; exit 4"], capture_output=True))
print("to stderr", file=sys.stderr)
sys.exit(9)
"#;
    let mut case = Case::new(["python3", "-c", script]);
    case.code = 9;
    case.check();
}

#[test]
fn sqlite_fills_the_same_database() {
    needs("sqlite3", "sqlite3");
    let sql = "create table numbers (n integer primary key, square integer, word text);
        with recursive count(n) as (select 1 union all select n + 1 from count where n < 200000)
            insert into numbers select n, n * n, printf('%x', n * 7919 % 65536) from count;
        create index words on numbers (word);
        select word, count(*), sum(square) from numbers group by word order by 2 desc, 1 limit 20;
        select count(*) from numbers a join numbers b on a.word = b.word where a.n < 2000;";
    let mut case = Case::new(["sqlite3", "numbers.db"]);
    case.stdin = sql.into();
    case.outputs = vec!["numbers.db"];
    case.check();
}

#[test]
fn gcc_compiles_the_same() {
    needs("gcc", "gcc");
    let mut case = Case::new(["gcc", "-O3", "-c", "pool.c", "-o", "pool.o"]);
    let function = |i: usize| {
        format!(
            "int f{i}(int *a, int n) {{ int s = {i}; for (int i = 0; i < n; i++) \
             s += a[i] * (s ^ {i}) + a[(i * {i}) % n]; return s; }}\n"
        )
    };
    case.inputs = vec![("pool.c", (1..400).map(function).collect::<String>().into())];
    case.outputs = vec!["pool.o"];
    case.check();
}

#[test]
fn gxx_compiles_and_links_the_same() {
    needs("g++", "g++");
    let mut case = Case::new(["g++", "-std=c++17", "-O2", "-pthread", "pool.cpp", "-o", "pool"]);
    case.inputs = vec![("pool.cpp", source("pool.cpp"))];
    case.outputs = vec!["pool"];
    case.check();
}

#[test]
fn rustc_compiles_the_same() {
    // The compiler itself, and not the launcher that rustup puts in front of it.
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = text(&sysroot.expect("rustc builds these tests").stdout);
    let rustc = PathBuf::from(sysroot.trim()).join("bin/rustc");
    let flags = ["--edition=2024", "-O", "--crate-type=lib", "--crate-name=pool", "pool.rs"];
    let mut case = Case::new([rustc.as_os_str()].into_iter().chain(flags.map(OsStr::new)));
    case.inputs = vec![("pool.rs", source("pool.rs"))];
    case.outputs = vec!["libpool.rlib"];
    case.check();
}

#[test]
fn git_makes_the_same_commits() {
    needs("git", "git");
    let script = r#"
set -e
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME="$PWD"
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE='2024-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
git init -q -b main .
for i in $(seq 40); do
    split -l $((i * 50)) -a 4 prose part.
    git add part.*
    git commit -q -m "split by $i"
done
git log --stat --oneline | sha256sum
git log -p | sha256sum
git gc -q
git fsck --strict
git rev-parse HEAD
git diff --stat HEAD~20 | tail -1
"#;
    let lines = prose(400_000).chunks(60).map(|line| text(line) + "\n").collect::<String>();
    let mut case = Case::new(["sh", "-c", script]);
    case.inputs = vec![("prose", lines.into())];
    case.check();
}

#[test]
fn node_computes_the_same() {
    needs("node", "nodejs");
    let script = r#"
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const crypto = require("crypto");
function work(seed) {
    const words = new Map();
    let state = seed;
    for (let i = 0; i < 300000; i++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        words.set(state % 5000, (words.get(state % 5000) || 0) + state);
    }
    return crypto.createHash("sha256").update(JSON.stringify([...words])).digest("hex");
}
if (isMainThread) {
    const run = (seed) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: seed });
        worker.on("message", resolve).on("error", reject);
    });
    Promise.all([1, 2, 3, 4].map(run)).then((hashes) => {
        console.log(hashes.join("\n"), work(5));
        console.error("done");
        process.exitCode = 6;
    });
} else {
    parentPort.postMessage(work(workerData));
}
"#;
    let mut case = Case::new(["node", "script.js"]);
    case.inputs = vec![("script.js", script.into())];
    case.code = 6;
    case.check();
}

#[test]
fn a_cpp_program_with_threads_and_exceptions_runs_the_same() {
    let mut case = Case::new([program("pool.cpp")]);
    case.code = 3;
    case.check();
}

#[test]
fn a_rust_program_with_threads_and_panics_runs_the_same() {
    let mut case = Case::new([program("pool.rs")]);
    case.code = 5;
    case.check();
}

fn source(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name);
    fs::read(&path).expect("the programs are beside the tests")
}
