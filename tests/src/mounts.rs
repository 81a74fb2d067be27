//! Programs that see other file systems than the rest of the machine.

use std::process::Command;

use crate::{Outcome, needs, run};

/// The exit status by which a script says that it could not mount.
const NOT_MOUNTED: i32 = 99;

/// A shell that runs `script`, whose mounts nobody else sees. More arguments are `$1` and so on; a
/// mount that fails is to be followed by `|| exit 99`.
pub fn shell_with_mounts(script: &str) -> Command {
    needs("mount", "mount");
    let mut command = Command::new(needs("unshare", "util-linux"));
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]); // who may mount there
    }
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command
}

/// Runs such a shell, and fails where mounts are not allowed.
pub fn run_with_mounts(command: &mut Command) -> Outcome {
    let outcome = run(command);
    let is_mounted = outcome.code() != NOT_MOUNTED && !outcome.stderr.contains("unshare: ");
    assert!(is_mounted, "this needs mount and unshare, which are not allowed here:\n{outcome}");
    outcome
}
