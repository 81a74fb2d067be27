//! Comparisons of programs that take longer in known functions.

use std::path::PathBuf;
use std::process::Command;

use sigspy_tests::{Outcome, TempDir, processors, program, run, sigspy};

/// Milliseconds of each function.
const BASE: [&str; 6] = ["200", "400", "100", "100", "100", "100"];
/// The first takes five times as long, the second a quarter: with 25 to 250 samples of them in a run,
/// at 250 a second, both are six standard errors and more from what would be no finding. All together
/// take half as much again, so no cost was only moved.
const NEW: [&str; 6] = ["1000", "100", "100", "100", "100", "100"];

fn record(folder: &TempDir, name: &str, parts: [&str; 6]) -> PathBuf {
    let path = folder.join(name);
    let mut command = Command::new(sigspy());
    command.args(["record", "-F", "997", "-o"]).arg(&path).arg("--").arg(program("parts.c"));
    run(command.args(parts)).expect(0);
    path
}

fn diff(options: &[&str], base: &[PathBuf], new: &[PathBuf]) -> Outcome {
    let mut command = Command::new(sigspy());
    command.arg("diff").args(options).arg("--base").args(base).arg("--new").args(new);
    run(&mut command).expect(0)
}

/// The row of a function.
fn row<'a>(text: &'a str, function: &str) -> &'a str {
    let row = text.lines().find(|line| line.contains(function));
    row.unwrap_or_else(|| panic!("no row of {function} in\n{text}"))
}

#[test]
fn several_runs_tell_which_functions_have_changed() {
    let _alone = processors();
    let folder = TempDir::new();
    let runs = |name: &str, parts| -> Vec<PathBuf> {
        (1..=3).map(|run| record(&folder, &format!("{name}-{run}.sigspy"), parts)).collect()
    };
    let (base, new) = (runs("base", BASE), runs("new", NEW));
    let text = diff(&[], &base, &new).text();
    assert!(row(&text, "part_1").ends_with("(slower)"), "{text}");
    assert!(row(&text, "part_2").ends_with("(faster)"), "{text}");
    // Of what has not changed, now and then something seems to have, by a little.
    let large = diff(&["--min-effect", "30"], &base, &new).text();
    assert!(row(&large, "part_1").ends_with("(slower)"), "{large}");
    assert!(!row(&large, "part_5").ends_with(')'), "{large}");
    let markdown = diff(&["--format", "markdown"], &base, &new).text();
    assert!(row(&markdown, "part_1").contains("| slower |"), "{markdown}");
    let itself = diff(&[], &base, &base).text();
    assert!(itself.contains("functions: 0 slower, 0 faster"), "{itself}");
}

#[test]
fn one_run_on_each_side_shows_differences_and_says_what_it_cannot_know() {
    let _alone = processors();
    let folder = TempDir::new();
    let (base, new) = (record(&folder, "a.sigspy", BASE), record(&folder, "b.sigspy", NEW));
    let text = diff(&[], std::slice::from_ref(&base), std::slice::from_ref(&new)).text();
    assert!(row(&text, "part_1").ends_with("(slower?)"), "{text}");
    assert!(text.contains("note: there is one run on each side"), "{text}");

    let image = folder.join("diff.svg");
    let mut command = Command::new(sigspy());
    command.arg("diff").args([&base, &new]).args(["-f", "flamegraph", "-o"]).arg(&image);
    run(&mut command).expect(0);
    let image = std::fs::read_to_string(&image).expect("it was written");
    let names = ["part_1", "part_2", "part_6"];
    assert!(names.iter().all(|name| image.contains(name)) && image.ends_with("<!-- sigspy -->\n"));
}

#[test]
fn a_folder_stands_for_the_recordings_in_it() {
    let _alone = processors();
    let (base, new, nothing) = (TempDir::new(), TempDir::new(), TempDir::new());
    record(&base, "1.sigspy", BASE);
    record(&base, "2.sigspy", BASE);
    record(&new, "1.sigspy", NEW);
    let diff = |base: &TempDir| {
        let mut command = Command::new(sigspy());
        run(command.arg("diff").arg(base.path()).arg(new.path()).args(["-f", "json"]))
    };
    let json = diff(&base).expect(0).text();
    assert!(json.contains("\"runs\": 2") && json.contains("\"runs\": 1"), "{json}");
    let failed = diff(&nothing).expect(125);
    assert!(failed.errors()[0].contains("there are no recordings in"), "{failed}");
}

#[test]
fn what_other_tools_have_written_is_compared_as_well() {
    let folder = TempDir::new();
    let base = folder.write("base.folded", "main;work 1000000\nmain;rest 1000000\n");
    let new = folder.write("new.folded", "main;work 3000000\nmain;rest 1000000\n");
    let text = diff(&["--normalize", "none"], &[base], &[new]).text();
    let row: Vec<&str> = row(&text, "work").split_whitespace().take(2).collect();
    assert_eq!(row, ["1.000", "3.000"], "{text}");
}

#[test]
fn instances_of_a_generic_function_are_one_unless_they_shall_not_be() {
    let folder = TempDir::new();
    let stacks = "main;app::Cache<u8>::find 1000000\nmain;app::Cache<u16>::find 5000000\n";
    let side = [folder.write("app.folded", stacks)];
    let merged = diff(&["--normalize", "none"], &side, &side).text();
    assert!(row(&merged, "Cache<_>::find").contains("6.000"), "{merged}");
    let apart = diff(&["--normalize", "none", "--mono"], &side, &side).text();
    assert!(row(&apart, "Cache<u8>::find").contains("1.000"), "{apart}");
}
