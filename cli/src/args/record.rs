//! `sigspy record`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::Sampling;

pub const RECORD_HELP: &str = "\
Examples:
  sigspy record -- ./server --port 8080
  sigspy record -F 997 -o build.sigspy -- cargo build

The exit status is the program's (128 + signal if it was killed); 125 if sigspy itself failed,
126 if the program cannot be executed, 127 if it was not found. The first Ctrl-C belongs to the
program, the second ends the recording, the third aborts. SIGUSR1 to sigspy pauses the recording,
or lets it go on.";

#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    pub sampling: Sampling,
    /// Where to write the recording [default: sigspy-PROGRAM-TIME.sigspy]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
