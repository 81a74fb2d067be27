//! Programs whose files are no longer there when their functions are looked up.

use std::fs;
use std::path::Path;
use std::process::Command;

use sigspy_tests::{
    Recorded, TempDir, needs, program, program_with, record_in, record_with, run, sigspy,
    wait_until,
};

use super::{Stripped, is_named};

const RATE: [&str; 2] = ["-F", "250"];

fn copy_of(source: &str, folder: &TempDir) -> std::path::PathBuf {
    let copy = folder.join("app");
    fs::copy(program(source).path, &copy).expect("a temporary folder is writable");
    copy
}

#[track_caller]
fn assert_named(recorded: &Recorded, warning: &str) {
    assert!(is_named(&recorded.folded(), "works_on"), "{}", recorded.outcome);
    assert!(recorded.outcome.stderr.contains(warning), "{}", recorded.outcome);
}

#[test]
fn a_program_that_is_removed_while_it_runs_has_its_names() {
    let folder = TempDir::new();
    let app = copy_of("replaced.c", &folder);
    let recorded = record_with(&RATE, [&app]).expect(0);
    assert!(!app.exists());
    assert_named(
        &recorded,
        "app is no longer there; its functions are named after the file that ran",
    );
}

#[test]
fn a_program_that_is_replaced_while_it_runs_has_its_own_names() {
    let folder = TempDir::new();
    let app = copy_of("replaced.c", &folder);
    let other = program_with("phases.c", &["-g"]).path;
    let successor = folder.join("successor");
    fs::copy(&other, &successor).expect("a temporary folder is writable");
    let recorded = record_with(&RATE, [&app, &successor]).expect(0);
    assert_eq!(fs::read(&app).unwrap(), fs::read(&other).unwrap());
    assert_named(&recorded, "app is another file by now (build-id ");
}

#[test]
fn a_program_with_the_agent_preloaded_keeps_its_names_when_it_is_removed() {
    let folder = TempDir::new();
    let app = copy_of("replaced.c", &folder);
    let agent = run(Command::new(sigspy()).args(["agent", "--path"])).expect(0).text();
    let recording = folder.join("app.sigspy");
    let mut command = Command::new(app);
    command.env("LD_PRELOAD", agent.trim_end()).env("SIGSPY_OUTPUT", &recording);
    let outcome = run(&mut command).expect(0);
    assert_eq!(outcome.stderr, "");
    wait_until("the recording has names", || {
        let outcome = run(&mut sigspy_tests::export(&recording));
        outcome.code() == 0 && outcome.text().contains("works_on")
    });
}

#[test]
fn the_program_does_not_inherit_that_sigspy_may_open_more_files() {
    needs("prlimit", "util-linux");
    let script = "ulimit -Sn; i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
    let mut command = Command::new("prlimit");
    let folder = TempDir::new();
    command.arg("--nofile=300:600").arg(sigspy()).args(["record", "-F", "250", "-o"]);
    command.arg(folder.join("recording.sigspy")).args(["--", "sh", "-c", script]);
    let outcome = run(&mut command).expect(0);
    assert_eq!(outcome.text(), "300\n", "{outcome}");
}

/// A root folder of its own in a mount namespace of its own, as in a container: nothing of it is to
/// be seen from outside, and all of it is gone when it has ended.
#[test]
fn a_program_in_a_container_has_the_names_of_the_debug_files_there() {
    needs("unshare", "util-linux");
    needs("mount", "mount");
    let app = Stripped::new("phases.c");
    let folder = &app.folder;
    let (stage, root, shared) = (folder.join("stage"), folder.join("root"), folder.join("shared"));
    for one in [&stage, &root, &shared] {
        fs::create_dir(one).expect("a temporary folder is writable");
    }
    app.install_debug_file(&folder.join("debug"));
    fs::create_dir_all(stage.join("usr/lib/debug")).expect("a temporary folder is writable");
    fs::rename(folder.join("debug/.build-id"), stage.join("usr/lib/debug/.build-id"))
        .expect("both are in one folder");
    copy_libraries(&app.program, &stage);
    fs::copy(&app.program, stage.join("app")).expect("a temporary folder is writable");
    let script = "mount -t tmpfs tmpfs $0/root && cp -a $0/stage/. $0/root && \
                  mkdir -p $0/root$0/shared && mount --bind $0/shared $0/root$0/shared && \
                  exec unshare --root=$0/root --wd=/ /app";
    let shared = shared.to_str().expect("temporary folders have plain names");
    let environment = [("XDG_RUNTIME_DIR", shared), ("XDG_CACHE_HOME", shared)];
    let folder = folder.path().to_str().expect("temporary folders have plain names");
    let command = ["unshare", "--mount", "sh", "-c", script, folder];
    let recorded = record_in(&environment, &RATE, command).expect(5);
    assert!(!root.join("app").exists());
    for function in ["first", "fourth"] {
        let folded = recorded.folded();
        assert!(folded.weight_of(function) > folded.total() / 8, "{}", recorded.outcome);
    }
}

/// Copies the libraries of a program, and the loader, to where they are below `root`.
fn copy_libraries(program: &Path, root: &Path) {
    let list = run(Command::new("ldd").arg(program)).expect(0).text();
    let paths = list.split_whitespace().filter(|word| word.starts_with('/'));
    for path in paths {
        let copy = root.join(&path[1..]);
        fs::create_dir_all(copy.parent().expect("it has a folder")).expect("it is writable");
        fs::copy(path, copy).expect("it is writable");
    }
}
