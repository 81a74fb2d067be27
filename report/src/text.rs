//! A profile for the terminal: functions, a call tree, threads, processes.

mod call_tree;
pub mod functions;
mod processes;
mod stacks;
pub mod table;
#[cfg(test)]
mod tests;
mod threads;

use std::io::{BufWriter, Write};

use sigspy_model::{Profile, Symbols};

use crate::error::Error;
use crate::groups::By;
use crate::paths::{Paths, Roots};
use crate::quality::Quality;

/// How much is written.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions {
    /// Rows of each table.
    pub limit: usize,
    /// Frames with less than this share of the CPU time are left out of the call tree.
    pub least_share: f64,
    /// Longer names are shortened in the middle: characters.
    pub name_width: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { limit: 20, least_share: 0.01, name_width: 100 }
    }
}

/// Writes the quality of a profile in one line, its warnings, the functions with the most CPU
/// time (self and total, with 95 % confidence intervals), a call tree, and, if there are several,
/// the threads and processes. Plain text in UTF-8. Fails when the writer does.
pub fn text(
    profile: &Profile,
    symbols: &Symbols,
    quality: &Quality,
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    if write_quality(quality, &mut out)? {
        functions::write(profile, symbols, By::Function, options, &mut out)?;
        let paths = Paths::new(profile, symbols, Roots::of(profile, false));
        call_tree::write(&paths, options, &mut out)?;
        threads::write(profile, options, &mut out)?;
    }
    processes::write(profile, options, &mut out)?;
    Ok(out.flush()?)
}

/// Writes the quality of a profile as [`text`] does, and what has the most CPU time (self and
/// total, with 95 % confidence intervals), in each of the `views`. Plain text in UTF-8. Fails when
/// the writer does.
pub fn tables(
    profile: &Profile,
    symbols: &Symbols,
    quality: &Quality,
    views: &[By],
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    if write_quality(quality, &mut out)? {
        for by in views {
            functions::write(profile, symbols, *by, options, &mut out)?;
        }
    }
    Ok(out.flush()?)
}

/// Writes the quality of a profile: in one line, its warnings, which modules have whole stacks, and
/// where and why the others end. Plain text in UTF-8. Fails when the writer does.
pub fn quality_text(
    profile: &Profile,
    quality: &Quality,
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    if write_quality(quality, &mut out)? {
        stacks::write(profile, options, &mut out)?;
    }
    Ok(out.flush()?)
}

/// What each report begins with. Returns whether there is more to show.
fn write_quality(quality: &Quality, out: &mut dyn Write) -> Result<bool, Error> {
    writeln!(out, "{quality}")?;
    for warning in quality.warnings() {
        writeln!(out, "note: {warning}")?;
    }
    writeln!(out, "{}", quality.clock_note())?;
    if quality.samples == 0 {
        writeln!(out, "\nNo sample has a stack, so there is nothing to show.")?;
    }
    Ok(quality.samples > 0)
}
