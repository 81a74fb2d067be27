//! Which recording to read.

use std::path::PathBuf;

use clap::Args;

use super::Places;

#[derive(Debug, Args)]
pub struct Input {
    /// The recording [default: sigspy.sigspy, the last one made here]
    #[arg(value_name = "FILE", conflicts_with = "input")]
    pub file: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "FILE", hide = true)]
    pub input: Option<PathBuf>,
    #[command(flatten)]
    pub places: Places,
}
