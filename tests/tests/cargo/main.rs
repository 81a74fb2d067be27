//! `cargo sigspy`, in small workspaces.

mod check;
mod criterion;
mod messages;
mod per_test;

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use sigspy_tests::{
    Folded, Outcome, TempDir, cargo_sigspy, export, fixture, processors, run, sigspy, spawn,
    wait_until,
};

/// What is below `flamegraph.svg`.
fn folded(folder: &TempDir) -> Folded {
    let outcome = run(&mut export(&folder.join("flamegraph.sigspy"))).expect(0);
    Folded::parse(&outcome.text(), 1000).unwrap_or_else(|error| panic!("{error} in\n{outcome}"))
}

/// Runs `cargo sigspy` with words.
fn cargo(folder: &Path, words: &str) -> Outcome {
    run(cargo_sigspy(folder).args(words.split_whitespace()))
}

/// The share of the time in functions whose name has such an end.
fn share(folder: &TempDir, function: &str) -> f64 {
    let folded = folded(folder);
    let name = |frame: &String| frame.trim_end_matches("_[i]").ends_with(function);
    folded.weight_where(|frames| frames.iter().any(name)) as f64 / folded.sampled() as f64
}

#[track_caller]
fn assert_drawn(folder: &TempDir, function: &str) {
    let svg = fs::read_to_string(folder.join("flamegraph.svg")).expect("it was drawn");
    assert!(svg.contains(function), "{function} is not in the flame graph");
    assert!(share(folder, function) > 0.8, "{function} has too little time");
}

#[test]
fn the_default_binary_runs_where_and_as_cargo_runs_it() {
    let folder = fixture("cargo");
    let here = folder.join("src");
    let outcome = cargo(&here, "-- 3 two").expect(3);
    assert_eq!(outcome.words("arguments"), "3 two");
    assert_eq!(outcome.words("folder"), here.to_str().unwrap());
    assert_eq!(outcome.words("package"), "app");
    assert_eq!(outcome.words("runner"), "0", "nothing of ours is in the environment");
    assert!(here.join("flamegraph.svg").exists());
    assert!(here.join("flamegraph.sigspy").exists());
}

#[test]
fn cargo_finds_its_subcommand() {
    let folder = fixture("cargo");
    let programs = sigspy().parent().expect("a file is in a folder");
    let path = std::env::join_paths(
        [programs.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").expect("cargo is in it"))),
    );
    let mut command = Command::new("cargo");
    command.env("PATH", path.unwrap()).env_remove("CARGO_TARGET_DIR");
    run(command.args(["sigspy", "--bin", "other"]).current_dir(folder.path())).expect(0);
    assert_drawn(&folder, "app::other_work");
}

#[test]
fn lines_come_without_a_change_of_the_profile_of_a_workspace() {
    let folder = fixture("cargo");
    let before = fs::read(folder.join("Cargo.toml")).unwrap();
    cargo(folder.path(), "").expect(0);
    assert_drawn(&folder, "app::work");
    assert_eq!(fs::read(folder.join("Cargo.toml")).unwrap(), before);
    assert!(!folder.join("target/release").exists(), "it has a folder of its own");
    let report = run(Command::new(sigspy())
        .args(["export", "flamegraph.sigspy", "-f", "json"])
        .current_dir(folder.path()));
    assert!(report.text().contains("src/lib.rs"), "{report}");
}

#[test]
fn every_kind_of_program_is_drawn() {
    let folder = fixture("cargo");
    let table = [
        ("--bin other", "app::other_work"),
        ("--example life", "life::main"),
        ("--features slow --example gated", "gated::main"),
        ("--test it", "it::finds_its_package"),
        ("--unit-test app --unit-test-kind lib", "app::tests::slow_one"),
        ("-p left --unit-test", "twin::works"),
        ("-p right", "twin::main"),
        ("--bench plain", "plain::main"),
        ("bench", "plain::main"),
        ("test slow", "app::tests::slow_one"),
        ("test --lib slow", "app::tests::slow_one"),
        ("--dev --example life", "life::main"),
        ("--profile bench --example life", "life::main"),
    ];
    for (words, function) in table {
        let outcome = cargo(folder.path(), words).expect(0);
        assert!(share(&folder, function) > 0.5, "{function} has too little time\n{outcome}");
    }
}

#[test]
fn all_tests_are_in_one_flame_graph_and_one_recording() {
    let folder = fixture("cargo");
    cargo(folder.path(), "test --workspace -F 997").expect(0);
    for function in ["app::tests::slow_one", "it::finds_its_package", "twin::works"] {
        assert!(share(&folder, function) > 0.0, "{function} is not in the recording");
    }
    run(Command::new(sigspy()).arg("report").current_dir(folder.path())).expect(0);
    let failing = cargo(folder.path(), "test --no-fail-fast -- --include-ignored").expect(101);
    assert!(failing.stderr.contains("wrote flamegraph.svg"), "{failing}");
}

#[test]
fn benchmarks_are_told_that_they_are_some() {
    let folder = fixture("cargo");
    let outcome = cargo(folder.path(), "--bench plain -- --quick").expect(0);
    assert_eq!(outcome.words("arguments"), "--quick --bench");
}

#[test]
fn tests_find_their_package_from_wherever_they_are_started() {
    let folder = fixture("cargo");
    let elsewhere = TempDir::new();
    let manifest = folder.join("Cargo.toml");
    let words = format!("--test it --manifest-path {}", manifest.display());
    cargo(elsewhere.path(), &words).expect(0);
    assert!(elsewhere.join("flamegraph.svg").exists());
    assert_eq!(cargo(folder.path(), "--test it -- --ignored").code(), 101, "as the test program");
}

#[test]
fn ctrl_c_ends_the_program_and_what_was_recorded_is_drawn() {
    let folder = fixture("cargo");
    let running = spawn(cargo_sigspy(folder.path()).args(["--example", "forever"]));
    let recording = folder.join("flamegraph.sigspy");
    let has_samples = || run(&mut export(&recording)).text().contains("forever::main");
    wait_until("there are samples", || recording.exists() && has_samples());
    running.signal_group(Signal::SIGINT);
    running.wait().expect(130);
    assert_drawn(&folder, "forever::main");
}

#[test]
fn a_recording_is_made_without_a_flame_graph() {
    let folder = fixture("cargo");
    cargo(folder.path(), "record -o r.sigspy --bin other").expect(0);
    assert!(folder.join("r.sigspy").exists());
    assert!(!folder.join("flamegraph.svg").exists());
}

#[test]
fn a_target_folder_and_a_runner_of_the_users_own_are_heeded() {
    let folder = fixture("cargo");
    fs::create_dir(folder.join(".cargo")).unwrap();
    let config = "[build]\ntarget-dir = \"built here\"\n\
                  [target.x86_64-unknown-linux-gnu]\nrunner = [\"no-such-runner\", \"-x\"]\n\
                  [env]\nCARGO_PKG_NAME = { value = \"ours\", force = true }\n";
    folder.write(".cargo/config.toml", config);
    cargo(folder.path(), "--bin app").expect(0);
    assert!(folder.join("built here/sigspy/app").exists());
}

#[test]
fn a_binary_for_a_named_target_is_run() {
    let folder = fixture("cargo");
    cargo(folder.path(), "--target x86_64-unknown-linux-gnu --bin other").expect(0);
    assert!(folder.join("target/x86_64-unknown-linux-gnu/sigspy/other").exists());
    assert_drawn(&folder, "app::other_work");
}
