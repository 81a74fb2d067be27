//! `sigspy import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sigspy_import::Unit;

pub const IMPORT_HELP: &str = "\
Examples:
  perf script | sigspy import - -o app.sigspy
  sigspy import cpu.pb.gz
  sigspy import stacks.folded --unit 10ms      (counts of samples at 100 Hz)

The recording has the names that were in the file; report, flamegraph and export show it as any other.";

#[derive(Debug, Args)]
pub struct Import {
    /// The file, `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Its format [default: what it looks like]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: Option<Source>,
    /// What one stands for where numbers have no unit (such as 1us, or 10ms for samples at 100 Hz)
    #[arg(long, value_name = "TIME", default_value = "1us")]
    pub unit: Unit,
    /// The recording [default: the name of the file, with .sigspy, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that sigspy did not write
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// One line for each stack, as flame graph tools have it
    Folded,
    /// Profiles of pprof, gzipped or not
    Pprof,
    /// The text that `perf script` writes
    Perf,
}
