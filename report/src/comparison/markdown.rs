//! A comparison for the description of a change, or a comment on it.

use std::io::{BufWriter, Write};

use sigspy_compare::result::Comparison;

use super::{ComparisonOptions, rows, words};
use crate::error::Error;
use crate::markup::{code_in_cell, prose};

/// Writes what [`comparison_text`](super::comparison_text) does, as Markdown with a table. Names of
/// functions cannot break out of their cells. Fails when the writer does.
pub fn comparison_markdown(
    comparison: &Comparison,
    options: &ComparisonOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    writeln!(out, "**{}**\n", words::total(comparison))?;
    writeln!(out, "{}\n", words::findings(comparison))?;
    writeln!(out, "| before s | after s | change | 95 % interval | q | share | function | |")?;
    writeln!(out, "|---:|---:|---:|---:|---:|---:|---|---|")?;
    let (shown, all) = rows(comparison, options);
    let left_out = all - shown.len();
    for one in shown {
        let (change, interval) = words::change_of(one);
        let share = one.base_share.max(one.head_share) * 100.0;
        let (q, name) =
            (words::q_value(one.q_value), code_in_cell(&words::name(one, options.name_width)));
        let remark = prose(&words::remark(one, comparison.noise_is_known));
        write!(out, "| {:.3} | {:.3} | {change} | {interval} ", one.base_s, one.head_s)?;
        writeln!(out, "| {q} | {share:.1} % | {name} | {remark} |")?;
    }
    if left_out > 0 {
        writeln!(out, "\n... and {left_out} more")?;
    }
    writeln!(out)?;
    writeln!(out, "* {}", prose(&words::side(&options.base, &comparison.base)))?;
    writeln!(out, "* {}", prose(&words::side(&options.head, &comparison.head)))?;
    for note in words::detectable(comparison).iter().chain(&comparison.notes) {
        writeln!(out, "* {}", prose(note))?;
    }
    writeln!(out, "* {}", words::normalization(comparison))?;
    Ok(out.flush()?)
}
