//! One recording holds a program and all processes that it starts, in whatever way.
//!
//! `family.c` starts processes in each way there is; each of them writes down its pid and what CPU
//! time it used in which function. For trees of real programs (a compiler's driver, `make`,
//! `cargo`) it is `strace` that writes down which pid became which program, in the very run that is
//! profiled. Processes that cannot have the agent are named, with the reason.

#[path = "trees/strace.rs"]
mod strace;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use sigspy_tests::{
    Folded, TempDir, export, needs, processors, program, program_with, record_at, run, sigspy,
    spawn, thread_of, unprivileged_sigspy,
};
use strace::Process;

const RATE: &str = "997";

#[test]
fn a_child_of_fork_is_in_the_profile() {
    check_family("fork", 2);
}

#[test]
fn a_child_of_a_child_of_fork_is_in_the_profile() {
    check_family("fork-twice", 3);
}

#[test]
fn a_child_that_a_thread_forks_is_in_the_profile() {
    check_family("fork-in-thread", 2);
}

#[test]
fn a_child_of_clone_is_in_the_profile() {
    check_family("clone", 2);
}

/// The first process ends long before; the recording goes on until the last one has ended.
#[test]
fn a_daemon_is_in_the_profile_to_its_end() {
    check_family("daemon", 2);
}

#[test]
fn children_that_a_daemon_forks_later_are_in_the_profile() {
    check_family("daemon-with-workers", 4);
}

/// However long the collector takes to look: here, many of them share the processors.
#[test]
fn daemons_are_followed_on_a_busy_machine() {
    let _turn = processors();
    let folder = TempDir::new();
    let program = program("family.c").path;
    for _ in 0..3 {
        let start = |number: usize| {
            let log = folder.join(format!("log{number}"));
            let recording = folder.join(format!("{number}.sigspy"));
            let mut sigspy = record(&recording);
            (log.clone(), spawn(sigspy.arg(&program).arg("daemon").arg(log)))
        };
        for (log, running) in [0, 1, 2, 3, 4, 5].map(start) {
            let outcome = running.wait().expect(0);
            let truth = read_log(&log);
            fs::remove_file(&log).expect("the processes wrote a log");
            assert_eq!(truth.len(), 2, "it did not wait for the daemon: {truth:?}\n{outcome}");
            assert!(outcome.stderr.contains("3 processes"), "{outcome}");
        }
    }
}

#[test]
fn a_child_of_vfork_that_executes_a_program_is_in_the_profile() {
    check_family("vfork", 2);
}

#[test]
fn a_child_of_posix_spawn_is_in_the_profile() {
    check_family("posix_spawn", 2);
}

#[test]
fn a_child_of_system_is_in_the_profile() {
    check_family("system", 2);
}

#[test]
fn a_child_of_popen_is_in_the_profile() {
    check_family("popen", 2);
}

#[test]
fn a_process_that_becomes_another_program_again_and_again_is_one_process_in_the_profile() {
    check_family("chain", 2);
}

#[test]
fn a_child_executed_with_an_empty_environment_is_in_the_profile() {
    check_family("execve-empty", 2);
}

#[test]
fn a_child_of_posix_spawn_with_its_own_environment_is_in_the_profile() {
    check_family("posix_spawn-own", 2);
}

/// Runs `family`, whose log has to name `functions` pairs of a process and a function, and looks for
/// each of them in the profile.
///
/// Tolerances: of each of them, 0.3 s of CPU time, a tick of the kernel (up to 10 ms) may be missing
/// at either end, and as much be too much. All of it together may be 5 % more, for the work of
/// loading the programs.
fn check_family(kind: &str, functions: usize) {
    let _turn = processors();
    let folder = TempDir::new();
    let log = folder.join("log");
    let recording = folder.join("recording.sigspy");
    let mut sigspy = record(&recording);
    let outcome = run(sigspy.arg(program("family.c")).arg(kind).arg(&log)).expect(0);
    let folded = read(&recording);

    let truth = read_log(&log);
    assert_eq!(truth.len(), functions, "processes and functions in {truth:?}\n{outcome}");
    for ((pid, function), ns) in &truth {
        let is_it = |frames: &[String]| {
            pid_of(frames) == Some(*pid) && frames.iter().any(|frame| frame == function)
        };
        let share = folded.weight_where(is_it) as f64 / *ns as f64;
        assert!(
            (0.93..1.07).contains(&share),
            "{share:.3} of the time of `{function}` in process {pid}\n{}\n{outcome}",
            folded.heaviest(8)
        );
    }
    let total = folded.total() as f64 / truth.values().sum::<u64>() as f64;
    assert!((0.98..1.05).contains(&total), "{total:.3} of all time\n{outcome}");
}

