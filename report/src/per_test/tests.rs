//! Tests with known costs.

use super::*;
use crate::made_up::Builder;

/// What stands above each test.
const ABOVE: [&str; 3] = [
    "main",
    "test::__rust_begin_short_backtrace::<core::result::Result<(), String>, fn()>",
    "core::ops::function::FnOnce::call_once => <fn() as core::ops::function::FnOnce<()>>::call_once",
];

trait Samples {
    fn test(&mut self, below: &[&str], weight_ns: u64) -> &mut Self;
}

impl Samples for Builder {
    fn test(&mut self, below: &[&str], weight_ns: u64) -> &mut Self {
        self.sample(&[&ABOVE, below].concat(), weight_ns)
    }
}

/// CPU time of each test of the crate `app`, in nanoseconds.
fn costs(builder: &Builder, tests: &[&str]) -> Vec<(String, u64)> {
    let mut costs = HashMap::new();
    let symbols = builder.symbols();
    let tests = tests.iter().map(|&test| test.to_owned()).collect();
    let (profile, symbols, crate_name) = (&builder.profile, &symbols, "app".to_owned());
    add(&TestProgram { profile, symbols, crate_name, tests }, &mut costs);
    let mut costs: Vec<_> = costs.into_iter().map(|(name, cost)| (name, cost.cpu_ns)).collect();
    costs.sort();
    costs
}

fn cost(name: &str, cpu_ns: u64) -> (String, u64) {
    (name.to_owned(), cpu_ns)
}

#[test]
fn a_test_is_known_by_its_stack_wherever_it_runs() {
    let mut builder = Builder::new();
    builder.test(&["app::tests::one::{closure#0} => app::tests::one", "app::work"], 5);
    builder.test(&["app::tests::two::{{closure}}", "app::tests::two"], 3).sample(&["main"], 1);
    builder.thread("app", 1, "tests::one", 2).test(&["app::tests::one"], 2);
    let expected =
        [cost("[test harness]", 1), cost("app::tests::one", 7), cost("app::tests::two", 3)];
    assert_eq!(costs(&builder, &[]), expected);
}

#[test]
fn time_without_a_stack_is_that_of_the_test_of_its_thread() {
    let mut builder = Builder::new();
    builder.stackless(StackKind::Unsampled, 1);
    builder.thread("app", 1, "tests::one", 2).stackless(StackKind::Unsampled, 2);
    builder.test(&["app::tests::one"], 3);
    assert_eq!(costs(&builder, &[]), [cost("[test harness]", 1), cost("app::tests::one", 5)]);
}

#[test]
fn a_thread_belongs_to_the_test_whose_closure_it_runs() {
    let mut builder = Builder::new();
    builder
        .thread("app", 1, "pool", 2)
        .sample(&["start_thread", "app::tests::one::{closure#1}"], 4);
    builder.stackless(StackKind::Unsampled, 1).sample(&["other"], 2);
    assert_eq!(costs(&builder, &["tests::one"]), [cost("app::tests::one", 7)]);
}

#[test]
fn a_thread_belongs_to_the_only_test_that_its_name_can_be_cut_from() {
    let mut builder = Builder::new();
    builder.thread("app", 1, "tests::with_a_h", 2).sample(&["helper"], 4);
    builder.thread("app", 1, "parser::tests::", 3).sample(&["helper"], 8);
    builder.thread("app", 1, "tests::with", 4).sample(&["helper"], 16);
    let tests = ["tests::with_a_helper", "parser::tests::a", "parser::tests::b"];
    let expected = [cost("[other threads]", 24), cost("app::tests::with_a_helper", 4)];
    assert_eq!(costs(&builder, &tests), expected);
}

#[test]
fn a_thread_that_has_not_come_to_its_test_is_the_harness() {
    let harness = |of_test: u32| {
        let mut builder = Builder::new();
        builder.sample(&["main"], 1).thread("app", 1, "app", 2).sample(&["start_thread"], 4);
        builder.thread("app", 1, "pool", 3).sample(&["start_thread"], 8);
        builder.thread("app", 1, "one", of_test).test(&["app::one"], 16);
        costs(&builder, &[]).into_iter().find(|(name, _)| name == "[test harness]")
    };
    assert_eq!(harness(4), Some(cost("[test harness]", 5)));
    let (main, name) = (1, "[test harness]"); // which runs the tests one after another
    assert_eq!(harness(main), Some(cost(name, 1)));
}

#[test]
fn time_of_programs_that_tests_start_is_told_apart() {
    let mut builder = Builder::new();
    builder.test(&["app::one"], 1).thread("child", 9, "one", 9).sample(&["main"], 2);
    assert_eq!(costs(&builder, &["one"]), [cost("[other processes]", 2), cost("app::one", 1)]);
}

#[test]
fn tests_are_listed_with_the_function_that_takes_the_most_time() {
    let mut builder = Builder::new();
    builder.test(&["app::tests::slow", "app::a"], 600_000_000);
    builder.test(&["app::tests::slow", "app::b"], 200_000_000);
    builder.test(&["app::tests::fast", "app::b"], 100_000_000);
    builder.sample(&["main", "read"], 100_000_000);
    let symbols = builder.symbols();
    let text = |limit| {
        let mut out = Vec::new();
        let options = PerTestOptions { limit, name_width: 80 };
        let (profile, symbols) = (&builder.profile, &symbols);
        let program =
            TestProgram { profile, symbols, crate_name: "app".to_owned(), tests: Vec::new() };
        per_test(&[program], &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let expected = "\
1.000 s CPU and 4 samples of 2 tests in 1 program

CPU s   share  samples  test              hottest function, of the test
0.800  80.0 %        2  app::tests::slow   75.0 % app::a
0.100  10.0 %        1  app::tests::fast  100.0 % app::b
0.100  10.0 %        1  [test harness]    100.0 % read
";
    assert_eq!(text(10), expected);
    assert!(text(1).ends_with("... and 1 more test\n"));
    assert!(text(1).contains("[test harness]"), "time that is no test's is never left out");
}

#[test]
fn without_a_test_there_is_still_a_list() {
    let mut out = Vec::new();
    per_test(&[], &PerTestOptions { limit: 5, name_width: 80 }, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().starts_with("0.000 s CPU and 0 samples of 0 tests"));
}
