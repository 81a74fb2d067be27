//! A check as GitLab's code quality report.
//!
//! Source: GitLab Docs, Code Quality, Import code quality results from a CI/CD job.

use std::io::Write;

use serde::Serialize;
use sigspy_compare::check::{CheckResult, Found, Standing};

use super::{Repository, fingerprint, place, words};
use crate::error::Error;
use crate::json;

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// Writes a list of the slower functions whose place is in the repository: others cannot be shown
/// there. Fails when the writer does.
pub fn check_code_quality(
    result: &CheckResult,
    repository: &dyn Repository,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let issues: Vec<Issue> =
        result.findings.iter().filter_map(|found| issue(found, repository)).collect();
    Ok(json::write(&issues, out)?)
}

fn issue(found: &Found, repository: &dyn Repository) -> Option<Issue> {
    let severity = match found.standing {
        Standing::Regression => "major",
        Standing::Suspect => "minor",
        Standing::Waived => "info",
        Standing::NotConfirmed | Standing::Improvement => return None,
    };
    let place = place(found, repository)?;
    Some(Issue {
        description: words::sentence(&found.to_string()),
        check_name: "cpu-regression",
        fingerprint: fingerprint(found),
        severity,
        location: Location { path: place.path, lines: Lines { begin: place.line } },
    })
}