/// CPU time in nanoseconds by pid and function, as the processes of `family` wrote it down.
fn read_log(log: &Path) -> BTreeMap<(u32, String), u64> {
    let mut parts = BTreeMap::new();
    for line in fs::read_to_string(log).expect("the processes wrote a log").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (pid, function) = (words[0].parse().expect("a pid"), words[1].to_owned());
        *parts.entry((pid, function)).or_default() += words[2].parse::<u64>().expect("a time");
    }
    parts
}

fn record(recording: &Path) -> Command {
    let mut command = Command::new(sigspy());
    command.args(["record", "-F", RATE, "-o"]).arg(recording).arg("--");
    command
}

fn read(recording: &Path) -> Folded {
    let outcome = run(export(recording).arg("--threads")).expect(0);
    Folded::parse(&outcome.text(), 1000).unwrap_or_else(|error| panic!("{error} in\n{outcome}"))
}

/// The process that a stack is of: there is a frame `NAME-PID/TID` near its root.
fn pid_of(frames: &[String]) -> Option<u32> {
    let thread = |frame: &String| frame.rsplit_once('/')?.0.rsplit_once('-')?.1.parse().ok();
    frames.iter().take(2).find_map(thread)
}

/// Profiles threads of a process that is in a pid namespace of its own.
fn threads_in_a_namespace(hz: u32, arguments: &[&str]) -> Folded {
    needs("unshare", "util-linux");
    let program = program("threads.c").path;
    let command = ["unshare".as_ref(), "--pid".as_ref(), "--fork".as_ref(), program.as_os_str()];
    let arguments = arguments.iter().map(OsStr::new);
    record_at(hz, command.into_iter().chain(arguments)).expect(0).folded_by_thread()
}

/// Where nobody can ask for its name later, samples say what a thread calls itself.
#[test]
fn threads_in_another_namespace_have_the_names_that_they_give_themselves_late() {
    let _alone = processors();
    // The first sample comes with the kernel's first tick, the second a tenth of a second later.
    let folded = threads_in_a_namespace(10, &["2", "3", "30"]);
    let worked = folded.only(|frames| frames.iter().any(|frame| frame == "work"));
    assert!(worked.total() > 2_500_000_000, "{}", worked.heaviest(5));
    for (frames, _) in worked.stacks() {
        assert!(frames[1].starts_with("worker-"), "{frames:?}");
    }
}

/// In a namespace of its own, a process calls itself 1, and its threads 2, 3 and so on.
#[test]
fn processes_in_another_namespace_are_not_taken_for_those_with_their_ids_here() {
    let _alone = processors();
    let folded = threads_in_a_namespace(997, &["2", "3"]);
    let mut names = BTreeSet::new();
    for (frames, _) in folded.stacks() {
        assert!(["unshare", "threads"].contains(&&*frames[0]), "{frames:?}");
        names.extend(thread_of(&frames[1]).map(|(name, _)| name.to_owned()));
    }
    names.remove("unshare");
    assert!(
        names.is_subset(&["threads", "worker-0", "worker-1"].map(str::to_owned).into()),
        "{names:?}"
    );
    let worked = folded.stacks().filter(|(frames, _)| frames.iter().any(|frame| frame == "work"));
    let named = worked.filter(|(frames, _)| frames[1].starts_with("worker-")).map(|(_, ns)| ns);
    let named: u64 = named.sum();
    assert!(named > 2_900_000_000, "{named} ns");
}

