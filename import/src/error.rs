//! Why a file cannot be read.

use std::{error, fmt, io};

use crate::Format;

#[derive(Debug)]
pub enum Error {
    /// It has none of the formats that are read.
    UnknownFormat,
    /// What `perf record` writes.
    PerfData,
    /// What `sigspy record` writes.
    Recording,
    /// There is no sample in it.
    Empty(Format),
    /// A line, from 1, that is not what the format has there.
    BadLine { line: usize, problem: &'static str },
    /// It cannot be unpacked.
    Gzip(io::Error),
    /// It unpacks to more than so many times its size.
    Bomb { times: usize },
    /// Not what the format has; the text says what.
    BadPprof(&'static str),
    /// Values of these kinds cannot be taken for time.
    NoTime(Vec<String>),
    /// A difference of two profiles has such values.
    Negative,
    /// More time than sigspy counts: 146 years.
    TooMuchTime,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat => f.write_str(
                "this is none of the formats that sigspy imports; make folded stacks, pprof, or the \
                 output of `perf script`, and say which with --from if it was not recognized",
            ),
            Self::PerfData => f.write_str(
                "this is a file of `perf record`; run `perf script -i FILE > FILE.txt` and import \
                 its output",
            ),
            Self::Recording => {
                f.write_str("this is a recording of sigspy already; use it as it is")
            }
            Self::Empty(format) => {
                write!(f, "there are no samples in it; is it really {}?", name(*format))
            }
            Self::BadLine { line, problem } => write!(
                f,
                "line {line} {problem}; name the format with --from if it was not recognized"
            ),
            Self::Gzip(_) => f.write_str("it cannot be unpacked; make the file again"),
            Self::Bomb { times } => write!(
                f,
                "it unpacks to more than {times} times its size; if that is as it should be, unpack \
                 it with gunzip and import the result"
            ),
            Self::BadPprof(problem) => write!(f, "it is no valid pprof profile: {problem}"),
            Self::NoTime(kinds) => write!(
                f,
                "its values are {}, and none of them is time; export a CPU profile",
                kinds.join(", ")
            ),
            Self::Negative => f.write_str(
                "it has negative values, as a difference of two profiles does; import the two",
            ),
            Self::TooMuchTime => f.write_str(
                "its samples are more than a hundred years together; say with --unit what one stands \
                 for",
            ),
        }
    }
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Folded => "folded stacks",
        Format::Pprof => "pprof",
        Format::Perf => "the output of `perf script`",
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Gzip(error) => Some(error),
            _ => None,
        }
    }
}
