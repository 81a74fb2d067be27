//! `sigspy export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Input, Naming};

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub input: Input,
    /// The format
    #[arg(short, long, value_enum, default_value_t = Format::Folded)]
    pub format: Format,
    /// What the numbers count
    #[arg(long, value_enum, default_value_t = Unit::Us)]
    pub unit: Unit,
    /// Start each stack with its thread: name-pid/tid
    #[arg(short, long)]
    pub threads: bool,
    #[command(flatten)]
    pub naming: Naming,
    /// Where to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line for each stack: root first, `;` between frames, the count last
    Folded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Signals that were delivered
    Ticks,
    /// Microseconds of CPU time
    Us,
}
