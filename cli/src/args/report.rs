//! `sigspy report`.

use clap::{Args, ValueEnum};

use super::{Input, Naming};

#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub input: Input,
    /// Rows of each table
    #[arg(short = 'n', long, default_value_t = 30, value_name = "ROWS")]
    pub limit: usize,
    /// Leave functions out of the call tree that take less than this share, percent
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT")]
    pub percent_limit: f64,
    /// What to add the time up by, instead of the usual report (several with commas)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub by: Vec<By>,
    #[command(flatten)]
    pub naming: Naming,
    /// Say how whole the stacks are, by module, and what would help, instead of what they show
    #[arg(long)]
    pub quality: bool,
    /// Exit with 1 if more than this share of the time has no whole stack, percent
    #[arg(long, value_name = "PERCENT")]
    pub fail_on_loss: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Functions, inlined or not
    #[value(alias = "fn")]
    Function,
    /// Crates with their versions; other code by its module
    Crate,
    /// Executables and libraries
    #[value(alias = "dso")]
    Module,
    /// Source files
    File,
    /// Source lines, for callers those of the calls
    Line,
    /// Threads
    Thread,
    /// Programs, all processes of one together
    Process,
}
