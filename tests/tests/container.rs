//! In a container as services for continuous integration have them: no capability, no privilege to
//! be had, users and processes of its own, and no system call that looks into other processes or
//! counts events.

use std::process::Command;

use sigspy_tests::{
    Folded, Outcome, TempDir, export, needs, processors, program, program_in, run, sigspy,
};

/// What the default seccomp profile of Docker forbids, of what a profiler may want, and more that
/// older ones do.
const FORBIDDEN: [&str; 13] = [
    "add_key",
    "bpf",
    "io_uring_setup",
    "kcmp",
    "keyctl",
    "mount",
    "perf_event_open",
    "pidfd_getfd",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "setns",
    "unshare",
];

/// Runs `sigspy` in a container that can write to `folder` alone.
fn contained(folder: &TempDir, arguments: &[&str]) -> Outcome {
    let mut container = Command::new(needs("bwrap", "bubblewrap"));
    container.args(["--unshare-all", "--cap-drop", "ALL", "--new-session", "--die-with-parent"]);
    container.args(["--uid", "1000", "--gid", "1000", "--ro-bind", "/", "/"]);
    container.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run"]);
    container.arg("--bind").args([folder.path(); 2]).arg("--chdir").arg(folder.path());
    container.args(["--clearenv", "--setenv", "PATH", "/usr/bin:/bin"]);
    container.arg("--setenv").arg("TMPDIR").arg(folder.path());
    container.arg("--setenv").arg("XDG_CACHE_HOME").arg(folder.join("cache"));
    container.arg(&program_in("torture", "confine.c", &[]).path);
    container.args(FORBIDDEN.map(|call| format!("eperm={call}")));
    run(container.arg("--").arg(sigspy()).args(arguments))
}

#[test]
fn a_program_is_recorded_with_whole_stacks() {
    let _alone = processors();
    let folder = TempDir::new();
    let parts = program("parts.c").path;
    let words = ["record", "-F", "997", "-o", "parts.sigspy", "--"];
    let words = [&words[..], &[parts.to_str().expect("a plain path"), "4000", "4000"]].concat();
    contained(&folder, &words).expect(0);
    let text = run(&mut export(&folder.join("parts.sigspy"))).expect(0).text();
    let folded = Folded::parse(&text, 1000).expect("it can be read");
    let whole = folded.weight_of("main");
    // Without process_vm_readv, stacks are walked from when the collector has said where they are,
    // some ten milliseconds after the start.
    assert!(whole as f64 > 0.95 * folded.total() as f64, "{}", folded.heaviest(5));
    assert!(folded.weight_of("part_2") as f64 > 0.45 * folded.total() as f64);
}

#[test]
fn a_check_has_a_verdict() {
    let _alone = processors();
    let folder = TempDir::new();
    let parts = program("parts.c").path;
    let command = |arguments: &str| format!("'{}' {arguments}", parts.display());
    let (base, head) = (command("200 100 100"), command("600 100 100"));
    let options = ["check", "--runs", "3", "--warm-up", "0", "--json", "result.json"];
    let sides = ["--base-command", &base, "--head-command", &head];
    let failed = contained(&folder, &[&options[..], &sides[..]].concat()).expect(1);
    assert!(failed.text().starts_with("Regression: "), "{failed}");
    assert!(failed.text().contains("part_1 in parts takes"), "{failed}");
    assert!(folder.join("result.json").exists());
}
