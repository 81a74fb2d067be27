//! What all formats in JSON share.

use std::io::{self, BufWriter, Write};

use serde::{Serialize, Serializer};

/// Writes a file of one value, in one line.
pub fn write(file: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, file)?;
    writeln!(out)?;
    out.flush()
}

/// A list that is written as it is made: `Seq(|| 0..3)` is `[0,1,2]`.
pub struct Seq<F>(pub F);

impl<F, I> Serialize for Seq<F>
where
    F: Fn() -> I,
    I: IntoIterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}
