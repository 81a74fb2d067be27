//! What `sigspy doctor` finds on hosts, in programs and in processes of which the truth is known.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sigspy_tests::{
    Outcome, Program, TempDir, needs, processors, program, program_with, run, run_with_mounts,
    shell_with_mounts, sigspy, spawn, wait_until,
};

fn doctor() -> Command {
    let mut command = Command::new(sigspy());
    command.arg("doctor");
    command
}

fn doctor_of(program: &Program) -> Outcome {
    run(doctor().arg(program))
}

/// The line of a check.
fn line<'a>(report: &'a str, check: &str) -> &'a str {
    let name = |line: &str| {
        line.trim_start().split_once(' ').map(|(_, rest)| rest.trim_start().to_owned())
    };
    let found = report.lines().find(|line| name(line).is_some_and(|rest| rest.starts_with(check)));
    found.unwrap_or_else(|| panic!("nothing is said about `{check}`:\n{report}")).trim_start()
}

#[test]
fn a_host_that_works_is_tried_and_found_well() {
    let _alone = processors();
    let outcome = run(&mut doctor()).expect(0);
    let report = outcome.text();
    assert!(line(&report, "trial").starts_with("ok"), "{report}");
    assert!(line(&report, "trial").contains(" samples in 0.3"), "{report}");
    assert!(line(&report, "tick").contains(" Hz"), "{report}");
    assert!(report.ends_with("ok: profiling works for this host\n"), "{report}");
    assert_eq!(outcome.stderr, "", "{outcome}");
    let verbose = run(doctor().arg("-v")).expect(0).text();
    assert!(verbose.contains("RLIMIT_SIGPENDING") && !report.contains("RLIMIT_SIGPENDING"));
}

#[test]
fn a_program_with_all_that_helps_is_found_well() {
    let _alone = processors();
    let report = doctor_of(&program_with("split.c", &["-g"])).expect(0).text();
    for check in ["loader", "stacks", "names", "lines"] {
        assert!(line(&report, check).starts_with("ok"), "{report}");
    }
}

#[test]
fn what_a_program_lacks_is_said_with_a_remedy() {
    let _alone = processors();
    let stripped = doctor_of(&program_with("split.c", &["-s"])).expect(0).text();
    assert!(line(&stripped, "names").starts_with("warn"), "{stripped}");
    assert!(stripped.contains("-> keep its symbols"), "{stripped}");
    assert!(line(&stripped, "lines").starts_with("warn"), "{stripped}");
    let flags = ["-fno-asynchronous-unwind-tables"];
    let bare = doctor_of(&program_with("split.c", &flags)).expect(0).text();
    assert!(line(&bare, "stacks").starts_with("warn"), "{bare}");
    assert!(bare.contains("-fasynchronous-unwind-tables"), "{bare}");
}

#[test]
fn an_interpreter_is_known_by_its_name() {
    let _alone = processors();
    let folder = TempDir::new();
    let python = folder.join("python3.12");
    std::fs::copy(program("split.c").path, &python).expect("the folder is ours");
    let report = run(doctor().arg(python)).expect(0).text();
    assert!(line(&report, "interpreter").contains("-X perf"), "{report}");
}

#[test]
fn a_folder_that_no_program_can_be_loaded_from_is_no_cache() {
    let folder = TempDir::new();
    let script = r#"
        mount -t tmpfs -o noexec none "$1" || exit 99
        XDG_CACHE_HOME=$1 "$2" doctor
    "#;
    let mut command = shell_with_mounts(script);
    command.arg(folder.path()).arg(sigspy());
    let report = run_with_mounts(&mut command).expect(0).text();
    assert!(line(&report, "cache").starts_with("warn"), "{report}");
    assert!(report.contains("not mounted noexec"), "{report}");
}

#[test]
fn a_static_program_cannot_be_profiled() {
    let outcome = doctor_of(&program_with("exit_code.c", &["-static"])).expect(1);
    let report = outcome.text();
    assert!(line(&report, "program").starts_with("no"), "{report}");
    assert!(report.contains("statically linked") && report.contains("-> link it dynamically"));
    assert!(report.contains("\nno: profiling does not work for /"), "{report}");
}

#[test]
fn a_program_that_is_not_there_cannot_be_profiled() {
    let report = run(doctor().arg("./no-such-program")).expect(1).text();
    assert!(report.contains("cannot find ./no-such-program"), "{report}");
}

#[test]
fn json_says_the_same() {
    let _alone = processors();
    let outcome = run(doctor().arg("--json").arg(program_with("exit_code.c", &["-static"])));
    let document: Value = serde_json::from_slice(&outcome.stdout).expect("it is JSON");
    assert_eq!(document["works"], false, "{outcome}");
    let subjects = document["examinations"].as_array().expect("a list");
    assert_eq!(subjects.len(), 2, "{outcome}");
    let trial = subjects[0]["checks"].as_array().expect("a list").last().expect("a trial");
    assert_eq!((&trial["name"], &trial["state"]), (&"trial".into(), &"ok".into()), "{outcome}");
    assert_eq!(subjects[1]["checks"][0]["state"], "no", "{outcome}");
}

#[test]
fn a_cache_that_cannot_be_written_to_is_no_obstacle() {
    let _alone = processors();
    for cache in ["/proc", "/sys"] {
        let report = run(doctor().env("XDG_CACHE_HOME", cache)).expect(0).text();
        assert!(line(&report, "cache").starts_with("warn"), "{report}");
        // Where nothing is kept, a large unwind table of sigspy itself may come too late.
        assert!(!line(&report, "trial").starts_with("no"), "{report}");
        assert!(line(&report, "trial").contains(" samples in 0.3"), "{report}");
    }
}

#[test]
fn a_host_without_timers_is_found_out() {
    let _alone = processors();
    let mut command = Command::new(needs("prlimit", "util-linux"));
    let report = run(command.arg("--sigpending=0").arg(sigspy()).arg("doctor")).text();
    assert!(line(&report, "tick").starts_with("warn"), "{report}");
    assert!(report.contains("ulimit -i"), "{report}");
}

/// `spin.c`, once it runs, below the words of a command; returns its pid.
fn pid_of_spinner(words: &Path) -> u32 {
    let named = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = words.as_os_str().as_encoded_bytes();
        line.windows(name.len()).any(|part| part == name) && !line.starts_with(b"sigspy")
    };
    let processes = std::fs::read_dir("/proc").expect("there is /proc");
    let mut pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_spinner = |pid: &u32| {
        let file = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        file.file_name().is_some_and(|name| name == "spin") && named(*pid)
    };
    pids.find(is_spinner).expect("it runs")
}

#[test]
fn a_process_with_the_agent_is_told_from_one_without() {
    let _alone = processors();
    for (is_recorded, code, said) in [(true, 0, "loaded, and recording"), (false, 1, "not loaded")]
    {
        let folder = TempDir::new();
        let words = folder.join("words");
        let program = program("spin.c");
        let mut command = match is_recorded {
            true => {
                let mut command = Command::new(sigspy());
                command.args(["record", "-o", "spin.sigspy", "--"]).arg(&program);
                command
            }
            false => Command::new(&program),
        };
        let running = spawn(command.arg("60").arg(&words).current_dir(folder.path()));
        wait_until("the program runs", || words.exists());
        let pid = pid_of_spinner(&words).to_string();
        let report = run(doctor().args(["-p", &pid])).expect(code).text();
        assert!(line(&report, "agent").contains(said), "{report}");
        running.signal_group(nix::sys::signal::Signal::SIGKILL);
        running.wait();
    }
}
