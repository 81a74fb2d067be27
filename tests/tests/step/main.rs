//! Every instruction of a program: the stack by tables is the one that its calls, returns and
//! signals have made.

mod oracle;
mod shadow;

use std::process::Command;

use sigspy_tests::{Program, full, program_by, program_in};

use crate::oracle::{Verdict, check};

/// Walks that end early and say so are allowed at one instruction in so many.
const UNFINISHED: u64 = 10_000;
/// Instructions of a program of the system at most.
const LIMIT: u64 = 1_500_000;

fn checked(name: &str, command: &mut Command, limit: u64) -> Verdict {
    let verdict = check(command.env_clear().env("PATH", "/usr/bin:/bin"), limit);
    let Verdict { instructions, exact, unfinished, undecided, wrong, example, status } = &verdict;
    println!("{name}: {instructions} instructions, {exact} exact, status {status:?}");
    for (kind, counts) in [("unfinished", unfinished), ("undecided", undecided), ("wrong", wrong)] {
        counts.iter().for_each(|(place, count)| println!("  {count} {kind}: {place}"));
    }
    assert!(wrong.is_empty(), "{name}: wrong stacks, the first at {}", example.as_deref().unwrap());
    verdict
}

fn check_program(program: &Program, name: &str) {
    let verdict = checked(name, &mut Command::new(&program.path), u64::MAX);
    assert_eq!(verdict.status.map(|status| status >= 3), Some(true), "{name} has not ended well");
    assert_finished(name, &verdict);
}

fn assert_finished(name: &str, verdict: &Verdict) {
    let unfinished: u64 = verdict.unfinished.values().sum();
    assert!(
        unfinished * UNFINISHED <= verdict.instructions,
        "{name}: {unfinished} of {} walks are unfinished: {:#?}",
        verdict.instructions,
        verdict.unfinished
    );
}

/// How compilers are told to optimize, and whether to keep frame pointers.
const OPTIMIZED: [&[&str]; 4] = [&["-O0"], &["-O2"], &["-O3"], &["-O2", "-flto"]];
const FRAME_POINTERS: [&str; 2] = ["-fomit-frame-pointer", "-fno-omit-frame-pointer"];
const RUST_OPTIMIZED: [&str; 4] = ["-Copt-level=0", "-Copt-level=2", "-Copt-level=3", "-Clto=fat"];
const RUST_FRAME_POINTERS: [&str; 2] = ["-Cforce-frame-pointers=no", "-Cforce-frame-pointers=yes"];

/// A program by the system's compiler in the short form, and by both in all ways in the long one.
fn check_all(source: &str, clang: &str, more: &[&str], short: &[(usize, usize)]) {
    let all = || {
        (0..OPTIMIZED.len())
            .flat_map(|one| (0..FRAME_POINTERS.len()).map(move |other| (one, other)))
    };
    let ways: Vec<_> = if full() { all().collect() } else { short.to_vec() };
    for (optimized, frame_pointer) in ways {
        let flags = [OPTIMIZED[optimized], &[FRAME_POINTERS[frame_pointer]], more].concat();
        let name = format!("{source} {}", flags.join(" "));
        check_program(&program_in("step", source, &flags), &name);
        if full() {
            let flags = [&flags[..], &["-fuse-ld=lld"]].concat();
            check_program(&program_by(clang, "step", source, &flags), &format!("{clang} {name}"));
        }
    }
}

#[test]
fn c_programs() {
    check_all("calls.c", "clang", &["-static"], &[(0, 1), (1, 0)]);
}

#[test]
fn cpp_programs() {
    check_all("throws.cpp", "clang++", &[], &[(1, 0)]);
}

#[test]
fn rust_programs() {
    let ways =
        if full() { (&RUST_OPTIMIZED[..], &RUST_FRAME_POINTERS[..]) } else { (&[][..], &[][..]) };
    for optimized in ways.0 {
        for frame_pointer in ways.1 {
            let flags = [*optimized, *frame_pointer];
            let name = format!("closures.rs {}", flags.join(" "));
            check_program(&program_in("step", "closures.rs", &flags), &name);
        }
    }
    if !full() {
        check_program(&program_in("step", "closures.rs", &[]), "closures.rs");
    }
}

/// As the distribution ships them, from the loader's first instruction on.
#[test]
fn programs_of_the_system() {
    let programs: &[&[&str]] = if full() {
        &[
            &["true"],
            &["ls", "-la", "/"],
            &["git", "--version"],
            &["xz", "--version"],
            &["sqlite3", ":memory:", "select sum(value) from generate_series(1, 100)"],
            &["python3", "-S", "-c", "print(sorted(range(50)))"],
        ]
    } else {
        &[&["true"]]
    };
    for program in programs {
        let verdict =
            checked(&program.join(" "), Command::new(program[0]).args(&program[1..]), LIMIT);
        assert!(verdict.instructions > 10_000, "{program:?} has hardly run");
        assert_finished(&program.join(" "), &verdict);
    }
}
