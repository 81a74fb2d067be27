//! A check as metrics, in the text format of OpenMetrics.
//!
//! Source: The OpenMetrics project, Specification 1.0; GitLab Docs, Metrics reports.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use sigspy_compare::check::{CheckResult, Verdict};
use sigspy_compare::result::Comparison;

use super::words;
use crate::error::Error;

/// Functions, those with most CPU time after.
const FUNCTIONS: usize = 20;

/// Writes the verdict, the CPU time of both sides, its change, and the functions with most of it.
/// Fails when the writer does.
pub fn check_metrics(result: &CheckResult, out: &mut dyn Write) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    write_verdict(result.verdict, &mut out)?;
    if let Some(comparison) = &result.comparison {
        write_total(comparison, &mut out)?;
        write_functions(comparison, &mut out)?;
    }
    writeln!(out, "# EOF")?;
    Ok(out.flush()?)
}

fn write_verdict(verdict: Verdict, out: &mut dyn Write) -> io::Result<()> {
    let name = "sigspy_check_verdict";
    writeln!(out, "# TYPE {name} stateset\n# HELP {name} What the check came to.")?;
    let all = [Verdict::Ok, Verdict::Regression, Verdict::Inconclusive, Verdict::Invalid];
    for one in all {
        writeln!(out, "{name}{{{name}=\"{}\"}} {}", words::verdict(one), u8::from(one == verdict))?;
    }
    Ok(())
}

fn write_total(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let name = "sigspy_check_cpu_seconds";
    write_seconds(name, "CPU time of a run.", out)?;
    let sides = [("base", &comparison.base), ("head", &comparison.head)];
    for (label, side) in sides.into_iter().filter(|(_, side)| side.runs > 0) {
        writeln!(out, "{name}{{side=\"{label}\"}} {}", side.cpu_s)?;
    }
    if let Some(change) = comparison.total.change {
        let name = "sigspy_check_cpu_ratio";
        writeln!(
            out,
            "# TYPE {name} gauge\n# HELP {name} CPU time of the head over that of the base."
        )?;
        writeln!(out, "{name} {}", change.ratio)?;
    }
    Ok(())
}

fn write_functions(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let name = "sigspy_check_function_cpu_seconds";
    write_seconds(name, "CPU time of a function's own in a run of the head.", out)?;
    // Names may become equal as they are shortened, and a metric is there once.
    let mut functions: BTreeMap<String, f64> = BTreeMap::new();
    let mut largest: Vec<_> = comparison.functions.iter().collect();
    largest.sort_by(|a, b| b.head_s.total_cmp(&a.head_s).then_with(|| a.key().cmp(&b.key())));
    for function in largest.into_iter().take(FUNCTIONS) {
        *functions.entry(words::name(&function.key())).or_default() += function.head_s;
    }
    for (function, seconds) in functions {
        writeln!(out, "{name}{{function=\"{}\"}} {seconds}", label(&function))?;
    }
    Ok(())
}

fn write_seconds(name: &str, help: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# TYPE {name} gauge\n# UNIT {name} seconds\n# HELP {name} {help}")
}

/// The value of a label.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