#[test]
fn all_processes_of_a_compilers_driver_are_in_the_recording() {
    needs("gcc", "gcc");
    let folder = TempDir::new();
    folder.write("main.c", "int main(void) { return 0; }\n");
    check_tree(&folder, &["gcc", "-O2", "-c", "main.c"], &["gcc", "cc1", "as"]);
}

#[test]
fn all_processes_of_make_are_in_the_recording() {
    needs("make", "make");
    needs("gcc", "gcc");
    let folder = TempDir::new();
    let names: Vec<String> = (0..8).map(|number| format!("f{number}")).collect();
    for name in &names {
        folder.write(format!("{name}.c"), format!("int {name}(void) {{ return 1; }}\n"));
    }
    folder.write("main.c", "int main(void) { return 0; }\n");
    let objects = names.iter().map(|name| format!(" {name}.o")).collect::<String>();
    let rule = "\t$(CC) -o $@ $^ && ./main && (date >$@.done; echo done)\n";
    folder.write("Makefile", format!("CC = gcc\nmain: main.o{objects}\n{rule}"));
    let programs = ["make", "gcc", "cc1", "as", "collect2", "main", "date"];
    check_tree(&folder, &["make", "-s", "-j2"], &programs);
}

#[test]
fn all_processes_of_cargo_are_in_the_recording() {
    let folder = TempDir::new();
    fs::create_dir(folder.join("src")).expect("the folder is ours");
    folder.write("Cargo.toml", "[package]\nname = \"tiny\"\nedition = \"2021\"\n[workspace]\n");
    folder.write("src/main.rs", "fn main() { println!(\"tiny\"); }\n");
    folder.write("build.rs", "fn main() { println!(\"cargo:rerun-if-changed=build.rs\"); }\n");
    let programs = ["cargo", "rustc", "build-script-build"];
    check_tree(&folder, &["cargo", "build", "--offline"], &programs);
}

/// Profiles a command in `folder`, and compares the processes of the recording with those that
/// strace has seen: pids and names. Some of them must be called as `programs` says.
fn check_tree(folder: &TempDir, command: &[&str], programs: &[&str]) {
    let _turn = processors();
    let (trace, recording) = (folder.join("trace"), folder.join("recording.sigspy"));
    let mut strace = strace::strace(&trace, record(&recording).args(command));
    // What cargo tells its tests is not meant for a cargo that they run.
    let of_cargo = |name: &str| name.starts_with("CARGO") && name != "CARGO_HOME";
    let variables = env::vars().filter(|(name, _)| of_cargo(name));
    for (name, _) in variables {
        strace.env_remove(name);
    }
    let outcome = run(strace.current_dir(folder.path())).expect(0);

    let seen = strace::read(&trace, folder.path());
    let recorded = processes(&read(&recording));
    let missing: Vec<_> = seen.certain.difference(&recorded).collect();
    let count = seen.certain.len();
    assert!(missing.is_empty(), "{missing:?} are missing of {count} processes\n{outcome}");
    let known: BTreeSet<_> = seen.certain.union(&seen.possible).cloned().collect();
    // Between fork and exec a process is what its parent is, which the trace does not name.
    let is_known = |process: &&(u32, String)| {
        known.contains(*process) || known.contains(&(process.0, String::new()))
    };
    let made_up: Vec<_> = recorded.iter().filter(|process| !is_known(process)).collect();
    assert!(made_up.is_empty(), "{made_up:?} are not among {known:?}\n{outcome}");
    for program in programs {
        let is_it = |name: &str| match_name(name, program);
        assert!(recorded.iter().any(|(_, name)| is_it(name)), "no {program} in {recorded:?}");
    }
}

/// Whether a file name is that of a program: Debian calls `gcc` `x86_64-linux-gnu-gcc-12`.
fn match_name(name: &str, program: &str) -> bool {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    [name, base].iter().any(|name| *name == program || name.ends_with(&format!("-{program}")))
}

