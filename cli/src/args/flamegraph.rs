//! `sigspy flamegraph`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::Sampling;

pub const FLAMEGRAPH_HELP: &str = "\
Examples:
  sigspy flamegraph -o flame.svg -- xz -9 -k -c some-big-file
  sigspy flamegraph -i build.sigspy

The recording is kept beside the flame graph, for `sigspy report` and `sigspy export`.";

#[derive(Debug, Args)]
pub struct Flamegraph {
    #[command(flatten)]
    pub sampling: Sampling,
    /// Where to write the flame graph, `-` for standard output [default: flamegraph.svg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw this recording instead of running a program
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub input: Option<PathBuf>,
    /// Title of the flame graph [default: the command line]
    #[arg(long)]
    pub title: Option<String>,
    /// Start each stack with its thread
    #[arg(short, long)]
    pub threads: bool,
    /// The program and its arguments
    #[arg(required_unless_present = "input", trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
