//! The recipes for services of continuous integration in `docs/ci.md`, and the action: the commands in
//! them do what a reader expects, in a repository with a change that makes its program slower.
//!
//! What the services themselves do, such as keeping artifacts, is not tested here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sigspy_tests::{Outcome, TempDir, needs, node, processors, run, run_within, sigspy, workspace};

const PATIENCE: Duration = Duration::from_secs(200);
/// Few and short runs: what is tested is not what they find.
const SETTINGS: &str = "[check]\nruns = 3\nwarm-up = 0\n";
const MAKEFILE: &str = "app: app.c\n\tcc -O1 -g -o app app.c\n";

/// A checkout of a merge of a change into `origin/main`, and a place beside it.
struct Checkout {
    folder: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let folder = TempDir::new();
        let checkout = Self { folder };
        fs::create_dir_all(checkout.path().join("bin")).expect("it can be made");
        let binary = sigspy().canonicalize().expect("it is there");
        std::os::unix::fs::symlink(binary, checkout.path().join("bin/sigspy")).expect("it is new");
        let write = |name: &str, text: &str| {
            fs::write(checkout.path().join(name), text).expect("it can be written");
        };
        write("app.c", &source(100));
        write("Makefile", MAKEFILE);
        write("sigspy.toml", SETTINGS);
        write(".gitignore", "bin\n");
        checkout.git("init --quiet --initial-branch main");
        checkout.commit("before");
        checkout.git("update-ref refs/remotes/origin/main HEAD");
        checkout.git("checkout --quiet -b change");
        write("app.c", &source(300));
        checkout.commit("after");
        checkout.git("checkout --quiet --detach main");
        checkout.git("merge --quiet --no-ff -m merged change");
        checkout
    }

    fn path(&self) -> PathBuf {
        let path = self.folder.join("checkout");
        fs::create_dir_all(&path).expect("it can be made");
        path
    }

    fn git(&self, words: &str) {
        let words = format!("git -c user.name=n -c user.email=n@example.com {words}");
        self.bash(&words, &[]).expect(0);
    }

    fn commit(&self, message: &str) {
        self.git("add --all");
        self.git(&format!("commit --quiet -m {message}"));
    }

    /// A script, as the services run it.
    fn bash(&self, script: &str, variables: &[(&str, &str)]) -> Outcome {
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", script]).current_dir(self.path());
        let search = std::env::var("PATH").unwrap_or_default();
        bash.env("PATH", format!("{}:{search}", self.path().join("bin").display()));
        bash.env("RUNNER_TEMP", self.folder.path()).envs(variables.iter().copied());
        for file in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            bash.env(file, self.folder.join(file));
        }
        run_within(PATIENCE, &mut bash)
    }
}

/// A program with a function that takes so many milliseconds of CPU time.
fn source(parse_ms: u32) -> String {
    let function = |name: &str, ms: u32| {
        format!(
            "__attribute__((noinline)) static void {name}(void) {{\n    \
             clock_t end = clock() + {ms} * (CLOCKS_PER_SEC / 1000);\n    \
             while (clock() < end)\n        \
             for (int i = 0; i < 100000; i++)\n            sum += i;\n}}\n"
        )
    };
    let (parse, print) = (function("parse", parse_ms), function("print", 200));
    format!(
        "#include <time.h>\nstatic volatile long sum;\n{parse}{print}int main(void) {{\n    \
         parse();\n    print();\n    return 0;\n}}\n"
    )
}

/// A step, or a job, as data.
fn page() -> Value {
    node("yaml.mjs", &[&workspace().join("docs/ci.md")])
}

fn action() -> Value {
    node("yaml.mjs", &[&workspace().join("action.yml")])
}

fn steps(of: &Value) -> Vec<Value> {
    of["steps"].as_array().expect("it has steps").clone()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}

/// The script of a step with that name.
fn script(steps: &[Value], name: &str) -> String {
    let step = steps.iter().find(|step| step["name"] == name).expect("there is such a step");
    text(&step["run"]).to_owned()
}

#[test]
fn no_script_has_texts_of_strangers_put_into_it() {
    let page = page();
    let jobs = [&page[0]["jobs"]["check"], &page[1]["jobs"]["comment"], &action()["runs"]];
    let mut scripts = 0;
    for step in jobs.iter().flat_map(|job| steps(job)) {
        let Some(script) = step["run"].as_str() else { continue };
        assert!(!script.contains("${{"), "pass it by env: {script}");
        scripts += 1;
    }
    assert_eq!(scripts, 6);
}

