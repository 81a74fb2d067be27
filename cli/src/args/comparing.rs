//! When a difference counts: the flags of all commands that compare.

use clap::{Args, ValueEnum};

/// When a difference counts.
#[derive(Clone, Debug, Args)]
pub struct Comparing {
    /// Changes of a function up to this one do not count, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    pub min_effect: f64,
    /// A change must cost at least this share of the whole CPU time, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.2, value_parser = percent)]
    pub min_cost: f64,
    /// How many of the functions that are called changed may be false, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    pub false_discoveries: f64,
    /// What makes runs comparable
    #[arg(long, value_enum, default_value_t = Normalize::Auto)]
    pub normalize: Normalize,
    /// Tell instances of generic functions and templates apart, and overloads, instead of adding them up
    #[arg(long)]
    pub mono: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Normalize {
    /// The median of the ratios of all functions, if there are enough
    Auto,
    /// The CPU time of the run: shares are compared
    Cpu,
    /// Nothing: CPU seconds are compared
    None,
    /// The work that was done in the run
    Work,
}

pub fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=1000.0).contains(percent));
    percent.ok_or_else(|| "a number of percent".to_owned())
}
