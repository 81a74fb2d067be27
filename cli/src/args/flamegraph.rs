//! `sigspy flamegraph`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{Drawing, Sampling};

pub const FLAMEGRAPH_HELP: &str = "\
Examples:
  sigspy flamegraph -o flame.svg -- xz -9 -k -c some-big-file
  sigspy flamegraph build.sigspy

The recording is kept beside the flame graph, for `sigspy report` and `sigspy export`. A recording
in place of a command is drawn.";

#[derive(Debug, Args)]
pub struct Flamegraph {
    #[command(flatten)]
    pub sampling: Sampling,
    /// Where to write the flame graph, `-` for standard output [default: flamegraph.svg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw this recording instead of running a program
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub input: Option<PathBuf>,
    /// The program and its arguments, or a recording
    #[arg(required_unless_present = "input", trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    // Last, as its heading is that of all that follows.
    #[command(flatten)]
    pub drawing: Drawing,
}
