//! A profile with the names of its functions: from a recording that has them, or looked up now.

use std::fs::File;
use std::path::{Path, PathBuf};

use sigspy_collector::Recording;
use sigspy_model::{Profile, Symbols};
use sigspy_report as report;
use sigspy_symbolizer::{Sources, Symbolized};

use crate::args::{Input, Naming};
use crate::error::Error;
use crate::{message, output, problems, sources};

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
        let symbols = if naming.full_names { symbols } else { report::readable(symbols) };
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

/// Reads the recording that is meant.
pub fn open(input: Input) -> Result<Named, Error> {
    let sources = sources::of(&input.places);
    read(&path_of(input)?, sources)
}

/// As [`open`], and says what is wrong with it, for formats that have no room for that.
pub fn open_aloud(input: Input) -> Result<Named, Error> {
    let sources = sources::of(&input.places);
    read_aloud(&path_of(input)?, sources)
}

/// Reads a recording, and says what is wrong with it, for formats that have no room for that.
pub fn read_aloud(path: &Path, sources: Sources) -> Result<Named, Error> {
    let named = read(path, sources)?;
    report::quality(&named.profile).warnings().iter().for_each(|text| message::warning(text));
    Ok(named)
}

/// Reads a recording. Names that it does not have are looked up.
pub fn read(path: &Path, sources: Sources) -> Result<Named, Error> {
    let Recording { profile, symbols } = sigspy_collector::read(path)?;
    let symbols = symbols.unwrap_or_else(|| look_up(&profile, sources));
    Ok(Named { profile, symbols })
}

/// Looks up the frames of all locations, and says what stood in the way. Shows progress on a
/// terminal if it takes a while.
pub fn look_up(profile: &Profile, mut sources: Sources) -> Symbols {
    let bar = message::progress("reading symbols");
    if let Some(servers) = &mut sources.servers {
        let bar = bar.clone();
        servers.progress = Box::new(move |bytes| {
            bar.set_message(format!("reading symbols, {} MiB fetched", bytes >> 20));
        });
    }
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let Symbolized { symbols, problems } = symbolize(profile, &sources, &progress);
    bar.finish_and_clear();
    problems.iter().for_each(|problem| message::detail(&message::with_causes(problem)));
    let sentences = problems::sentences(&problems, profile, sources.servers.as_ref());
    sentences.iter().for_each(|sentence| message::warning(sentence));
    symbols
}

/// As [`look_up`], without a word.
pub fn look_up_quietly(profile: &Profile, sources: &Sources) -> Symbols {
    symbolize(profile, sources, &|_, _| ()).symbols
}

fn symbolize(
    profile: &Profile,
    sources: &Sources,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Symbolized {
    let Profile { modules, locations, code_names, .. } = profile;
    sigspy_symbolizer::symbolize(modules, locations, code_names, sources, progress)
}

/// Adds names to a recording, so that reports need neither the program nor the time. On error it is as
/// it was.
pub fn append(path: &Path, symbols: &Symbols, profile: &Profile) -> Result<(), Error> {
    let failed = |error| Error::Create(path.into(), error);
    let file = File::options().append(true).open(path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?.len();
    let count = profile.locations.len();
    let appended = sigspy_collector::append_symbols(&file, symbols, count).map_err(failed);
    if appended.is_err() {
        let _ = file.set_len(before); // it is the write that failed
    }
    appended.map(drop)
}
