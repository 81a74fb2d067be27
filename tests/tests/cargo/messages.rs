//! What is said when there is nothing to draw, and what becomes of files then.

use super::*;

#[track_caller]
fn assert_refused(folder: &Path, words: &str, code: i32, texts: &[&str]) {
    let outcome = cargo(folder, words).expect(code);
    for text in texts {
        assert!(outcome.stderr.contains(text), "the message does not say `{text}`:\n{outcome}");
    }
    assert!(!folder.join("flamegraph.svg").exists(), "there is nothing to draw:\n{outcome}");
}

#[test]
fn a_folder_without_a_package_is_no_place_for_it() {
    let folder = TempDir::new();
    assert_refused(folder.path(), "", 101, &["could not find `Cargo.toml`"]);
}

#[test]
fn names_that_are_not_there_are_answered_by_those_that_are() {
    let folder = fixture("cargo");
    assert_refused(folder.path(), "--bin zzzzzz", 101, &["no bin target named `zzzzzz`", "other"]);
    assert_refused(folder.path(), "--example gated", 101, &["--features=\"slow\""]);
    assert_refused(
        folder.path(),
        "--unit-test nope",
        125,
        &["there is no --unit-test nope", "`--unit-test app --unit-test-kind lib -p app`"],
    );
}

#[test]
fn names_that_are_there_twice_are_answered_by_the_flags_for_each() {
    let folder = fixture("cargo");
    let choices = ["`--bin twin -p left`", "`--bin twin -p right`"];
    assert_refused(folder.path(), "--bin twin", 125, &choices);
    let choices = ["--unit-test-kind lib", "--unit-test-kind bin"];
    assert_refused(folder.path(), "--unit-test app", 125, &choices);
}

#[test]
fn a_package_without_a_program_says_so() {
    let folder = TempDir::new();
    folder
        .write("Cargo.toml", "[package]\nname = \"l\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    fs::create_dir(folder.join("src")).unwrap();
    folder.write("src/lib.rs", "");
    assert_refused(folder.path(), "", 125, &["error: there is no binary in this workspace"]);
    fs::create_dir(folder.join("examples")).unwrap();
    folder.write("examples/e.rs", "fn main() {}");
    assert_refused(folder.path(), "", 125, &["choose among `--example e -p l`"]);
}

#[test]
fn a_build_that_fails_is_cargos_to_explain_and_leaves_files_alone() {
    let folder = fixture("cargo");
    folder.write("flamegraph.svg", "<svg></svg><!-- sigspy -->\n");
    folder.write("src/main.rs", "fn main() { nonsense }");
    let outcome = cargo(folder.path(), "").expect(101);
    assert!(outcome.stderr.contains("cannot find value `nonsense`"), "{outcome}");
    assert_eq!(outcome.errors().len(), 1, "it is cargo's:\n{outcome}");
    assert!(folder.join("flamegraph.svg").exists() && !folder.join("flamegraph.svg.old").exists());
}

#[test]
fn files_of_others_are_never_replaced_and_ours_are_kept() {
    let folder = fixture("cargo");
    folder.write("flamegraph.svg", "a letter");
    let outcome = cargo(folder.path(), "--bin other").expect(125);
    assert!(outcome.errors()[0].contains("is no recording or flame graph of sigspy"), "{outcome}");
    assert_eq!(outcome.text(), "", "the program was not run");
    assert_eq!(fs::read(folder.join("flamegraph.svg")).unwrap(), b"a letter");
    cargo(folder.path(), "--bin other --force").expect(0);
    cargo(folder.path(), "--bin other").expect(0);
    assert!(folder.join("flamegraph.svg.old").exists());
    assert!(folder.join("flamegraph.sigspy.old").exists());
}

#[test]
fn flags_that_are_not_needed_are_taken_and_a_line_says_so() {
    let folder = fixture("cargo");
    let outcome = cargo(folder.path(), "--root -c any -z 3 --ignore-status --bin other").expect(0);
    for flag in ["--root", "--cmd", "--compression-level", "--ignore-status"] {
        assert!(outcome.stderr.contains(&format!("{flag} is not needed here")), "{outcome}");
    }
}
