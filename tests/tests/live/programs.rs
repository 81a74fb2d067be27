//! Real programs, as the distribution ships them, with work for a second or more.
//!
//! Those with threads have more than enough: a thread that its process ends while it is looked at
//! would be gone.

use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{TempDir, prose};

/// A program, the package that has it, and its arguments.
pub struct Program {
    pub words: &'static [&'static str],
    pub package: &'static str,
    /// At one moment in so many ours may lack frames in code without call frame information.
    pub short: Option<u64>,
}

const fn program(package: &'static str, words: &'static [&'static str]) -> Program {
    Program { words, package, short: None }
}

/// Programs that other tests need as well.
pub const SHORT: [Program; 6] = [
    program("xz-utils", &["xz", "-T1", "-6", "-k", "-c", "prose"]),
    program("gzip", &["gzip", "-9", "-c", "prose", "other", "prose", "other"]),
    program("python3", &["python3", "-S", "-c", PYTHON]),
    program("sqlite3", &["sqlite3", ":memory:", SQL]),
    program("git", &["git", "diff", "--no-index", "--minimal", "prose", "other"]),
    program("gcc", &["cc1", "-quiet", "-O2", "pool.c", "-o", "/dev/null"]),
];

pub const MORE: [Program; 25] = [
    program("bzip2", &["bzip2", "-9", "-c", "prose", "other", "prose"]),
    program("zstd", &["zstd", "-19", "-c", "prose"]),
    program("lz4", &["lz4", "-b9", "-i5", "prose"]),
    program("perl", &["perl", "-e", PERL]),
    program("nodejs", &["node", "-e", NODE]),
    program("rustc", &["rustc", "--edition=2024", "-O", "--crate-type=lib", "pool.rs"]),
    program(
        "binutils",
        &[
            "ld",
            "-r",
            "--whole-archive",
            "LIBC",
            "LIBC",
            "LIBC",
            "LIBC",
            "LIBC",
            "LIBC",
            "-z",
            "muldefs",
            "-o",
            "out.o",
        ],
    ),
    program("binutils", &["as", "pool.s", "-o", "/dev/null"]),
    program("binutils", &["objdump", "-d", "CC1"]),
    program(
        "mawk",
        &["mawk", AWK, "prose", "other", "prose", "other", "prose", "other", "prose", "other"],
    ),
    program(
        "coreutils",
        &[
            "sort",
            "--parallel=1",
            "prose",
            "other",
            "prose",
            "other",
            "prose",
            "other",
            "prose",
            "other",
            "prose",
            "other",
            "prose",
            "other",
        ],
    ),
    program("bash", &["bash", "-c", BASH]),
    program("dash", &["dash", "-c", DASH]),
    program(
        "openssl",
        &["openssl", "speed", "-seconds", "1", "sha256", "rsa512", "rsa2048", "ecdsap256"],
    ),
    program("tar", &["tar", "-cf", "out.tar", "--sort=name", "/usr/share", "/usr/lib/python3"]),
    program("findutils", &["find", "/usr", "-regex", r".*\.\(so\|py\).*[0-9]+.*", "-ls"]),
    program("grep", &["grep", "-E", r"([0-9a-f])\1.*([0-9a-f]+)\2[0-9]\2", "prose", "other"]),
    program("sed", &["sed", "-E", r"s/([0-9]+)([a-f]+)/\2\1/g; s/(a|b).*c$/x/", "prose", "prose"]),
    program("make", &["make", "-f", "many.mk"]),
    program("gdb", &["gdb", "-nx", "-batch", "-ex", GDB, "CC1"]),
    program("tcl", &["tclsh", "fibonacci.tcl"]),
    Program { short: Some(50), ..program("default-jre-headless", &JAVA) },
    program("bc", &["bc", "-l", "arctangent.bc"]),
    program("jq", &["jq", JQ, "data.json"]),
    program(
        "vim",
        &["vim", "-Nu", "NONE", "-es", "-c", r"%s/\(\d\+\)\([a-f]\)/\2\1/g", "-c", "sort", "prose"],
    ),
];

const PYTHON: &str = "
def work(n): return sorted(str(i * 7919 % n) for i in range(n))
import json, re
while True: re.sub('1(.)', r'\\1', json.dumps(work(20000)))";
const SQL: &str = "create table t (n integer primary key, word text);
    with recursive count(n) as (select 1 union all select n + 1 from count where n < 600000)
        insert into t select n, printf('%x', n * 7919 % 65536) from count;
    create index words on t (word);
    select word, count(*), sum(n * n) from t group by word order by 2 desc, 1 limit 20;
    select count(*) from t a join t b on a.word = b.word where a.n < 200000;";
const PERL: &str = "my %h; while (1) {
    for my $i (1..200000) {
        my $k = sprintf('%x', $i * 7919 % 65536);
        $h{$k} .= 'x' if $k =~ /^(a|b).*[0-9]$/;
    }
    my @k = sort { length $h{$a} <=> length $h{$b} } keys %h
}";
const NODE: &str = "const map = new Map();
    while (true) {
        for (let i = 0; i < 3000; i++) map.set(i % 500, (map.get(i % 500) || 0) + i);
        JSON.stringify([...map]).replace(/1(\\d)/g, (all, digit) => digit + all);
        [...map].sort((one, other) => other[1] - one[1]);
    }";
