//! `sigspy merge`: one recording of several.

use sigspy_model::{Profile, Symbols, merge};

use crate::args::Merge;
use crate::error::Error;
use crate::made;
use crate::named::{self, Named};
use crate::sources;

/// Runs the command.
pub fn run(arguments: &Merge) -> Result<u8, Error> {
    let read = |file| -> Result<(Profile, Symbols), Error> {
        let Named { profile, symbols } = named::read(file, sources::of(&arguments.places))?;
        Ok((profile, symbols))
    };
    let parts: Result<Vec<_>, Error> = arguments.files.iter().map(|file| read(file)).collect();
    let (profile, symbols) = merge(parts?)?;
    made::write(&profile, &symbols, &arguments.output, arguments.force)?;
    Ok(0)
}
