//! Sandboxes: system calls that are forbidden and files that cannot be opened, from the start or
//! from the middle of the program on.

use std::process::Command;

use sigspy_tests::{record_at, run};

use crate::case::{Case, assert_same, torture_program};

/// Threads before and after the restriction.
const THREADS: u32 = 9;

/// In force before the agent comes in.
fn check_from_the_start(restrictions: &[&str]) {
    Case::new("confined.c").briefly().confined(restrictions).threads(THREADS).check();
}

/// Taken by the program from itself while its threads run.
fn check_from_the_middle(restriction: &str) {
    Case::new("confined.c").briefly().argument(restriction).threads(THREADS).check();
}

#[test]
fn process_vm_readv_is_forbidden() {
    check_from_the_start(&["eperm=process_vm_readv"]);
    check_from_the_middle("enosys=process_vm_readv");
}

#[test]
fn timer_create_is_forbidden() {
    check_from_the_start(&["eperm=timer_create"]);
    check_from_the_middle("enosys=timer_create");
}

#[test]
fn both_are_forbidden() {
    check_from_the_start(&["enosys=timer_create", "enosys=process_vm_readv"]);
}

#[test]
fn perf_event_open_is_forbidden() {
    check_from_the_start(&["eperm=perf_event_open"]);
    check_from_the_middle("enosys=perf_event_open");
}

#[test]
fn perf_event_open_would_be_the_end() {
    check_from_the_start(&["kill=perf_event_open"]);
    check_from_the_middle("kill=perf_event_open");
}

#[test]
fn no_more_files_from_the_middle_on() {
    check_from_the_middle("nofile=3");
}

/// The loader needs one descriptor, the agent up to three: there is one, two, three or none at all.
#[test]
fn hardly_any_files_from_the_start() {
    for restrictions in [
        &["close=0", "nofile=3"][..],
        &["close=0", "close=2", "nofile=3"],
        &["close=0", "nofile=4"],
        &["close=0", "nofile=5"],
        &["nofile=5"],
    ] {
        check_from_the_start(restrictions);
    }
}

/// Not even the loader can open a library: the program does not start, bare or profiled.
#[test]
fn no_files_from_the_start() {
    let confine = torture_program("confine.c").path.into_os_string();
    let confined = torture_program("confined.c").path.into_os_string();
    let words = [confine, "close=2".into(), "nofile=0".into(), "--".into(), confined];
    let bare = run(Command::new(&words[0]).args(&words[1..]));
    assert_same(&bare, &record_at(4000, &words).outcome, "at 4000 Hz");
}
