//! What a check came to, for people and for the services that show it: text, Markdown, annotations,
//! SARIF, code quality, metrics, JUnit.
//!
//! All are functions of a [`CheckResult`], whose names of functions and files are anybody's text:
//! each format escapes them in its own way, and shortens what is long.

mod annotations;
mod code_quality;
mod junit;
#[cfg(test)]
mod made_up;
mod markdown;
mod metrics;
mod sarif;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::io::Write;

use sha2::{Digest, Sha256};
use sigspy_compare::check::{CheckResult, Found, Subject};

use crate::error::Error;
pub use annotations::check_annotations;
pub use code_quality::check_code_quality;
pub use junit::check_junit;
pub use markdown::{STICKY_MARK, check_markdown};
pub use metrics::check_metrics;
pub use sarif::check_sarif;
pub use text::check_text;

/// Where files are in the repository.
pub trait Repository {
    /// The path of a source file below the root of the repository, in the spelling of debug
    /// information on the left and of git on the right. `None` if it is not in there.
    fn path_of(&self, file: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Repository for F {
    fn path_of(&self, file: &str) -> Option<String> {
        self(file)
    }
}

/// Writes the result itself, as JSON. Fails when the writer does.
pub fn check_json(result: &CheckResult, out: &mut dyn Write) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut *out, result)?;
    Ok(writeln!(out)?)
}

/// Where a finding can be shown in the source.
struct Place {
    path: String,
    line: u32,
}

/// Where a finding is, or the nearest of its callers, in the repository.
fn place(found: &Found, repository: &dyn Repository) -> Option<Place> {
    let Subject::Function(function) = &found.subject else { return None };
    let own = function.file.as_deref().map(|file| (file, function.line.unwrap_or(1)));
    let callers = found.sites.iter().map(|site| (&*site.file, site.line));
    own.into_iter()
        .chain(callers)
        .find_map(|(file, line)| Some(Place { path: repository.path_of(file)?, line: line.max(1) }))
}

/// 16 digits that are the same for a function in each result.
fn fingerprint(found: &Found) -> String {
    let hash = Sha256::digest(found.key().as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
