//! A comparison for the terminal.

use std::io::{BufWriter, Write};

use sigspy_compare::result::Comparison;

use super::{ComparisonOptions, rows, words};
use crate::error::Error;
use crate::text::table::Table;

/// Writes both sides, what is to be thought of the CPU time as a whole, and a table of functions:
/// CPU seconds of a run before and after, the change with its 95 % confidence interval, the rate of
/// false discoveries, the share. Plain text in UTF-8. Fails when the writer does.
pub fn comparison_text(
    comparison: &Comparison,
    options: &ComparisonOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    writeln!(out, "{}", words::side(&options.base, &comparison.base))?;
    writeln!(out, "{}", words::side(&options.head, &comparison.head))?;
    writeln!(out, "{}", words::total(comparison))?;
    writeln!(out, "{}", words::findings(comparison))?;
    for note in words::detectable(comparison).iter().chain(&comparison.notes) {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "note: {}", words::normalization(comparison))?;
    writeln!(out, "\nFunctions by difference of their own CPU time in a run\n")?;
    let (shown, all) = rows(comparison, options);
    let mut table =
        Table::new(["before s", "after s", "change", "95 % interval", "q", "share", "function"]);
    for one in shown {
        let (change, interval) = words::change_of(one);
        let share = format!("{:.1} %", one.base_share.max(one.head_share) * 100.0);
        let remark = words::remark(one, comparison.noise_is_known);
        let name = words::name(one, options.name_width);
        let name = if remark.is_empty() { name } else { format!("{name}  ({remark})") };
        let (before, after) = (format!("{:.3}", one.base_s), format!("{:.3}", one.head_s));
        table.push([before, after, change, interval, words::q_value(one.q_value), share, name]);
    }
    table.write_first_of(all, &mut out)?;
    Ok(out.flush()?)
}
