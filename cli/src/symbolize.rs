//! `sigspy symbolize`: a recording gets the names of its functions, or others than it has.

use std::io::Write;
use std::path::Path;

use sigspy_collector::{self as collector, Recording};
use sigspy_model::Shortfall;

use crate::args::Symbolize;
use crate::error::Error;
use crate::sink::{STDOUT, Sink};
use crate::{message, named, sources};

/// Runs the command.
pub fn run(arguments: Symbolize) -> Result<u8, Error> {
    let sources = sources::of(&arguments.input.places);
    let path = named::path_of(arguments.input)?;
    let Recording { profile, symbols } = collector::read(&path)?;
    let known = symbols.filter(|_| !arguments.renew);
    if known.is_some() && arguments.output.is_none() {
        message::note(&format!("{} has names already; look again with --renew", path.display()));
        return Ok(0);
    }
    if arguments.output.is_none() {
        let is_damaged = |shortfall: &Shortfall| matches!(shortfall, Shortfall::Damaged { .. });
        if profile.shortfalls.iter().any(is_damaged) {
            return Err(Error::DamagedRecording(path));
        }
        // What came behind a torn chunk would make it a damaged one.
        if profile.shortfalls.contains(&Shortfall::CutShort) {
            return Err(Error::UnfinishedRecording(path));
        }
    }
    let symbols = known.unwrap_or_else(|| named::look_up(&profile, sources));
    let written = match &arguments.output {
        None => {
            named::append(&path, &symbols, &profile)?;
            &path
        }
        Some(output) => {
            let mut sink = Sink::create(output, arguments.force)?;
            let copy = collector::write(&profile, Some(&symbols), &mut sink);
            copy.map_err(|error| Error::Create(output.clone(), error))?.flush().ok();
            sink.finish("")?;
            output
        }
    };
    if written != Path::new(STDOUT) {
        message::note(&format!("wrote {}", written.display()));
    }
    Ok(0)
}
