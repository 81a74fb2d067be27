//! `sigspy diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Comparing, Places};

pub const DIFF_HELP: &str = "\
Examples:
  sigspy diff old.sigspy new.sigspy
  sigspy diff --base old-*.sigspy --new new-*.sigspy
  sigspy diff old-runs/ new-runs/ --format flamegraph -o diff.svg

One run on each side shows differences, several tell which of them are more than noise.";

#[derive(Debug, Args)]
pub struct Diff {
    /// The recording before, or a folder of recordings of several runs
    #[arg(value_name = "BASE", required_unless_present = "bases", conflicts_with = "bases")]
    pub base: Option<PathBuf>,
    /// The recording after, or a folder
    #[arg(value_name = "NEW", required_unless_present = "news", conflicts_with = "news")]
    pub new: Option<PathBuf>,
    /// Recordings before, one of each run
    #[arg(long = "base", value_name = "FILE", num_args = 1.., requires = "news")]
    pub bases: Vec<PathBuf>,
    /// Recordings after, one of each run
    #[arg(long = "new", value_name = "FILE", num_args = 1.., requires = "bases")]
    pub news: Vec<PathBuf>,
    /// How much was done in each run before, in any unit, if that is not the same after [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = work, required_if_eq("normalize", "work"))]
    pub base_work: Option<f64>,
    /// How much was done in each run after [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = work, required_if_eq("normalize", "work"))]
    pub new_work: Option<f64>,
    #[command(flatten)]
    pub comparing: Comparing,
    #[command(flatten)]
    pub places: Places,
    /// The format
    #[arg(short, long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// Which side gives the frames of the flame graph their widths
    #[arg(long, value_enum, default_value_t = Layout::Union)]
    pub layout: Layout,
    /// Rows of the table
    #[arg(short = 'n', long, default_value_t = 30, value_name = "ROWS")]
    pub limit: usize,
    /// Where to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// A table for the terminal
    Text,
    /// A table for a comment
    Markdown,
    /// All that is known
    Json,
    /// An image: red is more time, blue is less
    Flamegraph,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// The larger of both: what vanished is there, too
    Union,
    /// The one before
    Base,
    /// The one after
    New,
}

fn work(text: &str) -> Result<f64, String> {
    let work = text.parse().ok().filter(|work: &f64| work.is_finite() && *work > 0.0);
    work.ok_or_else(|| "a number above 0".to_owned())
}
