//! `sigspy import`: a recording out of what another tool has written.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use sigspy_import::{Format, Imported, Options, Unit, import};

use crate::args::{Import, Source};
use crate::error::Error;
use crate::named::Named;
use crate::sink::STDOUT;
use crate::{made, message};

/// Runs the command.
pub fn run(arguments: &Import) -> Result<u8, Error> {
    let file = &arguments.file;
    let Named { profile, symbols } = open(file, arguments.from.map(Format::from), arguments.unit)?;
    let output = arguments.output.clone().unwrap_or_else(|| beside(&name(file)));
    made::write(&profile, &symbols, &output, arguments.force)?;
    Ok(0)
}

/// Reads what another tool has written, and says what it lacks. `format` is what it looks like if
/// `None`.
pub fn open(file: &Path, format: Option<Format>, unit: Unit) -> Result<Named, Error> {
    let bytes = read(file).map_err(|error| Error::Read(file.into(), error))?;
    let options = Options { format, unit, name: name(file) };
    let imported = import(&bytes, &options);
    let Imported { profile, symbols, notes } =
        imported.map_err(|error| Error::Import(file.into(), error))?;
    notes.iter().for_each(|note| message::warning(note));
    Ok(Named { profile, symbols })
}

/// All of a file, or of standard input.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path == Path::new(STDOUT) {
        true => stdin().lock().read_to_end(&mut bytes)?,
        false => File::open(path)?.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// What the recording is said to be of.
fn name(file: &Path) -> String {
    match file.file_name() {
        Some(name) if file != Path::new(STDOUT) => name.to_string_lossy().into_owned(),
        _ => "imported".to_owned(),
    }
}

/// The recording of a file of this name: `out.pb.gz` becomes `out.sigspy`.
fn beside(name: &str) -> PathBuf {
    const ENDS: [&str; 7] = [".pb.gz", ".gz", ".pb", ".pprof", ".folded", ".collapsed", ".txt"];
    let stem = ENDS.iter().find_map(|end| name.strip_suffix(end)).filter(|stem| !stem.is_empty());
    format!("{}.sigspy", stem.unwrap_or(name)).into()
}

impl From<Source> for Format {
    fn from(source: Source) -> Self {
        match source {
            Source::Folded => Self::Folded,
            Source::Pprof => Self::Pprof,
            Source::Perf => Self::Perf,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_after_the_file() {
        let of = |file: &str| beside(&name(Path::new(file))).display().to_string();
        assert_eq!(of("/tmp/out.pb.gz"), "out.sigspy");
        assert_eq!(of("out.perf.txt"), "out.perf.sigspy");
        assert_eq!(of("-"), "imported.sigspy");
        assert_eq!(of("profile"), "profile.sigspy");
    }
}
