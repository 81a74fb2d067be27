//! A check for the terminal.

use std::io::{BufWriter, Write};

use sigspy_compare::check::{CheckResult, Found, Subject};

use super::words;
use crate::error::Error;
use crate::text::table::Table;

/// Reasons and findings that are shown.
const ROWS: usize = 30;

/// Writes the verdict and why, the findings, budgets, what would have been seen, and how it was
/// measured. Plain text in UTF-8. Fails when the writer does.
pub fn check_text(result: &CheckResult, out: &mut dyn Write) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    writeln!(out, "{}", words::headline(result))?;
    for reason in result.reasons.iter().take(ROWS) {
        writeln!(out, "  {}", words::sentence(reason))?;
    }
    match result.reasons.len().saturating_sub(ROWS) {
        0 => {}
        more => writeln!(out, "  ... and {more} more")?,
    }
    if !result.findings.is_empty() {
        writeln!(out, "\nCPU seconds of a run\n")?;
        let mut table =
            Table::new(["before s", "after s", "change", "95 % interval", "share", "function"]);
        result.findings.iter().take(ROWS).for_each(|found| table.push(row(found)));
        table.write_first_of(result.findings.len(), &mut out)?;
    }
    if !result.budgets.is_empty() {
        writeln!(out, "\nBudgets: shares of the CPU time after\n")?;
        let mut table = Table::new(["share", "at most", "time", "outcome", "functions"]);
        for one in &result.budgets {
            let percent = |share: f64| format!("{:.1} %", share * 100.0);
            let (share, most) = (percent(one.share), percent(one.max_share));
            let (metric, outcome) = (words::metric(one.metric), words::budget(one));
            let functions = words::name(&one.functions);
            table.push([share, most, metric.to_owned(), outcome.to_owned(), functions]);
        }
        table.write(&mut out)?;
    }
    writeln!(out)?;
    for note in words::seen(result).iter().chain(&result.notes).chain(comparison_notes(result)) {
        writeln!(out, "note: {}", words::sentence(note))?;
    }
    for line in words::setup(result) {
        writeln!(out, "{}", words::sentence(&line))?;
    }
    Ok(out.flush()?)
}

fn row(found: &Found) -> [String; 6] {
    let (change, interval) = words::change_of(found);
    let (before, after, share) = match &found.subject {
        Subject::Total { base_s, head_s } => (*base_s, *head_s, 1.0),
        Subject::Function(function) => (function.base_s, function.head_s, words::share(function)),
    };
    let name = words::name(&found.subject.name());
    let place = found.subject.place().map(|place| format!(" at {}", words::name(&place)));
    let standing = words::sentence(&words::standing(found));
    [
        format!("{before:.3}"),
        format!("{after:.3}"),
        change,
        interval,
        format!("{:.1} %", share * 100.0),
        format!("{name}{}  ({standing})", place.unwrap_or_default()),
    ]
}

pub(super) fn comparison_notes(result: &CheckResult) -> impl Iterator<Item = &String> {
    result.comparison.iter().flat_map(|comparison| &comparison.notes)
}
