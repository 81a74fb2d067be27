//! Two sides, compared: as text, Markdown, JSON or a flame graph.

mod flame;
mod markdown;
#[cfg(test)]
mod tests;
mod text;
pub mod words;

use std::io::Write;

use serde::Serialize;
use sigspy_compare::result::{Comparison, Finding, Function, SCHEMA};

use crate::error::Error;
pub use flame::{DiffLayout, diff_flamegraph};
pub use markdown::comparison_markdown;
pub use text::comparison_text;

/// How much of a comparison is written, and what its sides are called.
#[derive(Clone, Debug)]
pub struct ComparisonOptions {
    pub base: String,
    pub head: String,
    /// Rows of the table. Findings are always there.
    pub limit: usize,
    /// Longer names are shortened in the middle: characters.
    pub name_width: usize,
}

/// Writes all that is known, as JSON. The form is that of [`Comparison`], with its version. Fails when
/// the writer does.
///
/// `docs/result.md` describes it.
pub fn comparison_json(comparison: &Comparison, out: &mut dyn Write) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut *out, &Versioned { schema: SCHEMA, comparison })?;
    Ok(writeln!(out)?)
}

#[derive(Serialize)]
struct Versioned<'a> {
    schema: u32,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// The rows to show: findings first, then by difference. And how many there are at all.
fn rows<'a>(comparison: &'a Comparison, options: &ComparisonOptions) -> (Vec<&'a Function>, usize) {
    let is_finding = |one: &&Function| matches!(one.finding, Finding::Slower | Finding::Faster);
    let (findings, others): (Vec<_>, Vec<_>) = comparison.functions.iter().partition(is_finding);
    let rest = options.limit.saturating_sub(findings.len());
    let shown = findings.into_iter().chain(others.into_iter().take(rest)).collect();
    (shown, comparison.functions.len())
}
