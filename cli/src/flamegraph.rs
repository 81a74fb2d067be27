//! `sigspy flamegraph`: a picture, of a program that is run for it, or of a recording.

use std::path::{Path, PathBuf};

use crate::args::{Drawing, Flamegraph, Sampling};
use crate::drawing::draw;
use crate::error::Error;
use crate::record::Program;
use crate::sink::{STDOUT, Sink};
use crate::{named, output, record, sources};

/// Runs the command.
pub fn run(arguments: Flamegraph) -> Result<u8, Error> {
    let Flamegraph { sampling, output, input, drawing, command } = arguments;
    let path = output.unwrap_or_else(|| "flamegraph.svg".into());
    if let Some(input) = input {
        let sink = Sink::create(&path, sampling.force)?;
        let named = named::read_aloud(&input, sources::of(&sampling.places))?;
        draw(named, drawing, sink, &path)?;
        return Ok(0);
    }
    draw_program(command.into(), &sampling, drawing, &path)
}

/// Runs a program, draws what it did, and returns its exit status.
pub fn draw_program(
    program: Program,
    sampling: &Sampling,
    drawing: Drawing,
    path: &Path,
) -> Result<u8, Error> {
    let sink = Sink::create(path, sampling.force)?;
    let recording = beside(path, Path::new(&program.argv[0]));
    let recorded = record::record_as_latest(sampling, &recording, program)?;
    if let Some(diagnosis) = recorded.diagnosis {
        return Err(Error::NoSamples(diagnosis));
    }
    let (named, ended) = recorded.into_named(sampling);
    draw(named, drawing, sink, path)?;
    Ok(ended.exit_code())
}

/// Where the recording behind a flame graph goes.
pub fn beside(graph: &Path, program: &Path) -> PathBuf {
    match graph.to_str() {
        Some(STDOUT) => output::default_recording(program),
        _ => graph.with_extension("sigspy"),
    }
}
