//! Reports of made-up profiles.

use super::*;
use crate::made_up::Builder;
use crate::quality::quality;
use sigspy_model::{StackKind, Stop};

fn written(builder: &Builder, options: &TextOptions) -> String {
    let mut out = Vec::new();
    let (profile, symbols) = (&builder.profile, builder.symbols());
    text(profile, &symbols, &quality(profile), options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The lines between a heading that starts so and the next empty line after its table.
fn section(text: &str, heading: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// 100 samples of 10 ms: 60 in `a`, 25 in `b` called by `a`, 15 elsewhere.
fn hundred() -> Builder {
    let mut builder = Builder::new();
    for i in 0..100 {
        match i {
            0..60 => builder.sample(&["start", "main", "a"], 10_000_000),
            60..85 => builder.sample(&["start", "main", "a", "b"], 10_000_000),
            _ => builder.sample(&["start", "main", "rest"], 10_000_000),
        };
    }
    builder
}

#[test]
fn functions_are_ranked_by_own_and_by_total_time() {
    let text = written(&hundred(), &TextOptions::default());
    let own = [
        "  self  95 % interval  CPU s  function",
        "60.0 %   [50.2, 69.1]  0.600  a",
        "25.0 %   [17.5, 34.3]  0.250  b",
        "15.0 %    [9.3, 23.3]  0.150  rest",
    ];
    assert_eq!(section(&text, "Functions by CPU time of"), own);
    let total = [
        "  total  95 % interval  CPU s  function",
        "100.0 %  [96.3, 100.0]  1.000  main",
        "100.0 %  [96.3, 100.0]  1.000  start",
        " 85.0 %   [76.7, 90.7]  0.850  a",
        " 25.0 %   [17.5, 34.3]  0.250  b",
        " 15.0 %    [9.3, 23.3]  0.150  rest",
    ];
    assert_eq!(section(&text, "Functions by CPU time including"), total);
}

#[test]
fn the_call_tree_indents_only_where_calls_part() {
    let text = written(&hundred(), &TextOptions::default());
    let expected = [
        "  total    self  function",
        "100.0 %   0.0 %  start",
        "100.0 %   0.0 %  main",
        " 85.0 %  60.0 %    a",
        " 25.0 %  25.0 %      b",
        " 15.0 %  15.0 %    rest",
    ];
    assert_eq!(section(&text, "Call tree"), expected);
}

#[test]
fn the_middle_of_a_long_chain_is_left_out() {
    let mut builder = Builder::new();
    builder.sample(&["1", "2", "3", "4", "5", "6", "7", "8"], 1_000);
    let text = written(&builder, &TextOptions::default());
    let tree = section(&text, "Call tree");
    let names: Vec<_> = tree.iter().skip(1).map(|l| l.rsplit("  ").next().unwrap()).collect();
    assert_eq!(names, ["1", "2", "3", "... 2 more frames", "6", "7", "8"]);
}

#[test]
fn deep_levels_are_numbered_and_no_longer_indented() {
    let mut builder = Builder::new();
    for depth in 1..=60 {
        builder.sample(&vec!["recurse"; depth], 1_000_000);
    }
    let text = written(&builder, &TextOptions::default());
    assert!(text.contains("  (59) recurse"), "{text}");
    assert!(text.lines().all(|line| line.len() < 200));
}

#[test]
fn recursion_counts_once() {
    let mut builder = Builder::new();
    builder.sample(&["main", "f", "g", "f", "g", "f"], 2_000_000).sample(&["main"], 2_000_000);
    let text = written(&builder, &TextOptions::default());
    let total = section(&text, "Functions by CPU time including");
    assert!(total.iter().any(|line| line.starts_with(" 50.0 %") && line.ends_with(" f")));
    assert!(total.iter().any(|line| line.starts_with("100.0 %") && line.ends_with(" main")));
}

#[test]
fn time_without_a_stack_is_a_row_without_an_interval() {
    let mut builder = hundred();
    builder.stackless(StackKind::Lost, 1_000_000_000).stopped(Stop::BadRule, &["odd"], 10_000);
    let text = written(&builder, &TextOptions::default());
    let own = section(&text, "Functions by CPU time of");
    assert_eq!(own[1], "50.0 %              -  1.000  [lost]");
    assert!(text.contains("[incomplete: unwind rule]"));
    assert!(text.contains("\nnote: 50.0 % of the CPU time was lost"));
}

#[test]
fn threads_are_listed_when_there_are_several() {
    let mut builder = hundred();
    assert!(!written(&builder, &TextOptions::default()).contains("\nThreads\n"));
    builder.thread("sh", 7, "worker\n1", 8).sample(&["start", "run"], 4_000_000_000);
    let expected = [
        " total  CPU s  pid  tid  thread",
        "80.0 %  4.000    7    8  worker\u{fffd}1",
        "20.0 %  1.000    1    1  app",
    ];
    let text = written(&builder, &TextOptions::default());
    assert_eq!(section(&text, "Threads"), expected);
    assert!(section(&text, "Call tree").iter().any(|line| line.ends_with("  sh")), "{text}");
}

#[test]
fn rows_beyond_the_limit_are_counted_and_long_names_shortened() {
    let options = TextOptions { limit: 1, name_width: 3, ..TextOptions::default() };
    let text = written(&hundred(), &options);
    assert_eq!(section(&text, "Functions by CPU time of")[2..], ["... and 2 more"]);
    assert!(text.contains("s…t") && !text.contains("start"));
}

#[test]
fn stacks_are_judged_by_module_and_reason() {
    let mut builder = hundred();
    builder.stopped(Stop::NoTable, &["odd"], 3_000_000_000);
    builder.stopped(Stop::Stale, &["gone", "odd"], 1_000_000_000);
    let mut out = Vec::new();
    let (profile, options) = (&builder.profile, TextOptions::default());
    quality_text(profile, &quality(profile), &options, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let running = ["whole  CPU s  module that was running", "20.0 %  5.000  [anon]"];
    assert_eq!(
        section(&text, "Whole stacks").iter().map(|l| l.trim()).collect::<Vec<_>>(),
        running
    );
    let ends = [
        " share  CPU s  where the stack ends, and why",
        "60.0 %  3.000  [anon]: no unwind table",
        "20.0 %  1.000  [anon]: modules changed",
    ];
    assert_eq!(section(&text, "Stacks that are not whole"), ends);
    assert!(text.contains("\nno unwind table: compile that module"), "{text}");
    assert!(text.ends_with("RTLD_NODELETE)\n"), "{text}");
}

#[test]
fn code_that_a_program_has_named_is_no_longer_anonymous() {
    let mut builder = Builder::new();
    builder.sample(&["main", "py::work:/app/main.py"], 3_000_000_000);
    let leaf = builder.profile.stacks[0].locations[0];
    builder.profile.code_names.insert(leaf, "py::work:/app/main.py".to_owned());
    let mut out = Vec::new();
    let (profile, options) = (&builder.profile, TextOptions::default());
    quality_text(profile, &quality(profile), &options, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(section(&text, "Whole stacks")[1].ends_with("  3.000  [jit]"), "{text}");
}

#[test]
fn no_samples_are_a_sentence() {
    let text = written(&Builder::new(), &TextOptions::default());
    assert!(text.starts_with("0.000 s CPU, 0 samples"), "{text}");
    assert!(text.ends_with("\nNo sample has a stack, so there is nothing to show.\n"));
}

#[test]
fn a_profile_is_added_up_by_what_its_frames_belong_to() {
    let mut builder = Builder::new();
    builder.sample(&["main", "outer => inner", "inner"], 3_000_000_000);
    builder.stackless(StackKind::Lost, 1_000_000_000);
    builder.thread("sh", 7, "worker", 8).sample(&["main"], 4_000_000_000);
    let (profile, symbols) = (&builder.profile, builder.symbols());
    let views = [By::Module, By::File, By::Line, By::Crate, By::Thread, By::Process];
    let mut out = Vec::new();
    tables(profile, &symbols, &quality(profile), &views, &TextOptions::default(), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let names = |heading: &str| -> Vec<String> {
        let rows = section(&text, heading).into_iter().skip(1);
        let name = |row: String| row.rsplit("  ").next().unwrap().to_owned();
        rows.map(|row| format!("{} {}", row.trim().split(' ').next().unwrap(), name(row.clone())))
            .collect()
    };
    assert_eq!(names("Modules by CPU time of"), ["87.5 [anon]", "12.5 [lost]"]);
    assert_eq!(names("Modules by CPU time incl"), ["87.5 [anon]", "12.5 [lost]"]);
    assert_eq!(names("Files by CPU time of"), ["87.5 [anon] (no source lines)", "12.5 [lost]"]);
    assert_eq!(names("Lines by CPU time of"), ["50.0 main", "37.5 inner", "12.5 [lost]"]);
    assert_eq!(names("Crates by CPU time of"), ["87.5 [anon]", "12.5 [lost]"]);
    assert_eq!(names("Threads by CPU time"), ["50.0 app-1/1", "50.0 worker-7/8"]);
    assert_eq!(names("Programs by CPU time"), ["50.0 app", "50.0 sh"]);
}
