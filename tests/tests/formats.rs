//! What sigspy exports is read by the tools that it is for, and they see the same times; what it
//! imports and merges keeps them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sigspy_tests::{
    Folded, Recorded, TempDir, export, needs, node, program_with, record_at, record_with, run,
    sigspy, workspace,
};

/// All of its time is in `innermost`, inlined into `middle`, inlined into `outer`.
fn recorded() -> Recorded {
    let program = program_with("inlined.c", &["-g"]);
    record_at(997, [program.as_ref(), "0.5".as_ref()]).expect(0)
}

/// The recording as a file of this name, whose end tells the format.
fn exported(recorded: &Recorded, name: &str) -> PathBuf {
    let path = recorded.folder().join(name);
    let mut command = Command::new(sigspy());
    command.arg("export").arg(&recorded.path).arg("-o").arg(&path);
    assert_eq!(run(&mut command).expect(0).text(), "");
    path
}

fn total_ns(recorded: &Recorded) -> u64 {
    let json: Value =
        serde_json::from_slice(&fs::read(exported(recorded, "total.json")).expect("it is there"))
            .expect("it is JSON");
    json["quality"]["total_ns"].as_u64().expect("it has a total")
}

fn pprof(options: &[&str], profile: &Path) -> String {
    let home = TempDir::new();
    let mut go = Command::new(needs("go", "golang-go"));
    go.env("HOME", home.path()).args(["tool", "pprof"]).args(options).arg(profile);
    run(&mut go).expect(0).text()
}

#[test]
fn pprof_sees_times_inlined_functions_lines_labels_and_build_ids() {
    let recorded = recorded();
    let file = exported(&recorded, "profile.pb.gz");
    let raw = pprof(&["-raw"], &file);
    assert!(raw.contains("samples/count cpu/nanoseconds[dflt]"), "{raw}");
    assert!(raw.contains("thread:[inlined]") && raw.contains("tid:["), "{raw}");
    let samples = raw.lines().skip_while(|line| !line.starts_with("samples/count")).skip(1);
    let value = |line: &str| line.split(':').next()?.split_whitespace().nth(1)?.parse::<u64>().ok();
    let values = samples.take_while(|line| *line != "Locations").filter_map(value);
    assert_eq!(values.sum::<u64>(), total_ns(&recorded), "{raw}");
    let inlined = |line: &str| line.contains("M=1 innermost ") && line.contains("inlined.c:");
    assert!(raw.lines().any(inlined), "{raw}");
    let mapping = raw.lines().find(|line| line.contains("/inlined ")).expect("a mapping");
    assert!(mapping.starts_with("1: 0x0/") && mapping.contains("[FN][FL][LN][IN]"), "{mapping}");
    let build_id = mapping.split_whitespace().nth(3).expect("a build-id");
    assert_eq!(build_id.len(), 40, "{mapping}");

    let top = pprof(&["-top", "-unit=ns"], &file);
    let first = top.lines().skip_while(|line| !line.contains("flat%")).nth(1);
    assert!(first.is_some_and(|line| line.ends_with("innermost (inline)")), "{top}");
    let peek = pprof(&["-peek=^outer$"], &file);
    assert!(peek.contains("middle (inline)") && peek.contains("main"), "{peek}");
}

#[test]
fn callgrind_annotate_sees_times_and_the_lines_of_inlined_code() {
    let recorded = recorded();
    let file = exported(&recorded, "callgrind.out.1");
    let annotate = |option: &str| {
        let mut command = Command::new(needs("callgrind_annotate", "valgrind"));
        run(command.arg(option).arg(&file).current_dir(recorded.folder())).expect(0).text()
    };
    let number = |line: &str| line.split(" (").next()?.trim().replace(',', "").parse::<u64>().ok();
    let text = annotate("--inclusive=yes");
    let line = |end: &str| text.lines().find(|line| line.contains(end)).and_then(number);
    assert_eq!(line("PROGRAM TOTALS"), Some(total_ns(&recorded)), "{text}");
    let folded = recorded.folded();
    for function in ["outer", "main"] {
        let ns = line(&format!(":{function} [")).unwrap_or_else(|| panic!("{function}\n{text}"));
        assert!(ns.abs_diff(folded.weight_of(function)) < 10_000, "{function}: {ns}\n{text}");
    }
    // Lines of the source, with the time of each: those of `innermost`.
    let own = annotate("--auto=yes");
    let of_innermost = |line: &&str| line.contains("i < 20000") || line.contains("x = x * 5 + 11");
    assert!(own.lines().filter(of_innermost).any(|line| number(line).is_some()), "{own}");
}

