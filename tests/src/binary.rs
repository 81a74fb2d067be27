//! Where the `sigspy` under test is.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{TempDir, needs};

/// The binary under test: `$SIGSPY_BIN`, or a release build of this workspace.
pub fn sigspy() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("SIGSPY_BIN").map_or_else(build, PathBuf::from))
}

/// Builds the binary into the target folder that the tests themselves were built into. When it is
/// up to date this takes a moment; cargo keeps two builds from getting into each other's way.
fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "sigspy", "--manifest-path"])
        .arg(workspace().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target())
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "the build of sigspy failed, see above");
    target().join("release/sigspy")
}

/// A copy of the binary in `folder`, run by a user who may not do all that root may.
///
/// Root reads every file, and set-uid programs give root nothing: tests of either are run by
/// `nobody` then, who needs a place to write to.
pub fn unprivileged_sigspy(folder: &TempDir) -> Command {
    let copy = folder.join("sigspy");
    fs::copy(sigspy(), &copy).expect("the binary can be copied");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("it is ours");
    let mut command = if nix::unistd::geteuid().is_root() {
        needs("setpriv", "util-linux");
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
        command
    } else {
        Command::new(copy)
    };
    command.env("XDG_CACHE_HOME", folder.join("cache")).current_dir(folder.path());
    command
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above this package")
}

/// The target folder: a test is `target/PROFILE/deps/NAME`.
pub(crate) fn target() -> PathBuf {
    let test = env::current_exe().expect("Linux knows the path of a program");
    test.ancestors().nth(3).expect("tests are three folders below the target folder").to_owned()
}
