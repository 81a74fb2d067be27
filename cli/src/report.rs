//! `sigspy report`: a recording as text.

use std::path::Path;

use sigspy_report::{self as report, TextOptions};

use crate::args::{By, Report};
use crate::error::Error;
use crate::named::{self, Named};
use crate::sink::{STDOUT, Sink};

/// Runs the command.
pub fn run(arguments: Report) -> Result<u8, Error> {
    let named = named::open(arguments.input)?;
    let quality = report::quality(&named.profile);
    let options = TextOptions {
        limit: arguments.limit,
        least_share: arguments.percent_limit / 100.0,
        ..TextOptions::default()
    };
    let mut sink = Sink::create(Path::new(STDOUT), false)?;
    let Named { profile, symbols } = named.named_as(&arguments.naming);
    if arguments.quality {
        report::quality_text(&profile, &quality, &options, &mut sink)?;
    } else if arguments.by.is_empty() {
        report::text(&profile, &symbols, &quality, &options, &mut sink)?;
    } else {
        let views: Vec<_> = arguments.by.into_iter().map(view).collect();
        report::tables(&profile, &symbols, &quality, &views, &options, &mut sink)?;
    }
    sink.finish("")?;
    let loss = quality.loss() * 100.0;
    match arguments.fail_on_loss {
        Some(most) if loss > most || most.is_nan() => Err(Error::Loss { loss, most }),
        _ => Ok(0),
    }
}

fn view(by: By) -> report::By {
    match by {
        By::Function => report::By::Function,
        By::Crate => report::By::Crate,
        By::Module => report::By::Module,
        By::File => report::By::File,
        By::Line => report::By::Line,
        By::Thread => report::By::Thread,
        By::Process => report::By::Process,
    }
}