/// Pids and names of the processes in a profile, without what stands for others.
fn processes(folded: &Folded) -> BTreeSet<Process> {
    let all = folded.stacks().filter(|(frames, _)| !frames[0].starts_with('['));
    all.filter_map(|(frames, _)| Some((pid_of(frames)?, frames[0].clone()))).collect()
}

#[test]
fn a_statically_linked_child_is_listed_with_the_reason() {
    let folder = TempDir::new();
    let fixed = folder.join("fixed");
    fs::copy(program_with("family.c", &["-static"]).path, &fixed).expect("it can be copied");
    let (report, folded) =
        report_of_shell(&folder, record, &format!("{} leaf log", fixed.display()));
    assert_gap(&report, "fixed", "static");
    assert_time_of_others(&folded, &folder.join("log"));
}

/// Profiled as a user to whom the set-user-ID program gives something: root has it already.
#[test]
fn a_set_user_id_child_is_listed_with_the_reason() {
    let folder = TempDir::new();
    let known = ["/usr/bin/passwd", "/usr/bin/su", "/bin/su", "/usr/bin/mount", "/bin/mount"];
    let set_uid = known.into_iter().find(|path| Path::new(path).exists());
    let set_uid = set_uid.expect("no set-uid program is installed: apt-get install passwd");
    let unprivileged = |recording: &Path| {
        let mut command = unprivileged_sigspy(&folder);
        command.args(["record", "-F", RATE, "-o"]).arg(recording).arg("--");
        command
    };
    let (report, _) = report_of_shell(&folder, unprivileged, &format!("{set_uid} --help >help"));
    let name = Path::new(set_uid).file_name().expect("a program has a name").to_string_lossy();
    assert_gap(&report, &name, "the rights of another user");
}

/// Whoever empties the environment may be made to keep what we need, or not: the child is profiled
/// then, or listed.
#[test]
fn a_child_of_env_i_is_profiled_or_listed_with_the_reason() {
    let folder = TempDir::new();
    let family = program("family.c").path;
    let script = format!("env -i {} leaf log", family.display());
    let (report, folded) = report_of_shell(&folder, record, &script);
    let (_, ns) = read_log(&folder.join("log")).pop_first().expect("the leaf wrote a line");
    if (folded.weight_of("leaf_work") as f64) < 0.93 * ns as f64 {
        assert_gap(&report, "family", "environment");
        assert_time_of_others(&folded, &folder.join("log"));
    }
}

/// Profiles a shell that runs `script` and more; returns the report and the profile.
fn report_of_shell(
    folder: &TempDir,
    record: impl Fn(&Path) -> Command,
    script: &str,
) -> (String, Folded) {
    let _turn = processors();
    let recording = folder.join("recording.sigspy");
    let script = format!("{script}; true");
    let mut command = record(&recording);
    run(command.args(["sh", "-c", &script]).current_dir(folder.path())).expect(0);
    let report = run(Command::new(sigspy()).args(["report", "-i"]).arg(&recording)).expect(0);
    (report.text() + &report.stderr, read(&recording))
}

/// Fails unless a line of the report names a program that could not be profiled, and why.
#[track_caller]
fn assert_gap(report: &str, program: &str, reason: &str) {
    let mut lines = report.lines();
    let found = lines.any(|line| line.contains(program) && line.contains(reason));
    assert!(found, "no line names `{program}` and says `{reason}`:\n{report}");
}

/// The CPU time of a process without the agent is in the profile, as that of others. Within 5 %: it
/// is the difference of all time and that of the others.
fn assert_time_of_others(folded: &Folded, log: &Path) {
    let (_, ns) = read_log(log).pop_first().expect("the leaf wrote a line");
    let all = folded.weight_where(|frames| frames[0].starts_with('['));
    let share = all as f64 / ns as f64;
    assert!((0.95..1.05).contains(&share), "{share:.3} of its time\n{}", folded.heaviest(8));
}
