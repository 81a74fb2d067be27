//! `sigspy report`: a recording as text.

use std::path::Path;

use sigspy_report::{self as report, TextOptions};

use crate::args::Report;
use crate::error::Error;
use crate::named::{self, Named};
use crate::sink::{STDOUT, Sink};

/// Runs the command.
pub fn run(arguments: Report) -> Result<u8, Error> {
    let named = named::open(arguments.input)?;
    let Named { profile, symbols } = named.named_as(&arguments.naming);
    let options = TextOptions {
        limit: arguments.limit,
        least_share: arguments.percent_limit / 100.0,
        ..TextOptions::default()
    };
    let mut sink = Sink::create(Path::new(STDOUT), false)?;
    if arguments.quality {
        report::quality_text(&profile, &options, &mut sink)?;
    } else {
        report::text(&profile, &symbols, &options, &mut sink)?;
    }
    sink.finish("")?;
    let loss = report::quality(&profile).loss() * 100.0;
    match arguments.fail_on_loss {
        Some(most) if loss > most || most.is_nan() => Err(Error::Loss { loss, most }),
        _ => Ok(0),
    }
}
