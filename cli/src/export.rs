//! `sigspy export`: a recording for other programs.

use sigspy_report::{self as report, FoldedOptions, Unit};

use crate::args::{self, Export, Format};
use crate::error::Error;
use crate::named::{self, Named};
use crate::sink::Sink;

/// Runs the command.
pub fn run(arguments: Export) -> Result<u8, Error> {
    let named = named::open_aloud(arguments.input)?;
    let Named { profile, symbols } = named.named_as(&arguments.naming);
    let mut sink = Sink::create(&arguments.output, arguments.force)?;
    let unit = match arguments.unit {
        args::Unit::Ticks => Unit::Ticks,
        args::Unit::Us => Unit::Microseconds,
    };
    let options = FoldedOptions { unit, threads: arguments.threads };
    match arguments.format {
        Format::Folded => report::folded(&profile, &symbols, &options, &mut sink)?,
    }
    sink.finish("")?;
    Ok(0)
}
