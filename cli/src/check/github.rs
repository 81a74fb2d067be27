//! GitHub Actions: what a step tells the runner by a file and by lines. Nothing is sent anywhere.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use sigspy_compare::check::CheckResult;
use sigspy_report::{self as report, Repository};

use crate::message;

/// Adds to the summary of the step, and prints annotations, if this is a step of GitHub Actions.
///
/// The runner reads annotations from both outputs. They go to standard error, as the other one has
/// only what was asked for. What cannot be told is no reason to fail: the exit status tells it.
pub fn tell(result: &CheckResult, repository: &dyn Repository) {
    if let Some(path) = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
        && let Err(error) = add_summary(result, Path::new(&path))
    {
        message::warning(&format!("cannot write the step summary: {error}"));
    }
    if env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let _ = report::check_annotations(result, repository, &mut io::stderr().lock());
    }
}

/// The runner has made the file.
fn add_summary(result: &CheckResult, path: &Path) -> io::Result<()> {
    let mut summary = Vec::new();
    report::check_markdown(result, &mut summary).map_err(io::Error::other)?;
    File::options().append(true).create(true).open(path)?.write_all(&summary)
}
