//! Which processes there were in a run, as strace has seen them.
//!
//! A process that forks is there under the name of its parent until it executes a program, which it
//! may never do. Names are those of the files that the kernel runs: symbolic links are followed,
//! and a script is its interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use sigspy_tests::needs;

/// A process as one program.
pub type Process = (u32, String);

/// Processes by their pid and the name of their program.
#[derive(Debug, Default)]
pub struct Seen {
    /// Those that executed a program, or never did: a profile must have them.
    pub certain: BTreeSet<Process>,
    /// What they were between fork and exec: a profile may have that.
    pub possible: BTreeSet<Process>,
}

/// The command that runs `command` and writes to `trace` what processes it starts.
pub fn strace(trace: &Path, command: &Command) -> Command {
    needs("strace", "strace");
    let calls = "trace=execve,execveat,fork,vfork,clone,clone3";
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-e", calls, "-e", "signal=none", "-o"]).arg(trace);
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    strace
}

/// Reads what strace wrote about a run in `folder`, of which the first program, sigspy, is left out.
pub fn read(trace: &Path, folder: &Path) -> Seen {
    let text = fs::read_to_string(trace).expect("strace has written it");
    let (mut begun, mut current) = (BTreeMap::new(), BTreeMap::new());
    let mut seen = Seen::default();
    for line in text.lines() {
        let (pid, call) = line.split_once(' ').expect("a pid comes first");
        let (pid, call) = (pid.parse::<u32>().expect("a pid"), call.trim_start());
        // A call that another one interrupts is written in two lines.
        let whole = match call.strip_suffix("<unfinished ...>") {
            Some(start) => {
                begun.insert(pid, start.to_owned());
                continue;
            }
            None if call.starts_with("<...") => begun.remove(&pid).unwrap_or_default() + call,
            None => call.to_owned(),
        };
        let result = whole.rsplit_once(" = ").and_then(|(_, result)| result.parse::<u32>().ok());
        match (whole.starts_with("exec"), result) {
            (true, Some(0)) => {
                let path = whole.split('"').nth(1).expect("exec takes a path");
                current.insert(pid, program_name(&folder.join(path)));
                seen.certain.insert((pid, current[&pid].clone()));
            }
            (false, Some(child)) if !whole.contains("CLONE_THREAD") => {
                let parent = current.get(&pid).cloned().unwrap_or_default();
                current.entry(child).or_insert_with(|| parent.clone());
                seen.possible.insert((child, parent));
            }
            _ => {}
        }
    }
    let first = text.split_once(' ').and_then(|(pid, _)| pid.parse::<u32>().ok());
    seen.certain.retain(|(pid, _)| Some(*pid) != first);
    let executed: BTreeSet<u32> = seen.certain.iter().map(|(pid, _)| *pid).collect();
    let forked = seen.possible.iter().filter(|(pid, _)| !executed.contains(pid)).cloned();
    seen.certain.extend(forked.collect::<Vec<_>>());
    assert!(!seen.certain.is_empty(), "strace has seen nothing:\n{text}");
    seen
}

fn program_name(path: &Path) -> String {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let start = fs::read(&real).unwrap_or_default();
    let script = start.strip_prefix(b"#!").map(|rest| rest.split(|byte| *byte == b'\n').next());
    match script.flatten().map(String::from_utf8_lossy) {
        Some(line) => program_name(Path::new(line.split_whitespace().next().unwrap_or_default())),
        None => real.file_name().expect("a program has a name").to_string_lossy().into_owned(),
    }
}
