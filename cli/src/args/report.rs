//! `sigspy report`.

use clap::Args;

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
    #[command(flatten)]
    pub naming: Naming,
    /// Say how whole the stacks are, by module, and what would help, instead of what they show
    #[arg(long)]
    pub quality: bool,
    /// Exit with 1 if more than this share of the time has no whole stack, percent
    #[arg(long, value_name = "PERCENT")]
    pub fail_on_loss: Option<f64>,
}