#[test]
fn speedscope_sees_times() {
    let recorded = recorded();
    let file = exported(&recorded, "profile.speedscope.json");
    let schema = workspace()
        .join("tests/formats/node_modules/speedscope/dist/release/file-format-schema.json");
    node("schema.mjs", &[&schema, &file]);
    let read = node("speedscope.mjs", &[&file]);
    let profile = &read["profiles"][0];
    assert_eq!(profile["unit"], "nanoseconds");
    assert_eq!(profile["total"], total_ns(&recorded));
    let folded = recorded.folded();
    for (name, in_folded) in [("innermost", "innermost_[i]"), ("outer", "outer"), ("main", "main")]
    {
        let frame = &profile["frames"][name];
        let ns = frame["total"].as_u64().unwrap_or_else(|| panic!("{name} is not in {read}"));
        assert!(ns.abs_diff(folded.weight_of(in_folded)) < 10_000, "{name}: {ns}");
        assert!(frame["file"].as_str().is_some_and(|file| file.ends_with("inlined.c")), "{frame}");
    }
}

#[test]
fn the_firefox_profiler_sees_times() {
    let recorded = recorded();
    let read = node("firefox.mjs", &[&exported(&recorded, "profile.firefox.json")]);
    let thread = &read[0];
    assert_eq!(thread["name"], "inlined");
    let functions = thread["functions"].as_array().expect("it has functions");
    let of = |key: &str, name: &str| -> f64 {
        let found = functions.iter().filter(|function| function["name"] == name);
        found.map(|function| function[key].as_f64().expect("it has a time")).sum()
    };
    let own_ms: f64 =
        functions.iter().map(|function| function["self"].as_f64().expect("it has a time")).sum();
    assert!((own_ms * 1e6 - total_ns(&recorded) as f64).abs() < 10.0, "{own_ms}\n{read}");
    assert!(of("self", "innermost") > 0.8 * own_ms, "{read}");
    assert!(of("total", "outer") >= of("total", "innermost"), "{read}");
}

#[test]
fn json_is_as_its_schema_says() {
    let recorded = recorded();
    let file = exported(&recorded, "profile.json");
    node("schema.mjs", &[&workspace().join("docs/json.schema.json"), &file]);
}

#[test]
fn markdown_is_made_for_comments() {
    let recorded = recorded();
    let text = fs::read_to_string(exported(&recorded, "summary.md")).expect("it is there");
    assert!(text.starts_with("### CPU profile of `"), "{text}");
    assert!(text.contains("| `innermost` |") && text.contains(" s CPU, "), "{text}");
    assert!(text.len() < 20_000);
}

#[test]
fn a_format_is_asked_for_or_told_by_the_name_of_the_file() {
    let recorded = recorded();
    let sigspy = |options: &[&str]| {
        let mut command = Command::new(sigspy());
        command.arg("export").args(options).arg(&recorded.path).current_dir(recorded.folder());
        run(&mut command)
    };
    let unknown = sigspy(&["-o", "profile.what"]).expect(125);
    assert!(unknown.errors()[0].contains("profile.what"), "{unknown}");
    assert!(!recorded.folder().join("profile.what").exists());
    let unit = sigspy(&["-f", "pprof", "--unit", "ticks"]).expect(125);
    assert!(unit.errors()[0].contains("--unit"), "{unit}");
    let told = sigspy(&["-f", "markdown", "-o", "-"]).expect(0);
    assert!(told.text().starts_with("### "), "{told}");
    assert!(Folded::parse(&run(&mut export(&recorded.path)).expect(0).text(), 1).is_ok());
}

