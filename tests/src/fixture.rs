//! Cargo packages to build and profile: copies, so that nothing is written into this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::target;
use crate::{TempDir, sigspy, workspace};

/// A copy of `tests/fixtures/NAME`.
pub fn fixture(name: &str) -> TempDir {
    let folder = TempDir::new();
    copy_folder(&workspace().join("tests/fixtures").join(name), folder.path());
    folder
}

/// A target folder that stays from one run of the tests to the next, for what takes long to build.
pub fn lasting_target(name: &str) -> PathBuf {
    target().join("sigspy-fixtures").join(name)
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a temporary folder can be written to");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("a folder can be read").path();
        let to = to.join(entry.file_name().expect("it has a name"));
        if entry.is_dir() {
            copy_folder(&entry, &to);
        } else {
            fs::copy(&entry, &to).expect("a file can be copied");
        }
    }
}

/// `cargo sigspy` in a folder, as cargo starts it; nothing of the environment that cargo has given to
/// the tests themselves is left.
pub fn cargo_sigspy(folder: &Path) -> Command {
    let mut command = Command::new(sigspy().with_file_name("cargo-sigspy"));
    command.arg("sigspy").current_dir(folder);
    let of_cargo = |name: &str| name.starts_with("CARGO") && name != "CARGO_HOME";
    for (name, _) in std::env::vars().filter(|(name, _)| of_cargo(name)) {
        command.env_remove(name);
    }
    command
}
