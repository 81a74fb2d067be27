//! Why there is no report.

use std::{error, fmt, io};

/// What kept a report from being written.
#[derive(Debug)]
pub enum Error {
    /// The writer failed.
    Write(io::Error),
    /// The profile has no stack to draw.
    NoSamples,
    /// The flame graph cannot be drawn; a defect of sigspy.
    Draw(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(_) => f.write_str("cannot write the report; make room where it goes"),
            Self::NoSamples => {
                f.write_str("there are no samples to draw; record for longer, or at a higher rate")
            }
            Self::Draw(_) => f.write_str(
                "the flame graph cannot be drawn, which is a defect of sigspy; \
                 use another format, and please report it",
            ),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Write(error) | Self::Draw(error) => Some(error),
            Self::NoSamples => None,
        }
    }
}

impl From<serde_json::Error> for Error {
    /// What is written has a form in JSON, so it is the writer that failed.
    fn from(error: serde_json::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
