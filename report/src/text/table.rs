//! Columns that line up.

use std::io::{self, Write};

/// Rows under headers. All columns but the last end at the right, as numbers do.
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(headers: [&str; N]) -> Self {
        Self { rows: vec![headers.map(str::to_owned)] }
    }

    pub fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        self.rows.iter().try_for_each(|row| write_row(row, &widths, out))
    }

    /// Writes it as the first rows of so many, and how many are left out.
    pub fn write_first_of(&self, all: usize, out: &mut dyn Write) -> io::Result<()> {
        self.write(out)?;
        let shown = self.rows.len() - 1;
        match all.saturating_sub(shown) {
            0 => Ok(()),
            more => writeln!(out, "... and {more} more"),
        }
    }
}

fn write_row(row: &[String], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let Some((last, numbers)) = row.split_last() else { return Ok(()) };
    for (cell, width) in numbers.iter().zip(widths) {
        write!(out, "{cell:>width$}  ")?;
    }
    writeln!(out, "{last}")
}
