//! Where the results of checks go, and what projects say about them.

use std::fs;
use std::path::Path;
use std::process::Command;

use sigspy_tests::{Outcome, TempDir, processors, program_with, run, sigspy};

/// A repository with two builds of a program, of which `slower` needs three times as long for
/// `part_1`.
struct Project {
    folder: TempDir,
}

const BASE: &str = "200 100 100 100";
const SLOWER: &str = "600 100 100 100";

impl Project {
    fn new() -> Self {
        let folder = TempDir::new();
        let mut git = Command::new("git");
        run(git.args(["init", "--quiet"]).current_dir(folder.path())).expect(0);
        let parts = program_with("parts.c", &["-g"]);
        for (name, arguments) in [("base", BASE), ("slower", SLOWER)] {
            let script = format!("#!/bin/sh\nexec '{}' {arguments}\n", parts.path.display());
            let path = folder.write(name, script.as_bytes());
            run(Command::new("chmod").arg("+x").arg(path)).expect(0);
        }
        Self { folder }
    }

    fn check(&self, options: &[&str]) -> Outcome {
        run(self.command(options).args(["--runs", "3", "--warm-up", "0"]))
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(sigspy());
        command.arg("check").args(options).current_dir(self.folder.path());
        command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// What a check of both builds has found, as a file.
    fn result(&self) -> &'static str {
        let options = ["--base", "./base", "--head", "./slower", "--json", "result.json"];
        self.check(&options).expect(1);
        "result.json"
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("it was written")
    }
}

#[test]
fn a_result_is_shown_again_without_running_anything() {
    let _alone = processors();
    let project = Project::new();
    let from = ["--from", project.result()];
    let again = run(&mut project.command(&from)).expect(1);
    assert!(again.text().starts_with("Regression: "), "{again}");

    let files = ["--markdown", "a.md", "--sarif", "a.sarif", "--junit", "a.xml", "--metrics", "-"];
    let files =
        run(project.command(&from).args(files).args(["--code-quality", "a.json"])).expect(1);
    assert!(files.text().ends_with("\n# EOF\n"), "{files}");
    assert!(project.read("a.md").starts_with("<!-- sigspy-check -->\n### Regression: "));
    assert!(project.read("a.xml").contains("<failure type=\"cpu-regression\""));
    assert!(project.read("a.sarif").contains("\"version\":\"2.1.0\""));
    let places = ["--source-prefix", "/nowhere", "--no-ci", "--force", "--sarif", "a.sarif"];
    run(project.command(&from).args(places)).expect(1);
}

#[test]
fn a_file_of_somebody_else_is_not_overwritten() {
    let project = Project::new();
    project.folder.write("notes.md", b"mine");
    let options = ["--base", "./base", "--head", "./base", "--markdown", "notes.md"];
    let refused = run(&mut project.command(&options)).expect(2);
    assert!(refused.errors()[0].contains("notes.md exists"), "{refused}");
    assert!(!refused.stderr.contains("base-1"), "nothing was run for nothing: {refused}");
    assert_eq!(project.read("notes.md"), "mine");
}

#[test]
fn what_is_no_result_is_told_in_one_sentence() {
    let project = Project::new();
    let said = |name: &str, text: &str| {
        project.folder.write(name, text.as_bytes());
        let outcome = run(&mut project.command(&["--from", name])).expect(2);
        assert_eq!(outcome.errors().len(), 1, "{outcome}");
        outcome.errors()[0].to_string()
    };
    assert!(said("text", "hello").contains("is no result of `sigspy check`"));
    assert!(said("other.json", "{\"a\": 1}").contains("is no result of `sigspy check`"));
    assert!(said("new.json", "{\"schema\": 9}").contains("is of version 9"));
    assert!(said("half.json", "{\"schema\": 1, \"verdict\": \"ok\"").contains("or is damaged"));
    let deep = format!("{{\"schema\": 1, \"reasons\": {}", "[".repeat(100_000));
    assert!(said("deep.json", &deep).contains("or is damaged"));
    let missing = run(&mut project.command(&["--from", "missing.json"])).expect(2);
    assert!(missing.errors()[0].contains("cannot read missing.json"), "{missing}");
}

#[test]
fn github_gets_a_summary_and_annotations_in_its_own_way() {
    let _alone = processors();
    let project = Project::new();
    let from = ["--from", project.result()];
    project.folder.write("summary.md", b"what others wrote\n");
    let on_github = |options: &[&str]| {
        let mut command = project.command(&from);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "summary.md");
        run(command.args(options)).expect(1)
    };
    let left_alone = on_github(&["--no-ci"]);
    assert!(!left_alone.stderr.contains("::error"), "{left_alone}");
    assert_eq!(project.read("summary.md"), "what others wrote\n");
    let told = on_github(&["--metrics", "-"]);
    assert!(told.stderr.starts_with("::error title=Regression%3A"), "{told}");
    assert!(!told.text().contains("::error"), "{told}");
    let summary = project.read("summary.md");
    assert!(summary.starts_with("what others wrote\n<!-- sigspy-check -->\n"), "{summary}");
}

