//! Checks of realistic programs: regressions are found in real ones, and none where there are none.
//!
//! `index` has two dozen functions, allocations, and more memory than caches hold, in C++ and in Rust.
//! A check makes ten to thirty runs, so they are short, and some versions are compared in both
//! languages only with `SIGSPY_FULL=1`.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use sigspy_tests::{
    Checked, Program, TempDir, check, full, processors, program, program_with, run, spawn,
};

/// Rounds of a run: more than a second of CPU time.
const ROUNDS: &str = "400";
/// What is made slower, more than a third of the CPU time.
const CHANGED: &str = "edit_distance";
/// With a program that runs as long as checks do.
const PATIENCE: Duration = Duration::from_secs(3600);
const NO_WARM_UP: [&str; 2] = ["--warm-up", "0"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Cpp,
    Rust,
}
use Language::{Cpp, Rust};

/// Those of checks that are made in one language only if they shall not take long.
fn languages() -> &'static [Language] {
    if full() { &[Cpp, Rust] } else { &[Cpp] }
}

/// A version of the program, built with more flags. Loops take as long wherever they are: a build
/// that only moves a tight loop may change its speed by half, and that would be a true change.
fn version(language: Language, flags: &[&str]) -> Program {
    let (source, aligned): (_, &[&str]) = match language {
        Cpp => ("index.cpp", &["-g", "-falign-functions=64", "-falign-loops=64"]),
        Rust => ("index.rs", &["-g", "-Cllvm-args=-align-all-functions=6 -align-loops=64"]),
    };
    program_with(source, &[aligned, flags].concat())
}

/// The same with a change that its source knows.
fn changed(language: Language, change: &str) -> Program {
    match language {
        Cpp => version(Cpp, &[&format!("-D{}", change.to_uppercase())]),
        Rust => version(Rust, &["--cfg", change]),
    }
}

fn checked(base: &Program, head: &Program) -> Checked {
    check(&NO_WARM_UP, base, head, [ROUNDS])
}

/// Nothing is a regression; that it cannot be told is an answer, too.
#[track_caller]
fn assert_passes(checked: &Checked) {
    assert!([0, 3].contains(&checked.code()) && checked.blamed().is_empty(), "{checked}");
}

/// The function that was made slower is found, where it is, and no other is blamed.
#[track_caller]
fn assert_found(found: &Checked, language: Language) {
    let (name, source) = match language {
        Cpp => (CHANGED.to_owned(), "index.cpp"),
        Rust => (format!("index::{CHANGED}"), "index.rs"),
    };
    assert_eq!((found.code(), found.blamed()), (1, vec![&*name]), "{found}");
    let (file, line) = found.place(&name);
    assert_eq!(file, source, "{found}");
    assert!(found.outcome.text().contains(&format!("{source}:{line}")), "{found}");
}

#[test]
fn an_unchanged_program_passes_beside_a_noisy_neighbour() {
    let _alone = processors();
    let neighbour = spawn(&mut Command::new(program("neighbour.c")));
    for language in [Cpp, Rust] {
        let unchanged = version(language, &[]);
        for _ in 0..if full() { 10 } else { 2 } {
            assert_passes(&checked(&unchanged, &unchanged));
        }
    }
    neighbour.signal(Signal::SIGKILL);
    neighbour.wait_within(PATIENCE);
}

/// How much slower the function is, in percent, the rounds and options of a check that finds it. More
/// than a third of the CPU time is spent in it, which differs by about 8 % from run to run: small
/// slowdowns take more runs, and from eight on these are compared in pairs. Loops are aligned, so 2 % is
/// no matter of layout.
const SLOWER: [(&str, &str, &[&str]); 3] = [
    ("50", "400", &["--warm-up", "0", "--runs", "8"]),
    ("20", "1000", &["--warm-up", "0", "--runs", "20"]),
    ("10", "1000", &["--warm-up", "0", "--runs", "40", "--min-effect", "2"]),
];

#[test]
fn a_function_that_takes_longer_is_found_and_no_other_is_blamed() {
    let _alone = processors();
    for (size, rounds, options) in if full() { &SLOWER[..] } else { &SLOWER[..1] } {
        for language in [Cpp, Rust] {
            let head = changed(language, &format!("slower_{size}"));
            assert_found(&check(options, &version(language, &[]), &head, [rounds]), language);
        }
    }
}

/// It is found by luck, or the check says that it would have had to be larger.
#[test]
fn a_slowdown_that_short_runs_hide_is_said_to_be_out_of_sight() {
    let _alone = processors();
    let head = changed(Cpp, "slower_10");
    let checked = check(&NO_WARM_UP, &version(Cpp, &[]), &head, ["100"]);
    assert!(checked.blamed().iter().all(|name| *name == CHANGED), "{checked}");
    let is_seen = checked.least_slowdown().is_some_and(|least| least <= 0.1);
    assert!(checked.code() == 1 || !is_seen, "{checked}");
}

#[test]
fn a_function_by_another_name_or_in_another_place_is_no_regression() {
    let _alone = processors();
    for language in languages() {
        for change in ["renamed", "moved"] {
            assert_passes(&checked(&version(*language, &[]), &changed(*language, change)));
        }
    }
}

#[test]
fn a_function_that_is_inlined_or_no_longer_so_is_no_regression() {
    let _alone = processors();
    for language in languages() {
        let (called, inlined) = (version(*language, &[]), changed(*language, "inlined"));
        assert_passes(&checked(&called, &inlined));
        if full() {
            assert_passes(&checked(&inlined, &called));
        }
    }
}

#[test]
fn work_that_a_caller_leaves_to_a_callee_or_takes_back_is_no_regression() {
    let _alone = processors();
    for language in languages() {
        let (base, shifted) = (version(*language, &[]), changed(*language, "shifted"));
        assert_passes(&checked(&base, &shifted));
        assert_passes(&checked(&shifted, &base));
    }
}

#[test]
fn another_order_of_functions_is_no_regression() {
    let _alone = processors();
    assert_passes(&checked(
        &version(Cpp, &[]),
        &version(Cpp, &["-ffunction-sections", "-Wl,--sort-section=name"]),
    ));
    if full() {
        let sorted = version(Rust, &["-Clink-arg=-Wl,--sort-section=name"]);
        assert_passes(&checked(&version(Rust, &[]), &sorted));
    }
}

#[test]
fn a_program_that_is_slower_everywhere_is_found_by_its_total() {
    let _alone = processors();
    let slower = version(Cpp, &["-O0"]);
    let found = check(&NO_WARM_UP, &version(Cpp, &[]), &slower, ["100"]);
    assert!(found.code() == 1 && found.blames_the_program(), "{found}");
}

#[test]
fn a_slower_allocator_is_found_by_the_total() {
    let _alone = processors();
    let folder = TempDir::new();
    let library = program_with("slow_malloc.c", &["-shared", "-fPIC", "-g"]);
    let index = version(Cpp, &[]).path;
    let script = |name: &str, preload: &str| {
        let text = format!("#!/bin/sh\n{preload}\nexec '{}' \"$@\"\n", index.display());
        let path = folder.write(name, text.as_bytes());
        run(Command::new("chmod").arg("+x").arg(&path)).expect(0);
        Program { path }
    };
    let preload = format!("export LD_PRELOAD=\"{}:$LD_PRELOAD\"", library.path.display());
    let found = checked(&script("base", ""), &script("head", &preload));
    assert!(found.code() == 1 && found.blames_the_program(), "{found}");
    assert!(found.blamed().iter().all(|name| *name == "malloc"), "{found}");
}
