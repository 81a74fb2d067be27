//! `sigspy flamegraph`: a picture, of a program that is run for it, or of a recording.

use std::path::{Path, PathBuf};

use sigspy_collector::{check_program, find_program};

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
        let named = named::read_aloud(&input, sources::of(&sampling.places))?;
        let sink = Sink::create(&path, sampling.force)?;
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
    if program.place.is_none() {
        // Where there is nothing to run, the last flame graph stays where it is.
        check_program(&find_program(&program.argv[0])?)?;
    }
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

/// Where the recording behind a flame graph goes: nothing can be put beside a pipe or a device.
pub fn beside(graph: &Path, program: &Path) -> PathBuf {
    if graph == Path::new(STDOUT) || output::is_stream(graph) {
        return output::default_recording(program);
    }
    graph.with_extension("sigspy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_beside_its_flame_graph_if_that_is_a_file() {
        let recording = |graph| beside(Path::new(graph), Path::new("/bin/app"));
        assert_eq!(recording("nowhere/x.svg"), Path::new("nowhere/x.sigspy"));
        for stream in ["-", "/dev/null", "/dev/full"] {
            assert!(recording(stream).to_str().unwrap().starts_with("sigspy-app-"), "{stream}");
        }
    }
}
