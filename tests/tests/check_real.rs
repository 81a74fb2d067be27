//! Checks of realistic programs: regressions are found in real ones, and none where there are none.
//!
//! `index` has two dozen functions, allocations, and more memory than caches hold. Each check makes
//! ten or twenty runs, so the short form asks for few and short ones.

use nix::sys::signal::Signal;

use sigspy_tests::{Checked, Program, check, full, processors, program, program_with, spawn};

/// Rounds of a run: about a second of CPU time.
const ROUNDS: &str = "400";
/// What is made slower, a third of the CPU time.
const CHANGED: &str = "edit_distance";

/// A version of the program. Tight loops take as long wherever they are: a build that only moves
/// them must not change their speed, or it would be a change.
fn version(flags: &[&str]) -> Program {
    let aligned = ["-g", "-falign-functions=64", "-falign-loops=64"];
    program_with("index.cpp", &[&aligned, flags].concat())
}

fn checked(options: &[&str], base: &[&str], head: &[&str], rounds: &str) -> Checked {
    check(&[&["--warm-up", "0"], options].concat(), &version(base), &version(head), [rounds])
}

/// Nothing is a regression; that it cannot be told is an answer, too.
#[track_caller]
fn assert_passes(checked: &Checked) {
    assert!([0, 3].contains(&checked.code()) && checked.blamed().is_empty(), "{checked}");
}

#[test]
fn an_unchanged_program_passes_beside_a_noisy_neighbour() {
    let _alone = processors();
    let neighbour = spawn(&mut std::process::Command::new(program("neighbour.c")));
    for _ in 0..if full() { 20 } else { 4 } {
        assert_passes(&checked(&[], &[], &[], ROUNDS));
    }
    neighbour.signal(Signal::SIGKILL);
    neighbour.wait();
}

#[test]
fn a_function_that_takes_half_as_much_again_is_found_and_no_other_is_blamed() {
    let _alone = processors();
    let found = checked(&[], &[], &["-DSLOWER=50"], ROUNDS);
    assert_eq!((found.code(), found.blamed()), (1, vec![CHANGED]), "{found}");
    let (file, line) = found.place(CHANGED);
    assert_eq!(file, "index.cpp");
    assert!(found.outcome.text().contains(&format!("index.cpp:{line}")), "{found}");
}

#[test]
fn a_function_that_was_renamed_is_no_regression() {
    let _alone = processors();
    let renamed = checked(&[], &[], &["-DRENAMED"], ROUNDS);
    assert_passes(&renamed);
}

#[test]
fn a_function_that_is_inlined_or_no_longer_so_is_no_regression() {
    let _alone = processors();
    assert_passes(&checked(&[], &[], &["-DINLINED"], ROUNDS));
    assert_passes(&checked(&[], &["-DINLINED"], &[], ROUNDS));
}

#[test]
fn a_function_in_another_namespace_and_file_is_no_regression() {
    let _alone = processors();
    let moved = checked(&[], &[], &["-DMOVED"], ROUNDS);
    assert_passes(&moved);
}

#[test]
fn work_that_a_caller_leaves_to_a_callee_is_no_regression() {
    let _alone = processors();
    let shifted = checked(&[], &[], &["-DSHIFTED"], ROUNDS);
    assert_passes(&shifted);
}

#[test]
fn another_order_of_functions_is_no_regression() {
    let _alone = processors();
    let sorted = ["-ffunction-sections", "-Wl,--sort-section=name"];
    assert_passes(&checked(&[], &[], &sorted, ROUNDS));
}

#[test]
fn a_program_that_is_slower_everywhere_is_found_by_its_total() {
    let _alone = processors();
    let found = checked(&[], &[], &["-O0"], "100");
    assert!(found.code() == 1 && found.blames_the_program(), "{found}");
}
