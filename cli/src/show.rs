//! `sigspy flamegraph`, `report` and `export`: recordings for people and other programs.

use std::ffi::OsString;
use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use sigspy_model::{Profile, Symbols};
use sigspy_report::{self as report, FlameOptions, FoldedOptions, TextOptions, Unit};

use crate::args::{self, Export, Flamegraph, Format, Input, Report};
use crate::error::Error;
use crate::{message, output, record};

const STDOUT: &str = "-";

/// Runs `sigspy flamegraph`.
pub fn flamegraph(arguments: Flamegraph) -> Result<u8, Error> {
    let path = arguments.output.unwrap_or_else(|| "flamegraph.svg".into());
    let mut sink = Sink::create(&path, arguments.sampling.force)?;
    let mut recorded = None;
    let profile = match arguments.input {
        Some(input) => &read_aloud(&input)?,
        None => {
            let recording = beside(&path, &arguments.command);
            let sampling = &arguments.sampling;
            let mut made = record::record_as_latest(sampling, &recording, arguments.command)?;
            if let Some(diagnosis) = made.diagnosis.take() {
                return Err(Error::NoSamples(diagnosis));
            }
            &recorded.insert(made).profile
        }
    };
    let symbols = symbolize(profile);
    let options =
        FlameOptions { title: arguments.title, subtitle: None, threads: arguments.threads };
    report::flamegraph(profile, &symbols, &options, &mut sink)?;
    sink.finish(output::SVG_MARK)?;
    if path != Path::new(STDOUT) {
        message::note(&format!("wrote {}", path.display()));
    }
    Ok(recorded.map_or(0, |recorded| recorded.exit_code()))
}

/// Runs `sigspy report`.
pub fn text(arguments: Report) -> Result<u8, Error> {
    let profile = sigspy_collector::read(&path_of(arguments.input)?)?;
    let options = TextOptions {
        limit: arguments.limit,
        least_share: arguments.percent_limit / 100.0,
        ..TextOptions::default()
    };
    let mut sink = Sink::create(Path::new(STDOUT), false)?;
    if arguments.quality {
        report::quality_text(&profile, &options, &mut sink)?;
    } else {
        report::text(&profile, &symbolize(&profile), &options, &mut sink)?;
    }
    sink.finish("")?;
    let loss = report::quality(&profile).loss() * 100.0;
    match arguments.fail_on_loss {
        Some(most) if loss > most || most.is_nan() => Err(Error::Loss { loss, most }),
        _ => Ok(0),
    }
}

/// Runs `sigspy export`.
pub fn export(arguments: Export) -> Result<u8, Error> {
    let profile = read_aloud(&path_of(arguments.input)?)?;
    let mut sink = Sink::create(&arguments.output, arguments.force)?;
    let symbols = symbolize(&profile);
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

/// Where the recording behind a flame graph goes.
fn beside(graph: &Path, command: &[OsString]) -> PathBuf {
    match graph.to_str() {
        Some(STDOUT) => output::default_recording(Path::new(&command[0])),
        _ => graph.with_extension("sigspy"),
    }
}

fn path_of(input: Input) -> Result<PathBuf, Error> {
    match input.file.or(input.input) {
        Some(path) => Ok(path),
        None if Path::new(output::LATEST).exists() => Ok(output::LATEST.into()),
        None => Err(Error::NoRecording),
    }
}

/// Reads a recording for a format that has no room for warnings.
fn read_aloud(path: &Path) -> Result<Profile, Error> {
    let profile = sigspy_collector::read(path)?;
    report::quality(&profile).warnings().iter().for_each(|warning| message::warning(warning));
    Ok(profile)
}

fn symbolize(profile: &Profile) -> Symbols {
    let bar = message::progress("reading symbols");
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let Profile { modules, locations, code_names, .. } = profile;
    let symbolized = sigspy_symbolizer::symbolize(modules, locations, code_names, &progress);
    bar.finish_and_clear();
    symbolized.symbols
}

/// Standard output, or a file that is removed again if nothing becomes of it.
struct Sink {
    out: BufWriter<Box<dyn Write>>,
    /// Until it is finished.
    file: Option<PathBuf>,
}

impl Sink {
    fn create(path: &Path, force: bool) -> Result<Self, Error> {
        if path == Path::new(STDOUT) {
            return Ok(Self { out: BufWriter::new(Box::new(stdout())), file: None });
        }
        let file = output::create(path, force)?;
        Ok(Self { out: BufWriter::new(Box::new(file)), file: Some(path.into()) })
    }

    /// Writes `end` and what is still buffered.
    fn finish(mut self, end: &str) -> Result<(), Error> {
        let written = self.out.write_all(end.as_bytes()).and_then(|()| self.out.flush());
        match written {
            Ok(()) => self.file = None,
            Err(error) => {
                let path = self.file.clone().unwrap_or_else(|| STDOUT.into());
                return Err(Error::Create(path, error));
            }
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file); // why nothing became of it is what matters
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
