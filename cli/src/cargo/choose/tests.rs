//! What is run, for workspaces that are made up.

use super::*;
use crate::cargo::workspace::tests::made_up;

/// The call of cargo, or the error.
fn call(workspace: &Workspace, target: args::Target, packages: &[&str]) -> Result<String, String> {
    let package = packages.iter().map(|&name| name.to_owned()).collect();
    let build = Build { package, ..Build::default() };
    let choice = one(&target, &build, workspace).map_err(|error| error.to_string())?;
    let flags = choice.flags.iter().map(|flag| format!(" {}", flag.display())).collect::<String>();
    Ok(format!("{}{flags}", choice.command))
}

fn nothing() -> args::Target {
    args::Target::default()
}

fn bin(name: &str) -> args::Target {
    let mut target = nothing();
    target.choice.bin = Some(name.to_owned());
    target
}

fn unit_test(name: Option<&str>, unit_test_kind: Option<UnitKind>) -> args::Target {
    let mut target = args::Target { unit_test_kind, ..nothing() };
    target.choice.unit_test = Some(name.map(str::to_owned));
    target
}

fn ok(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[test]
fn cargo_chooses_among_the_binaries_of_this_package() {
    let workspace = made_up(&[("app", true, &["bin app", "bin other"]), ("b", false, &["bin b"])]);
    assert_eq!(call(&workspace, nothing(), &[]), ok("run"));
}

#[test]
fn the_only_binary_of_a_workspace_need_not_be_named() {
    let workspace = made_up(&[("root", true, &["lib root"]), ("tool", false, &["bin t"])]);
    assert_eq!(call(&workspace, nothing(), &[]), ok("run --bin t --package tool"));
}

#[test]
fn without_a_binary_the_other_programs_are_listed() {
    let workspace =
        made_up(&[("root", true, &["lib root", "example e", "bench b", "custom-build x"])]);
    let error = call(&workspace, nothing(), &[]).unwrap_err();
    assert!(error.ends_with("among `--example e -p root`, `--bench b -p root`"), "{error}");
    let workspace = made_up(&[("root", true, &["lib root"])]);
    assert!(call(&workspace, nothing(), &[]).unwrap_err().contains("nothing else to run"));
}

#[test]
fn several_binaries_elsewhere_are_listed_with_their_flags() {
    let workspace =
        made_up(&[("l", true, &["lib l"]), ("a", false, &["bin x"]), ("b", false, &["bin y"])]);
    let error = call(&workspace, nothing(), &[]).unwrap_err();
    assert!(error.ends_with("choose among `--bin x -p a`, `--bin y -p b`"), "{error}");
}

#[test]
fn a_name_is_looked_for_in_the_whole_workspace() {
    let workspace =
        made_up(&[("l", true, &["lib l"]), ("a", false, &["bin x"]), ("b", false, &["bin x"])]);
    let error = call(&workspace, bin("x"), &[]).unwrap_err();
    assert!(error.ends_with("choose among `--bin x -p a`, `--bin x -p b`"), "{error}");
    assert_eq!(call(&workspace, bin("x"), &["b"]), ok("run --bin x"));
    assert_eq!(call(&workspace, bin("z"), &[]), ok("run --bin z"), "cargo says what there is");
}

#[test]
fn this_package_comes_before_others_with_such_a_name() {
    let workspace = made_up(&[("a", true, &["bin x"]), ("b", false, &["bin x"])]);
    assert_eq!(call(&workspace, bin("x"), &[]), ok("run --bin x --package a"));
}

#[test]
fn benches_and_tests_are_run_by_the_commands_for_them() {
    let workspace = made_up(&[("a", true, &["bench b", "test t", "example e"])]);
    let mut target = nothing();
    target.choice.bench = Some("b".into());
    assert_eq!(call(&workspace, target, &[]), ok("bench --bench b --package a"));
    let mut target = nothing();
    target.choice.test = Some("t".into());
    assert_eq!(call(&workspace, target, &[]), ok("test --test t --package a"));
    let mut target = nothing();
    target.choice.example = Some("e".into());
    assert_eq!(call(&workspace, target, &[]), ok("run --example e --package a"));
}

#[test]
fn unit_tests_are_those_of_the_only_crate_or_of_the_named_one() {
    let workspace =
        made_up(&[("my-lib", true, &["lib my_lib", "test t"]), ("b", false, &["bin b"])]);
    assert_eq!(call(&workspace, unit_test(None, None), &[]), ok("test --lib --package my-lib"));
    assert_eq!(
        call(&workspace, unit_test(Some("my-lib"), None), &[]),
        ok("test --lib --package my-lib")
    );
    assert_eq!(call(&workspace, unit_test(Some("b"), None), &[]), ok("test --bin b --package b"));
    let error = call(&workspace, unit_test(Some("c"), None), &[]).unwrap_err();
    assert!(error.contains("no --unit-test c"), "{error}");
}

#[test]
fn a_library_and_a_binary_of_one_name_are_told_apart_by_their_kind() {
    let workspace = made_up(&[("app", true, &["lib app", "bin app"])]);
    let error = call(&workspace, unit_test(None, None), &[]).unwrap_err();
    assert!(error.contains("--unit-test-kind lib") && error.contains("--unit-test-kind bin"));
    let kind = Some(UnitKind::Bin);
    assert_eq!(call(&workspace, unit_test(None, kind), &[]), ok("test --bin app --package app"));
}
