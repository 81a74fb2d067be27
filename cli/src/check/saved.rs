//! A result that was written before.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use sigspy_compare::check::{CheckResult, SCHEMA};

use crate::error::Error;

/// Bytes of a file; more is no result.
const LARGEST: u64 = 256 << 20;

/// What all versions have.
#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

/// Reads what `--json` has written. Fails if that is damaged, something else, or of another version.
pub fn read(path: &Path) -> Result<CheckResult, Error> {
    let text = read_text(path).map_err(|error| Error::ReadResult(path.into(), error))?;
    let no_result = |error| Error::NoResult(path.into(), error);
    let Versioned { schema } = serde_json::from_slice(&text).map_err(no_result)?;
    if schema != SCHEMA {
        return Err(Error::ResultVersion { path: path.into(), schema });
    }
    serde_json::from_slice(&text).map_err(no_result)
}

fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 256 MiB"));
    }
    Ok(text)
}
