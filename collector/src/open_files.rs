//! How many files may be open: more for us, who keep those of all modules, than for the programs
//! that we start.
#![allow(unsafe_code, reason = "runs code between fork and exec")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The limits with which we were started: soft and hard. Empty until they are raised.
static FIRST: OnceLock<(u64, u64)> = OnceLock::new();

/// Lets this process open as many files as it may. Returns how many these are.
pub fn raise_limit() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    FIRST.get_or_init(|| (soft, hard));
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    Some(if raised { hard } else { soft })
}

/// Has a program begin with the limit on open files that we were started with, whether or not ours
/// is raised by now: some close all descriptors that there could be, others use select(2).
pub fn leave_limit_as_it_was(command: &mut Command) {
    if let Some(&(soft, hard)) = FIRST.get() {
        begin_with(command, soft, hard);
    }
}

fn begin_with(command: &mut Command, soft: u64, hard: u64) {
    let limit = move || setrlimit(Resource::RLIMIT_NOFILE, soft, hard).map_err(io::Error::from);
    // SAFETY: between fork and exec, `limit` makes one system call and does not allocate.
    unsafe { command.pre_exec(limit) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_can_have_another_limit_than_we() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!([(); 2].map(|()| raise_limit()), [Some(hard); 2]);
        assert!(FIRST.get().is_some());
        let mut shell = Command::new("sh");
        begin_with(shell.args(["-c", "ulimit -Sn; ulimit -Hn"]), hard - 1, hard);
        let limits = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        assert_eq!(limits, format!("{}\n{hard}\n", hard - 1));
    }
}
