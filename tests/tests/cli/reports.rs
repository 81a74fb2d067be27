//! Reports of recordings that were made a moment ago.

use std::fs;
use std::path::Path;
use std::process::Command;

use sigspy_tests::{Folded, program, record, record_at, run, sigspy};

#[test]
fn the_report_begins_with_its_quality() {
    let recorded = record_at(997, [program("split.c").as_ref(), "2".as_ref()]).expect(0);
    let report = recorded.report();
    let first = report.lines().next().unwrap_or_default();
    assert!(first.contains('%') && first.contains("whole"), "the first line is `{first}`");
    assert!(report.contains("burn_48_percent"), "{report}");
}

#[test]
fn the_quality_names_modules_and_may_decide_on_the_exit_status() {
    let recorded = record_at(997, [program("split.c").as_ref(), "2".as_ref()]).expect(0);
    let report = |options: &[&str]| {
        let mut command = Command::new(sigspy());
        run(command.arg("report").args(options).arg(&recorded.path))
    };
    let quality = report(&["--quality", "--fail-on-loss", "5"]).expect(0).text();
    let whole = quality.lines().find(|line| line.ends_with("  split"));
    assert!(whole.is_some_and(|line| line.trim().starts_with("100.0 %")), "{quality}");
    assert!(!quality.contains("not whole\n"), "{quality}");
    let failed = report(&["--fail-on-loss=-1"]).expect(1);
    assert!(failed.stderr.contains("has no whole stack"), "{failed}");
}

#[test]
fn ticks_and_microseconds_tell_the_same() {
    let recorded = record_at(97, [program("split.c").as_ref(), "3".as_ref()]).expect(0);
    let mut command = Command::new(sigspy());
    command.args(["export", "--format", "folded", "--unit", "ticks", "-i"]).arg(&recorded.path);
    let exported = run(&mut command).expect(0);
    let in_ticks = Folded::parse(&exported.text(), 1).expect("folded stacks").sampled();
    let summary = recorded.outcome.summary();
    assert!(summary.contains(&format!(" {in_ticks} samples,")), "{in_ticks}\n{summary}");
    // A sample stands for one period, or for several whose ticks came as one signal.
    let periods = recorded.folded().sampled() as f64 / (1e9 / 97.0);
    assert!(periods >= in_ticks as f64 * 0.999, "{periods} periods\n{exported}");
}

#[test]
fn a_flame_graph_comes_from_a_program_or_from_a_recording() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let from_recording = recorded.folder().join("recording.svg");
    let mut command = Command::new(sigspy());
    command.arg("flamegraph").arg(&recorded.path).arg("-o").arg(&from_recording);
    run(&mut command).expect(0);
    assert_flame_graph(&from_recording);

    let from_program = recorded.folder().join("program.svg");
    let mut command = Command::new(sigspy());
    command.args(["flamegraph", "-F", "250", "-o"]).arg(&from_program).arg("--");
    command.current_dir(recorded.folder());
    let outcome = run(command.arg(program("split.c")).arg("1")).expect(0);
    assert!(outcome.text().starts_with("burn_48_percent "), "{outcome}");
    assert_flame_graph(&from_program);
}

fn assert_flame_graph(path: &Path) {
    let svg = fs::read_to_string(path).expect("the flame graph was written");
    assert!(svg.contains("<svg") && svg.contains("</svg>"), "{}", path.display());
    assert!(svg.contains("burn_48_percent"), "{} has no functions", path.display());
}

/// `sigspy flamegraph` with these words, and the picture that it writes to standard output.
fn drawn(words: &[&str], recording: &Path) -> String {
    let mut command = Command::new(sigspy());
    let outcome = run(command.arg("flamegraph").arg(recording).args(["-o", "-"]).args(words));
    outcome.expect(0).text()
}

#[test]
fn a_flame_graph_is_drawn_as_the_flags_of_cargo_flamegraph_say() {
    let recorded = record_at(997, [program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let text = ["--title", "a title", "--subtitle", "below", "--notes", "unseen"];
    let svg = drawn(&text, &recorded.path);
    for part in [">a title</text>", ">below; ", "<!--NOTES: unseen-->"] {
        assert!(svg.contains(part), "no `{part}`");
    }
    let shape =
        ["-i", "--reverse", "--palette", "aqua", "--min-width", "1", "--image-width", "900"];
    assert!(drawn(&shape, &recorded.path).contains("width=\"900\""));
    let inner = drawn(&["--skip-after", "burn_48_percent", "--deterministic"], &recorded.path);
    assert!(inner.contains("burn_48_percent") && inner.contains("<title>main ("));
    assert!(drawn(&["--flamechart"], &recorded.path).contains("burn_48_percent"));
}

#[test]
fn stacks_go_through_a_command_before_they_are_drawn() {
    let recorded = record_at(997, [program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let svg = drawn(&["--post-process", "grep burn_48 | sed s/burn_/scorch_/"], &recorded.path);
    assert!(svg.contains("scorch_48_percent") && !svg.contains("burn_"), "{svg}");
    assert!(svg.contains("split"), "the title is the command line still");
    let samples = |svg: &str| {
        let (before, _) = svg.split_once(" samples, ").expect("it says how many");
        before.rsplit(' ').next().and_then(|word| word.parse::<f64>().ok()).expect("a number")
    };
    let all = samples(&drawn(&[], &recorded.path));
    assert!(svg.contains(", 1 thread, 1 process"), "{svg}");
    let kept = samples(&drawn(&["--post-process", "cat"], &recorded.path));
    assert!((kept / all - 1.0).abs() < 0.1, "{kept} of {all}");
    let svg = drawn(&["--post-process", "grep -m 1 burn_48"], &recorded.path);
    assert!(svg.contains("burn_48_percent"), "{svg}");
}

#[test]
fn flags_that_sigspy_does_not_need_are_taken_and_said_to_be_needless() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let mut command = Command::new(sigspy());
    command.arg("flamegraph").args(["--root", "-g", "-z", "3", "--ignore-status", "-o", "-"]);
    let outcome = run(command.arg(&recorded.path)).expect(0);
    for flag in ["--root", "-g", "--compression-level", "--ignore-status"] {
        assert!(outcome.stderr.contains(&format!("{flag} is not needed")), "{outcome}");
    }
    assert!(outcome.text().contains("burn_48_percent"));
}

#[test]
fn time_is_added_up_by_more_than_functions() {
    let recorded = record_at(997, [program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let mut command = Command::new(sigspy());
    let report = run(command.args(["report", "--by", "module,thread,process"]).arg(&recorded.path));
    let report = report.expect(0).text();
    for heading in
        ["Modules by CPU time of their own", "Threads by CPU time", "Programs by CPU time"]
    {
        assert!(report.lines().any(|line| line == heading), "{report}");
    }
    assert!(report.lines().any(|line| line.ends_with("  split")), "{report}");
    assert!(!report.contains("Call tree"), "{report}");
}