#[test]
fn a_project_has_budgets_and_exceptions() {
    let _alone = processors();
    let project = Project::new();
    let check = || project.check(&["--base", "./base", "--head", "./slower"]);
    let exception = |until: &str| {
        let settings = format!(
            "[check]\nfreq = 997\n[[ignore]]\nmatch = \"*\"\nreason = \"known\"\nuntil = {until}\n\
             [[ignore]]\nmatch = \"[total]\"\nreason = \"known\"\nuntil = {until}\n"
        );
        project.folder.write("sigspy.toml", settings.as_bytes());
    };
    exception("2999-12-31");
    let waived = check().expect(0);
    assert!(waived.text().contains("ignored until 2999-12-31: known"), "{waived}");
    exception("2000-01-01");
    let expired = check().expect(1);
    assert!(expired.text().contains("ended on 2000-01-01 and no longer applies"), "{expired}");

    let budget = "[[budget]]\nmatch = \"part_*\"\nmax-share = 0.5\n";
    project.folder.write("sigspy.toml", budget.as_bytes());
    let over = project.check(&["--base", "./base", "--head", "./base"]).expect(1);
    assert!(over.text().starts_with("Regression: 1 budget exceeded"), "{over}");

    project.folder.write("sigspy.toml", b"[[ignore]]\nmatch = \"f\"\nreason = \"r\"\n");
    let wrong = check().expect(2);
    assert!(wrong.errors()[0].contains("sigspy.toml:1: [[ignore]] has no `until`"), "{wrong}");
}

#[test]
fn runs_that_were_kept_warn_and_do_not_fail() {
    let _alone = processors();
    let project = Project::new();
    let with_kept = |head: &str, options: &[&str]| {
        project.check(&[&["--head", head, "--baseline", "kept"], options].concat())
    };
    let first = with_kept("./base", &["--save-baseline", "kept"]).expect(3);
    assert!(first.text().contains("there is no baseline to compare with"), "{first}");
    with_kept("./base", &["--inconclusive", "pass"]).expect(0);
    let slower = with_kept("./slower", &[]).expect(0);
    assert!(slower.text().starts_with("Inconclusive: "), "{slower}");
    assert!(slower.text().contains("part_1 in parts (parts.c:"), "{slower}");

    let saved = with_kept("./slower", &["--save-baseline", "kept"]).expect(0);
    assert!(saved.text().contains("the baseline in kept stays as it was"), "{saved}");
    let slower = with_kept("./slower", &[]).expect(0);
    assert!(slower.text().contains("part_1 in parts (parts.c:"), "{slower}");

    let description = project.read("kept/baseline.json");
    let (before, _) = description.split_once("\"work\"").expect("it tells how much was done");
    for work in ["[]", "[1.0, 0.0, 1.0]"] {
        let empty = format!("{before}\"work\": {work}}}");
        fs::write(project.folder.join("kept/baseline.json"), empty).expect("it can be written");
        let refused = with_kept("./base", &[]).expect(2);
        assert!(refused.errors()[0].contains("it has no runs, or their work"), "{refused}");
    }
    let elsewhere = description.replace("\"cpus\": ", "\"cpus\": 1");
    fs::write(project.folder.join("kept/baseline.json"), elsewhere).expect("it can be written");
    let moved = with_kept("./base", &["--inconclusive", "pass"]).expect(0);
    assert!(moved.text().contains("was measured on another machine: processors"), "{moved}");

    fs::write(project.folder.join("kept/run-2.sigspy"), "no recording").expect("it is ours");
    let broken = with_kept("./base", &[]).expect(2);
    assert!(broken.errors()[0].contains("run-2.sigspy"), "{broken}");
}

#[test]
fn a_folder_with_something_else_in_it_becomes_no_baseline() {
    let project = Project::new();
    let path = Path::new("src");
    fs::create_dir(project.folder.join("src")).expect("it can be made");
    project.folder.write("src/main.c", b"int main;");
    let options = ["--head", "./base", "--baseline", "none", "--save-baseline", "src"];
    let refused = project.check(&options).expect(2);
    assert!(refused.errors()[0].contains("something else than a baseline"), "{refused}");
    assert!(project.folder.join(path.join("main.c")).exists());
}
