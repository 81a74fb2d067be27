//! Runs as they are compared.

use std::path::{Path, PathBuf};

use sigspy_compare::stats::change::Settings;
use sigspy_compare::stats::sizes::Normalization;
use sigspy_compare::{Generics, Input, Naming, Options};
use sigspy_import::Unit;

use crate::args::{Comparing, Normalize, Places};
use crate::error::Error;
use crate::named::{self, Named};
use crate::{import, output, sources};

/// Ends recordings, in folders of them.
const RECORDING: &str = "sigspy";

/// What the flags say.
pub fn options(comparing: &Comparing) -> Options {
    let normalization = match comparing.normalize {
        Normalize::Auto => Normalization::Auto,
        Normalize::Cpu => Normalization::Cpu,
        Normalize::None => Normalization::None,
        Normalize::Work => Normalization::Work,
    };
    let generics = if comparing.mono { Generics::Keep } else { Generics::Merge };
    Options {
        naming: Naming { generics, ..Naming::default() },
        functions: Settings {
            normalization,
            least_effect: comparing.min_effect / 100.0,
            least_cost: comparing.min_cost / 100.0,
            false_discoveries: comparing.false_discoveries / 100.0,
            ..Settings::default()
        },
        ..Options::default()
    }
}

/// Reads the recordings of a side, or what other tools have written. A folder stands for all
/// recordings that are in it.
pub fn read(paths: &[PathBuf], places: &Places) -> Result<Vec<Named>, Error> {
    let mut runs = Vec::new();
    for path in paths {
        for file in files(path)? {
            let is_foreign = file.is_file() && !output::is_recording(&file);
            runs.push(match is_foreign {
                true => import::open(&file, None, Unit::default())?,
                false => named::read(&file, sources::of(places))?,
            });
        }
    }
    Ok(runs)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let unreadable = |error| Error::Folder(path.into(), error);
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        // The link to the last recording is a recording that is there already.
        let is_link = file.is_symlink();
        if !is_link && file.extension().is_some_and(|extension| extension == RECORDING) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(Error::NoRecordings(path.into())) } else { Ok(files) }
}

/// Runs in which so much was done.
pub fn inputs(runs: &[Named], work: f64) -> Vec<Input<'_>> {
    runs.iter().map(|Named { profile, symbols }| Input { profile, symbols, work }).collect()
}