#[test]
fn the_action_fails_for_a_regression_and_leaves_its_results() {
    let _alone = processors();
    let checkout = Checkout::new();
    let job = steps(&page()[0]["jobs"]["check"]);
    checkout.bash(&script(&job, "Build both sides"), &[]).expect(0);
    let arguments = text(&job[2]["with"]["arguments"]).to_owned();
    let action = steps(&action()["runs"]);
    let folder = workspace().display().to_string();
    let github = [("GITHUB_ACTION_PATH", &*folder), ("GITHUB_ACTIONS", "true")];
    checkout.bash(&script(&action, "Install sigspy"), &github).expect(0);
    let variables = [&github[..], &[("ARGUMENTS", &*arguments)]].concat();
    let checked = checkout.bash(&script(&action, "Check"), &variables).expect(0);
    assert!(checked.stderr.contains("::error file=app.c,line="), "{checked}");
    let read = |name: &str| fs::read_to_string(checkout.folder.join(name)).expect("it is there");
    assert_eq!(read("GITHUB_OUTPUT"), "status=1\n");
    assert!(read("GITHUB_STEP_SUMMARY").contains("### Regression: "));
    assert!(read("sigspy-check/check.sarif").contains("\"uri\":\"app.c\""));
    checkout.bash(&script(&action, "Verdict"), &[("STATUS", "1")]).expect(1);
}

#[test]
fn the_comment_is_written_once_and_then_replaced() {
    let _alone = processors();
    let checkout = Checkout::new();
    let built = "make app && mkdir results && sigspy check --head ./app --baseline none \
                 --inconclusive pass --json results/result.json";
    checkout.bash(built, &[]).expect(0);
    // Says what the service would, and notes what was asked of it.
    let gh = "#!/bin/sh\necho \"$@\" >> gh.log\n\
              case $* in */pulls*) echo 7 ;; *comments\\ --jq*) cat comments ;; esac\n";
    fs::write(checkout.path().join("bin/gh"), gh).expect("it can be written");
    checkout.bash("chmod +x bin/gh && touch comments", &[]).expect(0);
    let comment = script(&steps(&page()[1]["jobs"]["comment"]), "Comment");
    let variables = [("REPOSITORY", "a/b"), ("HEAD", "c:`d` $(e)"), ("GH_TOKEN", "none")];
    let asked = || {
        checkout.bash("rm -f gh.log check.md", &[]).expect(0);
        checkout.bash(&comment, &variables).expect(0);
        fs::read_to_string(checkout.path().join("gh.log")).expect("it was asked")
    };
    let first = asked();
    assert!(first.contains("head=c:`d` $(e)"), "{first}");
    let posted = "api --method POST repos/a/b/issues/7/comments -F body=@check.md";
    assert_eq!(first.lines().last(), Some(posted));
    fs::write(checkout.path().join("comments"), "42\n43\n").expect("it can be written");
    let patched = "api --method PATCH repos/a/b/issues/comments/42 -F body=@check.md";
    assert_eq!(asked().lines().last(), Some(patched));
}

#[test]
fn the_job_of_gitlab_fails_for_a_regression_and_has_its_reports() {
    let _alone = processors();
    let checkout = Checkout::new();
    let job = &page()[2]["cpu-time"];
    let lines = |key: &str| -> Vec<String> {
        job[key].as_array().expect("it is a list").iter().map(|it| text(it).to_owned()).collect()
    };
    let script = [lines("before_script"), lines("script")].concat().join("\n");
    checkout.bash(&script, &[("CI_MERGE_REQUEST_DIFF_BASE_SHA", "origin/main")]).expect(1);
    let reports = job["artifacts"]["reports"].as_object().expect("it has reports");
    let has = |file: &Value| checkout.path().join(text(file)).exists();
    assert!(reports.len() == 3 && reports.values().all(has), "{reports:?}");
}

#[test]
fn the_pipeline_of_jenkins_fails_for_a_regression_and_has_its_report() {
    let _alone = processors();
    let checkout = Checkout::new();
    let page = fs::read_to_string(workspace().join("docs/ci.md")).expect("the page is there");
    let pipeline = page.split("```groovy\n").nth(1).expect("there is one");
    let scripts: Vec<&str> = pipeline.split("'''").skip(1).step_by(2).take(2).collect();
    checkout.bash(scripts[0], &[]).expect(0);
    checkout.bash(scripts[1], &[]).expect(1);
    assert!(checkout.path().join("check.xml").exists());
    needs("xmllint", "libxml2-utils");
    let mut xmllint = Command::new("xmllint");
    run(xmllint.arg("--noout").arg(checkout.path().join("check.xml"))).expect(0);
}
