//! `sigspy merge`.

use std::path::PathBuf;

use clap::Args;

use super::Places;

pub const MERGE_HELP: &str = "\
Processes stay apart, equal code is one, and times follow one another in the order of the files.
CPU time is added as it is, whatever the rate; recordings of wall time go only with their like.";

#[derive(Debug, Args)]
pub struct Merge {
    /// The recordings
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    pub files: Vec<PathBuf>,
    /// The recording that they become
    #[arg(short, long, value_name = "FILE", default_value = "merged.sigspy")]
    pub output: PathBuf,
    #[command(flatten)]
    pub places: Places,
    /// Replace a file that sigspy did not write
    #[arg(long)]
    pub force: bool,
}