#[test]
fn a_binary_format_is_not_for_a_terminal() {
    let recorded = recorded();
    let words = format!("{} export -f pprof {}", sigspy().display(), recorded.path.display());
    let mut script = Command::new(needs("script", "bsdutils"));
    script.args(["--return", "--quiet", "--command", &words, "/dev/null"]);
    let outcome = run(&mut script).expect(125);
    assert!(outcome.text().contains("no text for a terminal"), "{outcome}");
}

/// The folded stacks of a recording, each with its thread.
fn stacks(recording: &Path) -> String {
    run(export(recording).args(["--threads", "--full-names"])).expect(0).text()
}

#[test]
fn what_was_exported_is_imported_as_it_was() {
    let recorded = recorded();
    let before = stacks(&recorded.path);
    let folded = recorded.folder().join("stacks.folded");
    fs::write(&folded, &before).expect("the folder can be written to");
    for file in [folded, exported(&recorded, "profile.pb.gz")] {
        let mut import = Command::new(sigspy());
        import.arg("import").arg(&file).args(["-o", "imported.sigspy"]);
        run(import.current_dir(recorded.folder())).expect(0);
        let after = stacks(&recorded.folder().join("imported.sigspy"));
        assert_eq!(after, before, "{}", file.display());
    }
}

#[test]
fn what_cannot_be_imported_is_refused_and_leaves_no_file() {
    let folder = TempDir::new();
    let import = |file: &Path, options: &[&str]| {
        let mut command = Command::new(sigspy());
        run(command.arg("import").arg(file).args(options).current_dir(folder.path()))
    };
    let file = folder.write("stacks.folded", "main;work 3\nmain;rest\n");
    let bad = import(&file, &[]).expect(125);
    assert!(bad.errors()[0].contains("line 2"), "{bad}");
    let other = import(&file, &["--from", "pprof"]).expect(125);
    assert!(other.errors()[0].contains("pprof"), "{other}");
    assert!(!folder.join("stacks.sigspy").exists());
    let unit = import(&folder.write("counts.txt", "main;work 3\n"), &["--unit", "10ms"]).expect(0);
    assert!(unit.stderr.contains("0.030 s CPU"), "{unit}");
    assert!(folder.join("counts.sigspy").exists(), "it is named after the file");
}

#[test]
fn recordings_of_several_runs_become_one() {
    let runs = [recorded(), recorded()];
    let folder = TempDir::new();
    let merge = |files: [&Path; 2]| {
        let mut command = Command::new(sigspy());
        run(command.arg("merge").args(files).current_dir(folder.path()))
    };
    let merged = merge([&runs[0].path, &runs[1].path]).expect(0);
    assert!(merged.summary().contains(" 2 processes; wrote merged.sigspy"), "{merged}");
    let json = |path: &Path| -> Value {
        let mut command = Command::new(sigspy());
        let outcome = run(command.args(["export", "-f", "json"]).arg(path)).expect(0);
        serde_json::from_slice(&outcome.stdout).expect("it is JSON")
    };
    let whole = json(&folder.join("merged.sigspy"));
    let both = total_ns(&runs[0]) + total_ns(&runs[1]);
    assert_eq!(whole["quality"]["total_ns"], both);
    let modules = |profile: &Value| profile["modules"].as_array().map_or(0, Vec::len);
    assert_eq!(modules(&whole), modules(&json(&runs[0].path)));

    let program = program_with("inlined.c", &["-g"]);
    let command = [program.as_ref(), "0.2".as_ref()];
    let wall = record_with(&["--clock", "wall", "-F", "997"], command).expect(0);
    let refused = merge([&runs[0].path, &wall.path]).expect(125);
    assert!(refused.errors()[0].contains("wall time"), "{refused}");
}
