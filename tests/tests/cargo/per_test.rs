//! Tests by CPU time.

use super::*;

/// The row of a test in the list: CPU seconds, and the rest of the line.
fn row<'a>(outcome: &'a Outcome, text: &'a str, test: &str) -> (f64, &'a str) {
    let line = text.lines().find(|line| line.contains(test));
    let line = line.unwrap_or_else(|| panic!("no row has `{test}`:\n{outcome}"));
    let (seconds, rest) = line.trim().split_once(' ').expect("a row has columns");
    (seconds.parse().unwrap_or_else(|_| panic!("no time in `{line}`")), rest)
}

#[test]
fn tests_of_all_programs_are_listed_by_their_time() {
    let folder = fixture("cargo");
    let outcome = cargo(folder.path(), "test --per-test --workspace -F 997").expect(0);
    let text = outcome.text();
    let (slow, hottest) = row(&outcome, &text, "app::tests::slow_one");
    let (helped, _) = row(&outcome, &text, "app::tests::with_a_helper");
    let (finds, _) = row(&outcome, &text, "it::finds_its_package");
    assert!(slow > helped && helped > finds, "in the order of the work that they do:\n{outcome}");
    assert!(hottest.contains("app::work"), "{outcome}");
    assert!(!text.contains("[other threads]"), "the helper's time is that of its test:\n{outcome}");
    row(&outcome, &text, "twin::works");
}

#[test]
fn tests_on_the_main_thread_are_known_as_well() {
    let folder = fixture("cargo");
    let outcome =
        cargo(folder.path(), "test --per-test --lib -F 997 -- --test-threads=1").expect(0);
    let text = outcome.text();
    row(&outcome, &text, "app::tests::slow_one");
}

#[test]
fn a_filter_is_one_of_tests() {
    let folder = fixture("cargo");
    let outcome = cargo(folder.path(), "test --per-test --lib -F 997 slow").expect(0);
    let text = outcome.text();
    row(&outcome, &text, "app::tests::slow_one");
    assert!(!text.contains("with_a_helper"), "{outcome}");
}

#[test]
fn a_test_that_fails_is_listed_and_fails_the_command() {
    let folder = fixture("cargo");
    let words = "test --per-test --no-fail-fast -o list.txt -F 997 -- --include-ignored";
    let outcome = cargo(folder.path(), words).expect(101);
    let list = fs::read_to_string(folder.join("list.txt")).unwrap();
    row(&outcome, &list, "it::fails");
    row(&outcome, &list, "app::tests::slow_one");
}

#[test]
fn after_a_program_that_fails_no_other_is_run() {
    let folder = fixture("cargo");
    folder.write("tests/a.rs", "#[test] fn fails() { assert_eq!(app::work(50), 0) }");
    let outcome = cargo(folder.path(), "test --per-test --test a --test it").expect(101);
    assert!(outcome.stderr.contains("1 more were not run; see --no-fail-fast"), "{outcome}");
    assert!(!outcome.text().contains("finds_its_package"), "{outcome}");
}
