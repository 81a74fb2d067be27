//! What a running process says about itself in /proc.

use std::{fs, io};

use nix::sys::signal::Signal;
use sigspy_symbolizer::Sources;

use super::check::{Check, Examination};
use super::program;

/// `/proc/PID/status`.
pub struct Status(String);

impl Status {
    /// What stands behind `name:`.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    /// Whether SIGPROF is in a mask such as `SigCgt`.
    fn has_sigprof(&self, mask: &str) -> bool {
        let mask = self.field(mask).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        mask.is_some_and(|mask| mask & 1 << (Signal::SIGPROF as i32 - 1) != 0)
    }
}

/// The status of a process by its pid, or of `self`.
pub fn status_of(pid: &str) -> io::Result<Status> {
    fs::read_to_string(format!("/proc/{pid}/status")).map(Status)
}

/// Looks at a process. One without the agent cannot be profiled as it is; then its program says
/// whether it could be, when it is started anew.
pub fn examine(pid: u32, sources: &Sources) -> Examination {
    let subject = format!("process {pid}");
    let status = match status_of(&pid.to_string()) {
        Ok(status) => status,
        Err(_) => {
            let remedy = "ask for another pid; see `ps -e`";
            let checks = vec![Check::no("process", "there is none of that number", remedy)];
            return Examination { subject, checks };
        }
    };
    let (threads, name) = (of(&status, "Threads"), of(&status, "Name"));
    let plural = if threads == "1" { "" } else { "s" };
    let mut checks = vec![
        Check::ok("process", format!("{threads} thread{plural} of {name}")),
        agent(pid),
        signal(&status),
    ];
    if status.field("Seccomp") == Some("2") {
        let found = "a filter is in place";
        checks.push(Check::ok("seccomp", found).with_detail("the agent makes few system calls"));
    }
    match program::of_process(pid) {
        Ok((path, called)) => checks.extend(program::checks(&path, &called, sources)),
        Err(error) => {
            let found = format!("its program cannot be looked at: {error}");
            checks.push(Check::warn("program", found, "be the user that it belongs to"));
        }
    }
    Examination { subject, checks }
}

fn of<'a>(status: &'a Status, name: &str) -> &'a str {
    status.field(name).unwrap_or("?")
}

/// Whether the agent has been loaded.
fn agent(pid: u32) -> Check {
    const NAME: &str = "agent";
    let maps = match fs::read_to_string(format!("/proc/{pid}/maps")) {
        Ok(maps) => maps,
        Err(error) => {
            let found = format!("nobody knows, as its memory map cannot be read: {error}");
            return Check::no(NAME, found, "be the user that it belongs to");
        }
    };
    if maps.contains("memfd:sigspy-lanes") {
        Check::ok(NAME, "loaded, and recording")
    } else if maps.contains("libsigspy") {
        Check::ok(NAME, "loaded, and idle; see `sigspy agent --help`")
    } else {
        Check::no(
            NAME,
            "not loaded, and sigspy does not join running programs",
            "start it anew, as `sigspy record -- COMMAND`",
        )
    }
}

/// Whether the program has a use for SIGPROF itself. With the agent in it, what is said here is
/// said about the agent.
fn signal(status: &Status) -> Check {
    const NAME: &str = "SIGPROF";
    if status.has_sigprof("SigBlk") {
        let found = "blocked by the main thread, whose time would have no stacks";
        return Check::warn(NAME, found, "choose another signal: --signal USR2");
    }
    let found = match (status.has_sigprof("SigIgn"), status.has_sigprof("SigCgt")) {
        (true, _) => "ignored; the agent replaces that",
        (_, true) => "handled; a handler of the program's own gets its own signals",
        _ => "unused",
    };
    Check::ok(NAME, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_status_are_found() {
        let status = Status("Name:\tcat\nThreads:\t3\nSigBlk:\t0000000004000000\n".to_owned());
        assert_eq!(status.field("Name"), Some("cat"));
        assert_eq!(status.field("Thread"), None);
        assert!(status.has_sigprof("SigBlk"));
        assert!(!status.has_sigprof("SigCgt"));
    }

    #[test]
    fn a_process_without_the_agent_cannot_be_profiled() {
        let own = examine(std::process::id(), &Sources::default());
        assert_eq!(own.state(), super::super::check::State::No);
        assert!(own.checks.iter().any(|check| check.found.starts_with("not loaded")), "{own:?}");
    }
}