const AWK: &str = "{ for (i = 1; i <= NF; i++) n[$i]++ }
    END { for (w in n) if (n[w] > 20 && w ~ /^[a-f].*[0-9]$/) print w, sqrt(n[w]) }";
const BASH: &str = "for ((i = 0; i < 2000000; i++)); do
    x=abc$i; y=${x//1/2}; [[ $y == *22* ]] && s=$((s + i)); done";
const DASH: &str = "i=0; while [ $i -lt 9000000 ]; do
    i=$((i + 1)); case $i in *77*) x=${i#7};; esac; done";
/// A program of the Java library that computes; with frame pointers, or no stack of it is whole.
const JAVA: [&str; 13] = [
    "keytool",
    "-J-XX:+PreserveFramePointer",
    "-genkeypair",
    "-keyalg",
    "RSA",
    "-keysize",
    "16384",
    "-dname",
    "CN=nobody",
    "-keystore",
    "new.p12",
    "-storepass",
    "secret",
];
const JQ: &str = "[.[] | select(.list[0] == 3) | .word] | group_by(.)
    | map({word: .[0], count: length}) | sort_by(.count)";
const GDB: &str =
    "python for i in range(1000): gdb.execute('info functions f%d$' % i, to_string=True)";
const TCL: &str = "proc f {n} {
    if {$n < 2} { return $n }; expr {[f [expr {$n - 1}]] + [f [expr {$n - 2}]]} }
    while 1 { f 15; set s {}
        for {set i 0} {$i < 5000} {incr i} {
            append s [format %x $i]; regsub -all {1(\\d)} $s {\\1} x }
        lsort [split $x a] }";
const MAKE: &str = "digits := 0 1 2 3 4 5 6 7 8 9
numbers := $(foreach a,$(digits),$(foreach b,$(digits),$(foreach c,$(digits),$a$b$c)))
many := $(foreach a,$(digits) $(digits) $(digits),$(addprefix $a,$(numbers)))
words := $(foreach n,$(many) $(many),$(eval v$n := $(patsubst %1,%2,$(subst 3,4,$n)))$(v$n))
counts := $(foreach n,$(many) $(many),$(words $(filter 3% $(v$n),$(numbers))))
all: ; @: $(words $(words) $(counts))
";

/// Writes what the programs read.
pub fn write_inputs(folder: &TempDir) {
    let text = prose(6 << 20);
    let lines: Vec<&[u8]> = text.chunks(60).collect();
    folder.write("prose", lines.join(&b"\n"[..]));
    folder.write("other", lines.iter().rev().copied().collect::<Vec<_>>().join(&b"\n"[..]));
    let c = |i| {
        format!(
            "int f{i}(int *a, int n) {{ int s = {i}; for (int i = 0; i < n; i++) \
             s += a[i] * (s ^ {i}) + a[(i * {i}) % n]; return s; }}\n"
        )
    };
    folder.write("pool.c", (1..2000).map(c).collect::<String>());
    let rust = |i| {
        format!(
            "pub fn f{i}(a: &mut Vec<String>) -> usize {{ a.sort(); a.dedup(); \
             a.iter().map(|s| s.len() * {i}).sum::<usize>() + format!(\"{{a:?}}\").len() }}\n"
        )
    };
    folder.write("pool.rs", (1..3000).map(rust).collect::<String>());
    let assembly = |i| {
        format!("f{i}: mov ${i}, %eax\n addsd %xmm{}, %xmm1\n je f{i}\n .long {i} * 3\n", i % 16)
    };
    folder.write("pool.s", (1..200_000).map(assembly).collect::<String>());
    let object = |i: u64| {
        format!("{{\"word\": \"{:x}\", \"list\": [{}, {}]}}", i * 7919 % 65536, i % 7, i % 11)
    };
    let objects: Vec<String> = (1..300_000).map(object).collect();
    folder.write("data.json", format!("[{}]", objects.join(", ")));
    folder.write("fibonacci.tcl", TCL);
    folder.write("many.mk", MAKE);
    folder.write("arctangent.bc", "scale = 5000\na(1)\nquit\n");
}

impl Program {
    pub fn name(&self) -> &'static str {
        self.words[0]
    }

    /// The command, in a folder with all inputs.
    pub fn command(&self, folder: &TempDir) -> Command {
        let of_gcc = |question: &str| PathBuf::from(output("gcc", &[question]));
        let path = match self.name() {
            "cc1" => of_gcc("-print-prog-name=cc1"),
            // The compiler itself, and not the launcher that rustup puts in front of it.
            "rustc" => PathBuf::from(output("rustc", &["--print", "sysroot"])).join("bin/rustc"),
            name => of_system(name, self.package),
        };
        let mut command = Command::new(path);
        for word in &self.words[1..] {
            match *word {
                "CC1" => command.arg(of_gcc("-print-prog-name=cc1")),
                "LIBC" => command.arg(of_gcc("-print-file-name=libc.a")),
                word => command.arg(word),
            };
        }
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
        command.current_dir(folder.path());
        command
    }
}

/// Not what else may be in `PATH` by that name, which often is a script.
fn of_system(name: &str, package: &str) -> PathBuf {
    let path = Path::new("/usr/bin").join(name);
    assert!(path.exists(), "{} is missing: apt-get install {package}", path.display());
    path
}

fn output(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
