//! Checks of one program against another, and what they say, read back from the result as JSON.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::{Outcome, Program, TempDir, run_within, sigspy};

/// Longer than any check takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A run of `sigspy check`, and its result.
pub struct Checked {
    pub outcome: Outcome,
    result: Value,
}

/// Checks `head` against `base`, both with `arguments`.
pub fn check<S: AsRef<OsStr>>(
    options: &[&str],
    base: &Program,
    head: &Program,
    arguments: impl IntoIterator<Item = S>,
) -> Checked {
    let folder = TempDir::new();
    let json = folder.join("result.json");
    let mut command = Command::new(sigspy());
    command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
    command.args(["check", "-F", "997", "--work", "work"]).args(options).arg("--json").arg(&json);
    command.arg("--base").arg(base).arg("--head").arg(head).arg("--").args(arguments);
    let outcome = run_within(PATIENCE, &mut command);
    let text = fs::read(&json).unwrap_or_else(|_| panic!("there is no result of {outcome}"));
    let result = serde_json::from_slice(&text).expect("the result is JSON");
    Checked { outcome, result }
}

impl Checked {
    pub fn code(&self) -> i32 {
        self.outcome.code()
    }

    /// Functions that are regressions.
    pub fn blamed(&self) -> Vec<&str> {
        let functions = self.regressions().map(|found| &found["subject"]["function"]["function"]);
        functions.filter_map(Value::as_str).collect()
    }

    /// Whether the program as a whole is a regression.
    pub fn blames_the_program(&self) -> bool {
        self.regressions().any(|found| found["subject"].get("total").is_some())
    }

    fn regressions(&self) -> impl Iterator<Item = &Value> {
        let findings = self.result["findings"].as_array().expect("there are findings");
        findings.iter().filter(|found| found["standing"] == "regression")
    }

    /// The slowdown of a function of 30 % of the CPU time that would have been seen: 0.5 is 50 %.
    pub fn least_slowdown(&self) -> Option<f64> {
        self.result["comparison"]["detectable"][0]["slowdown"].as_f64()
    }

    /// The name of the file that has a function, and the line.
    pub fn place(&self, function: &str) -> (String, u64) {
        let row = self.function(function).unwrap_or_else(|| panic!("no {function}: {self}"));
        let file = row["file"].as_str().unwrap_or_else(|| panic!("no file of {function}: {self}"));
        let name = file.rsplit('/').next().unwrap_or(file).to_owned();
        (name, row["line"].as_u64().unwrap_or_else(|| panic!("no line of {function}: {self}")))
    }

    /// What else is known about a function: `cost-shift`, `renamed`, `new` and so on.
    pub fn labels(&self, function: &str) -> Vec<String> {
        let labels = self.function(function).and_then(|row| row["labels"].as_array());
        labels.into_iter().flatten().map(label).collect()
    }

    /// A function of the first runs.
    fn function(&self, name: &str) -> Option<&Value> {
        let functions = self.result["comparison"]["functions"].as_array()?;
        functions.iter().find(|row| row["function"] == name)
    }
}

/// One that says more is an object of one field.
fn label(label: &Value) -> String {
    let name = label.as_str().or_else(|| label.as_object()?.keys().next().map(String::as_str));
    name.expect("a label has a name").to_owned()
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}
