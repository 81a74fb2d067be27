//! `sigspy export`: a recording for other programs.

use std::io::{IsTerminal, Write, stdout};
use std::path::Path;

use sigspy_report::{self as report, FoldedOptions, Unit};

use crate::args::{self, Export, Format};
use crate::error::Error;
use crate::named::{self, Named};
use crate::sink::{STDOUT, Sink};

/// Runs the command.
pub fn run(arguments: Export) -> Result<u8, Error> {
    let format = format(&arguments)?;
    let named = named::open_aloud(arguments.input)?.named_as(&arguments.naming);
    let mut sink = Sink::create(&arguments.output, arguments.force)?;
    let unit = match arguments.unit {
        Some(args::Unit::Ticks) => Unit::Ticks,
        Some(args::Unit::Us) | None => Unit::Microseconds,
    };
    write(&named, format, FoldedOptions { unit, threads: arguments.threads }, &mut sink)?;
    sink.finish("")?;
    Ok(0)
}

/// The format that is meant, if it can be written where it is to go.
fn format(arguments: &Export) -> Result<Format, Error> {
    let output = &arguments.output;
    let is_stdout = output == Path::new(STDOUT);
    let guess = || if is_stdout { Some(Format::Folded) } else { Format::of(output) };
    let format =
        arguments.format.or_else(guess).ok_or_else(|| Error::UnknownFormat(output.clone()))?;
    if arguments.unit.is_some() && format != Format::Folded {
        return Err(Error::UnitOfTime);
    }
    if is_stdout && format.is_binary() && stdout().is_terminal() {
        return Err(Error::BinaryToTerminal);
    }
    Ok(format)
}

fn write(
    Named { profile, symbols }: &Named,
    format: Format,
    folded: FoldedOptions,
    out: &mut dyn Write,
) -> Result<(), report::Error> {
    match format {
        Format::Folded => report::folded(profile, symbols, &folded, out),
        Format::Pprof => report::pprof(profile, symbols, out),
        Format::Speedscope => report::speedscope(profile, symbols, folded.threads, out),
        Format::Firefox => report::firefox(profile, symbols, out),
        Format::Chrome => report::chrome(profile, symbols, out),
        Format::Callgrind => report::callgrind(profile, symbols, folded.threads, out),
        Format::Json => report::json(profile, symbols, out),
        Format::Markdown => report::markdown(profile, symbols, out),
    }
}
