//! `sigspy export`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Input, Naming};

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub input: Input,
    /// The format [default: what the name of the output ends in; folded for standard output]
    #[arg(short, long, value_enum)]
    pub format: Option<Format>,
    /// What the numbers of folded stacks count [default: us]
    #[arg(long, value_enum)]
    pub unit: Option<Unit>,
    /// Keep threads apart, where a format can but does not have to: name-pid/tid
    #[arg(short, long)]
    pub threads: bool,
    #[command(flatten)]
    pub naming: Naming,
    /// Where to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line for each stack: root first, `;` between frames, the count last (.folded)
    Folded,
    /// For `go tool pprof` and others, gzipped (.pb.gz)
    Pprof,
    /// For speedscope.app (.speedscope.json)
    Speedscope,
    /// For profiler.firefox.com (.firefox.json)
    Firefox,
    /// Trace events, for Perfetto and chrome://tracing (.trace.json)
    Chrome,
    /// For KCachegrind and callgrind_annotate (callgrind.out.*, .callgrind)
    Callgrind,
    /// All there is, for programs of your own: docs/json.md (.json)
    Json,
    /// A short summary, for comments and summaries of jobs (.md)
    Markdown,
}

/// Ends of names, the longer ones first.
const ENDS: [(&str, Format); 14] = [
    (".speedscope.json", Format::Speedscope),
    (".firefox.json", Format::Firefox),
    (".profile.json", Format::Firefox),
    (".chrome.json", Format::Chrome),
    (".trace.json", Format::Chrome),
    (".json", Format::Json),
    (".pb.gz", Format::Pprof),
    (".pprof", Format::Pprof),
    (".callgrind", Format::Callgrind),
    (".folded", Format::Folded),
    (".collapsed", Format::Folded),
    (".txt", Format::Folded),
    (".markdown", Format::Markdown),
    (".md", Format::Markdown),
];

impl Format {
    /// The one that a file of this name is expected to have.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        if name.starts_with("callgrind.out") {
            return Some(Self::Callgrind);
        }
        ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| *format)
    }

    /// It is not for a terminal.
    pub fn is_binary(self) -> bool {
        self == Self::Pprof
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Signals that were delivered
    Ticks,
    /// Microseconds of CPU time
    Us,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_tells_its_format() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("out/App.PB.GZ"), Some(Format::Pprof));
        assert_eq!(of("app.speedscope.json"), Some(Format::Speedscope));
        assert_eq!(of("app.json"), Some(Format::Json));
        assert_eq!(of("callgrind.out.7"), Some(Format::Callgrind));
        assert_eq!(of("app.trace.json"), Some(Format::Chrome));
        assert_eq!(of("app.out"), None);
        assert_eq!(of("/dev/stdout"), None);
    }
}
