//! A check as annotations of GitHub Actions, which are lines on standard output.
//!
//! Source: GitHub Docs, Workflow commands for GitHub Actions; for what has to be escaped,
//! actions/toolkit, packages/core/src/command.ts.

use std::io::{self, BufWriter, Write};

use sigspy_compare::check::{CheckResult, Found, Standing, Verdict};

use super::{Repository, place, words};
use crate::error::Error;

/// A step may have so many of each kind.
const MOST: usize = 10;

/// Writes one line for the verdict, unless it is ok, and one for each slower function whose place is
/// in the repository. At most ten. Fails when the writer does.
pub fn check_annotations(
    result: &CheckResult,
    repository: &dyn Repository,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    let kind = match result.verdict {
        Verdict::Ok => None,
        Verdict::Inconclusive => Some("warning"),
        Verdict::Regression | Verdict::Invalid => Some("error"),
    };
    let reason = result.reasons.first().map_or("", String::as_str);
    if let Some(kind) = kind {
        write_line(kind, None, &words::headline(result), reason, &mut out)?;
    }
    let shown = MOST - usize::from(kind.is_some());
    let placed = result.findings.iter().filter_map(|found| {
        let kind = kind_of(found, result)?;
        let place = place(found, repository)?;
        Some((kind, place, found))
    });
    for (kind, place, found) in placed.take(shown) {
        let title = format!("CPU time of {}", found.subject.name());
        write_line(kind, Some((&place.path, place.line)), &title, &found.to_string(), &mut out)?;
    }
    Ok(out.flush()?)
}

fn kind_of(found: &Found, result: &CheckResult) -> Option<&'static str> {
    match found.standing {
        Standing::Regression if result.verdict == Verdict::Regression => Some("error"),
        Standing::Regression | Standing::Suspect => Some("warning"),
        Standing::Waived | Standing::NotConfirmed | Standing::Improvement => None,
    }
}

fn write_line(
    kind: &str,
    place: Option<(&str, u32)>,
    title: &str,
    message: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "::{kind} ")?;
    if let Some((path, line)) = place {
        write!(out, "file={},line={line},", property(path))?;
    }
    let (title, message) = (property(&words::name(title)), data(&words::sentence(message)));
    writeln!(out, "title={title}::{message}")
}

/// Text of a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text of a property, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
