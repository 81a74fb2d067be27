//! A profile with the names of its functions: from a recording that has them, or looked up now.

use std::path::{Path, PathBuf};

use sigspy_collector::Recording;
use sigspy_model::{Profile, Symbols};
use sigspy_report as report;

use crate::args::{Input, Naming};
use crate::error::Error;
use crate::{message, output};

/// What every report is made of.
pub struct Named {
    pub profile: Profile,
    pub symbols: Symbols,
}

impl Named {
    /// With the names that were asked for.
    pub fn named_as(self, naming: &Naming) -> Self {
        let Self { profile, symbols } = self;
        let symbols = if naming.no_inline { symbols.without_inlined() } else { symbols };
        Self { profile, symbols }
    }
}

/// The recording that is meant.
pub fn path_of(input: Input) -> Result<PathBuf, Error> {
    match input.file.or(input.input) {
        Some(path) => Ok(path),
        None if Path::new(output::LATEST).exists() => Ok(output::LATEST.into()),
        None => Err(Error::NoRecording),
    }
}

/// Reads a recording, and says what is wrong with it, for formats that have no room for that.
pub fn read_aloud(path: &Path) -> Result<Named, Error> {
    let named = read(path)?;
    report::quality(&named.profile).warnings().iter().for_each(|text| message::warning(text));
    Ok(named)
}

/// Reads a recording.
pub fn read(path: &Path) -> Result<Named, Error> {
    let Recording { profile, symbols } = sigspy_collector::read(path)?;
    let symbols = symbols.unwrap_or_else(|| look_up(&profile));
    Ok(Named { profile, symbols })
}

/// Looks up the frames of all locations. Shows progress on a terminal if it takes a while.
pub fn look_up(profile: &Profile) -> Symbols {
    let bar = message::progress("reading symbols");
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let Profile { modules, locations, code_names, .. } = profile;
    let symbolized = sigspy_symbolizer::symbolize(modules, locations, code_names, &progress);
    bar.finish_and_clear();
    symbolized.problems.iter().for_each(|problem| message::detail(&message::with_causes(problem)));
    symbolized.symbols
}
