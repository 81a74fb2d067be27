//! A recording that is put together, not recorded.

use std::io::{IsTerminal, stdout};
use std::path::Path;

use sigspy_model::{Profile, Symbols};
use sigspy_report as report;

use crate::error::Error;
use crate::message;
use crate::sink::{STDOUT, Sink};

/// Writes it with the names of its functions, and says what is in it.
pub fn write(profile: &Profile, symbols: &Symbols, path: &Path, force: bool) -> Result<(), Error> {
    let is_stdout = path == Path::new(STDOUT);
    if is_stdout && stdout().is_terminal() {
        return Err(Error::BinaryToTerminal);
    }
    let sink = Sink::create(path, force)?;
    let written = sigspy_collector::write(profile, Some(symbols), sink);
    written.map_err(|error| Error::Create(path.into(), error))?.finish("")?;
    let quality = report::quality(profile);
    message::note(&match is_stdout {
        true => quality.to_string(),
        false => format!("{quality}; wrote {}", path.display()),
    });
    Ok(())
}
