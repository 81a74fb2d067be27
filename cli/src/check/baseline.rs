//! Runs that are kept for later ones to be compared with: a folder of recordings, and a file that
//! says what was run, and where.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use sigspy_compare::check::{CheckedSide, Runner};

use super::runs::Run;
use crate::error::Error;
use crate::output;

/// Version of the folder.
const SCHEMA: u32 = 1;
/// The file that describes the folder.
const DESCRIPTION: &str = "baseline.json";
/// Bytes of that file; more is no description.
const LARGEST: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Description {
    schema: u32,
    side: CheckedSide,
    runner: Runner,
    /// How much was done in each run, where the program says so.
    work: Vec<Option<f64>>,
}

/// What was kept.
pub struct Baseline {
    pub side: CheckedSide,
    pub runner: Runner,
    pub runs: Vec<Run>,
}

/// Reads a folder; `None` if there is none.
pub fn read(folder: &Path) -> Result<Option<Baseline>, Error> {
    let path = folder.join(DESCRIPTION);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
            return Ok(None);
        }
        Err(error) => return Err(Error::ReadResult(path, error)),
    };
    let description: Description =
        serde_json::from_slice(&text).map_err(|error| Error::NoResult(path.clone(), error))?;
    let Description { schema, side, runner, work } = description;
    if schema != SCHEMA {
        return Err(Error::ResultVersion { path, schema });
    }
    let is_amount = |work: &f64| work.is_finite() && *work > 0.0;
    if work.is_empty() || !work.iter().flatten().all(is_amount) {
        let problem = "it has no runs, or their work is not above 0";
        return Err(Error::NoResult(path, serde_json::Error::custom(problem)));
    }
    let run = |(index, work)| Run::read(&recording(folder, index), work);
    let runs = work.into_iter().enumerate().map(run).collect::<Result<_, _>>()?;
    Ok(Some(Baseline { side, runner, runs }))
}

/// Whether a folder is a baseline.
pub fn is_there(folder: &Path) -> bool {
    folder.join(DESCRIPTION).is_file()
}

/// Fails if a folder has something else in it, which would be mixed up with what is kept.
pub fn check_room(folder: &Path) -> Result<(), Error> {
    let is_empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    match folder.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) if is_there(folder) || is_empty() => Ok(()),
        Ok(_) => Err(Error::NoBaseline(folder.into())),
    }
}

/// Keeps runs in a folder, in place of those that it had.
pub fn write<'a>(
    folder: &Path,
    side: CheckedSide,
    runner: Runner,
    runs: impl Iterator<Item = &'a Run> + Clone,
) -> Result<(), Error> {
    let failed = |error| Error::Create(folder.into(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    remove_old(folder).map_err(failed)?;
    for (index, run) in runs.clone().enumerate() {
        run.write(output::create(&recording(folder, index), false)?).map_err(failed)?;
    }
    let work = runs.map(Run::work).collect();
    let description = Description { schema: SCHEMA, side, runner, work };
    let mut file = output::create(&folder.join(DESCRIPTION), false)?;
    serde_json::to_writer_pretty(&mut file, &description).map_err(|error| failed(error.into()))?;
    writeln!(file).map_err(failed)
}

/// Removes what [`write`] has written. The description goes first: what has none is no baseline.
fn remove_old(folder: &Path) -> io::Result<()> {
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    let recordings = (0..).map(|index| recording(folder, index)).take_while(|path| is_there(path));
    let description = Some(folder.join(DESCRIPTION)).filter(|path| is_there(path));
    description.into_iter().chain(recordings).try_for_each(fs::remove_file)
}

fn recording(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("run-{}.sigspy", index + 1))
}

fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
    Ok(text)
}
