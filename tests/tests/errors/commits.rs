//! `cargo sigspy check` with commits that are not there, or not to be had.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sigspy_tests::{TempDir, needs, run, sigspy};

use crate::refused;

/// A package with a binary, and a cache folder.
struct Package {
    folder: TempDir,
    cache: TempDir,
}

impl Package {
    fn new() -> Self {
        let package = Self { folder: TempDir::new(), cache: TempDir::new() };
        fs::create_dir(package.folder.join("src")).expect("the folder is ours");
        package.folder.write(".gitignore", "target\nCargo.lock\n");
        package.folder.write(
            "Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        );
        package.folder.write("src/main.rs", "fn main() {}\n");
        package
    }

    /// With a commit, in this branch.
    fn committed(branch: &str) -> Self {
        let package = Self::new();
        for words in [
            &["init", "--quiet", "--initial-branch", branch][..],
            &["add", "--all"],
            &["commit", "--quiet", "--message", "first"],
        ] {
            let mut git = Command::new(needs("git", "git"));
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(package.folder.path());
            git.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
            run(git.args(words)).expect(0);
        }
        package
    }

    fn check(&self, folder: &Path, words: &str) -> Command {
        let mut command = Command::new(sigspy().with_file_name("cargo-sigspy"));
        command.args(["sigspy", "check", "-q"]).args(words.split_whitespace());
        command.current_dir(folder).env("CARGO", needs("cargo", "cargo"));
        command.env("CARGO_TARGET_DIR", self.folder.join("target"));
        command.env("XDG_CACHE_HOME", self.cache.path());
        command
    }

    /// Fails with exit status 2 and an error with these words.
    #[track_caller]
    fn refused(&self, options: &str, words: &[&str]) {
        refused(&mut self.check(self.folder.path(), options), 2, words);
    }
}

#[test]
pub fn git_is_not_there() {
    let package = Package::committed("main");
    let mut check = package.check(package.folder.path(), "");
    refused(check.env("PATH", "/no/such/folder"), 2, &["cannot run git", "put it into PATH"]);
}

#[test]
pub fn there_is_no_repository() {
    Package::new().refused("", &["is in no git repository", "`sigspy check` compares"]);
}

#[test]
pub fn a_commit_is_not_there() {
    let package = Package::committed("main");
    let words = ["there is no commit no-such-name here", "name another, or fetch it"];
    package.refused("--base no-such-name", &words);
    package.refused("--base main --head no-such-name", &words);
    package.refused("--base=--no-such-name", &["there is no commit --no-such-name here"]);
}

#[test]
pub fn there_is_no_default_branch() {
    let words = ["there is no default branch", "name a commit with --base"];
    Package::committed("trunk").refused("", &words);
}

#[test]
pub fn nothing_has_changed() {
    Package::committed("main").refused("", &["nothing has changed since", "with --base"]);
}

#[test]
pub fn a_folder_is_new() {
    let package = Package::committed("main");
    let new = package.folder.join("src/bin");
    fs::create_dir(&new).expect("the folder is ours");
    let words = ["there is no folder src/bin in main at ", "begin in one that both commits have"];
    refused(&mut package.check(&new, "--base main"), 2, &words);
}

#[test]
pub fn git_cannot_check_out() {
    let package = Package::committed("main");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *worktree*) echo fatal: no room >&2; exit 1;; esac\n\
         exec '{}' \"$@\"\n",
        needs("git", "git").display()
    );
    let programs = TempDir::new();
    let git = programs.write("git", script);
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    let mut check = package.check(package.folder.path(), "--base main");
    refused(check.env("PATH", path), 2, &["git cannot check out", "no room", "see what git says"]);
}

#[test]
pub fn the_base_does_not_build() {
    let package = Package::committed("main");
    package.folder.write("src/lib.rs", "");
    let words = ["the base, main at ", "cannot be built", "there is no --unit-test"];
    package.refused("--base main --unit-test --unit-test-kind lib", &words);
}
