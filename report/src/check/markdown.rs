//! A check for the summary of a job and for a comment on a change.

use std::io::{self, BufWriter, Write};

use sigspy_compare::check::{CheckResult, Found, Subject};

use super::text::comparison_notes;
use super::words;
use crate::error::Error;
use crate::markup::{code_in_cell, prose};

/// Begins what is written, unseen: whoever comments finds the comment of before by it.
pub const STICKY_MARK: &str = "<!-- sigspy-check -->";
/// Of each list. With names and sentences that are shortened, all is less than 60 kB, and a comment
/// may have 65,536 characters.
const FINDINGS: usize = 10;
const SENTENCES: usize = 10;
const BUDGETS: usize = 10;

/// Writes the verdict and why, the first findings, budgets, what would have been seen, and, folded
/// up, how it was measured. At most 60 kB. Fails when the writer does.
pub fn check_markdown(result: &CheckResult, out: &mut dyn Write) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    writeln!(out, "{STICKY_MARK}\n### {}\n", words::headline(result))?;
    write_list(&result.reasons, &mut out)?;
    write_findings(&result.findings, &mut out)?;
    write_budgets(result, &mut out)?;
    write_list(&words::seen(result), &mut out)?;
    let notes: Vec<String> = result.notes.iter().chain(comparison_notes(result)).cloned().collect();
    write_list(&notes, &mut out)?;
    writeln!(out, "<details><summary>How it was measured</summary>\n")?;
    write_list(&words::setup(result), &mut out)?;
    writeln!(out, "</details>")?;
    Ok(out.flush()?)
}

fn write_list(sentences: &[String], out: &mut dyn Write) -> io::Result<()> {
    for one in sentences.iter().take(SENTENCES) {
        writeln!(out, "* {}", prose(&words::sentence(one)))?;
    }
    write_rest(sentences.len(), SENTENCES, out)
}

/// Says how many are left out, and ends a block.
fn write_rest(all: usize, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    match all.saturating_sub(shown) {
        _ if all == 0 => Ok(()),
        0 => writeln!(out),
        more => writeln!(out, "\n... and {more} more\n"),
    }
}

fn write_findings(findings: &[Found], out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "| before s | after s | change | 95 % interval | share | function | |")?;
    writeln!(out, "|---:|---:|---:|---:|---:|---|---|")?;
    for found in findings.iter().take(FINDINGS) {
        let (change, interval) = words::change_of(found);
        let (before, after, share) = match &found.subject {
            Subject::Total { base_s, head_s } => (*base_s, *head_s, 1.0),
            Subject::Function(one) => (one.base_s, one.head_s, words::share(one)),
        };
        let name = code_in_cell(&words::name(&found.subject.name()));
        let place = found.subject.place();
        let place = place.map(|place| format!(" {}", code_in_cell(&words::name(&place))));
        let place = place.unwrap_or_default();
        let standing = prose(&words::name(&words::standing(found)));
        write!(out, "| {before:.3} | {after:.3} | {change} | {interval} | {:.1} %", share * 100.0)?;
        writeln!(out, " | {name}{place} | {standing} |")?;
    }
    write_rest(findings.len(), FINDINGS, out)
}

fn write_budgets(result: &CheckResult, out: &mut dyn Write) -> io::Result<()> {
    if result.budgets.is_empty() {
        return Ok(());
    }
    writeln!(out, "| share | at most | time | budget for | |\n|---:|---:|---|---|---|")?;
    for one in result.budgets.iter().take(BUDGETS) {
        let (share, most) = (one.share * 100.0, one.max_share * 100.0);
        let (metric, outcome) = (words::metric(one.metric), words::budget(one));
        let functions = code_in_cell(&words::name(&one.functions));
        writeln!(out, "| {share:.1} % | {most:.1} % | {metric} | {functions} | {outcome} |")?;
    }
    write_rest(result.budgets.len(), BUDGETS, out)
}
