//! `sigspy flamegraph`: a picture, of a program that is run for it, or of a recording.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::args::Flamegraph;
use crate::drawing::draw;
use crate::error::Error;
use crate::sink::{STDOUT, Sink};
use crate::{named, output, record};

/// Runs the command.
pub fn run(arguments: Flamegraph) -> Result<u8, Error> {
    let Flamegraph { sampling, output, input, drawing, command } = arguments;
    let path = output.unwrap_or_else(|| "flamegraph.svg".into());
    let sink = Sink::create(&path, sampling.force)?;
    if let Some(input) = input {
        draw(named::read_aloud(&input)?, drawing, sink, &path)?;
        return Ok(0);
    }
    let recording = beside(&path, &command);
    let recorded = record::record_as_latest(&sampling, &recording, command)?;
    if let Some(diagnosis) = recorded.diagnosis {
        return Err(Error::NoSamples(diagnosis));
    }
    draw(recorded.named, drawing, sink, &path)?;
    Ok(recorded.ended.exit_code())
}

/// Where the recording behind a flame graph goes.
fn beside(graph: &Path, command: &[OsString]) -> PathBuf {
    match graph.to_str() {
        Some(STDOUT) => output::default_recording(Path::new(&command[0])),
        _ => graph.with_extension("sigspy"),
    }
}
