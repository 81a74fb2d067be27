//! `sigspy flamegraph`: a picture, of a program that is run for it, or of a recording.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sigspy_report::{self as report, FlameOptions};

use crate::args::Flamegraph;
use crate::error::Error;
use crate::sink::{STDOUT, Sink};
use crate::{message, named, output, record};

/// Runs the command.
pub fn run(arguments: Flamegraph) -> Result<u8, Error> {
    let path = arguments.output.unwrap_or_else(|| "flamegraph.svg".into());
    let mut sink = Sink::create(&path, arguments.sampling.force)?;
    let mut ended = None;
    let named = match arguments.input {
        Some(input) => named::read_aloud(&input)?,
        None => {
            let recording = beside(&path, &arguments.command);
            let sampling = &arguments.sampling;
            let recorded = record::record_as_latest(sampling, &recording, arguments.command)?;
            if let Some(diagnosis) = recorded.diagnosis {
                return Err(Error::NoSamples(diagnosis));
            }
            ended = Some(recorded.ended);
            recorded.named
        }
    };
    let options =
        FlameOptions { title: arguments.title, subtitle: None, threads: arguments.threads };
    report::flamegraph(&named.profile, &named.symbols, &options, &mut sink)?;
    sink.finish(output::SVG_MARK)?;
    if path != Path::new(STDOUT) {
        message::note(&format!("wrote {}", path.display()));
    }
    Ok(ended.map_or(0, |ended| ended.exit_code()))
}

/// Where the recording behind a flame graph goes.
fn beside(graph: &Path, command: &[OsString]) -> PathBuf {
    match graph.to_str() {
        Some(STDOUT) => output::default_recording(Path::new(&command[0])),
        _ => graph.with_extension("sigspy"),
    }
}
