//! `sigspy symbolize`.

use std::path::PathBuf;

use clap::Args;

use super::Input;

pub const SYMBOLIZE_HELP: &str = "\
Examples:
  sigspy record --symbols later -o app.sigspy -- ./app     (on one machine)
  sigspy symbolize app.sigspy --symbol-dir build/symbols   (on another)

Debug information is looked for in the files themselves, in --symbol-dir, in /usr/lib/debug and, if
DEBUGINFOD_URLS is set, on debuginfod servers. What has another build-id is not used.";

#[derive(Debug, Args)]
pub struct Symbolize {
    #[command(flatten)]
    pub input: Input,
    /// Write a copy with names [default: the names are added to the recording itself]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Look the names up again if the recording has some
    #[arg(long)]
    pub renew: bool,
    /// Replace a file that sigspy did not write
    #[arg(long)]
    pub force: bool,
}
