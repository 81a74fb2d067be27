//! What of a workspace is run: one program.

use clap::{Args, ValueEnum};

/// One program of a workspace; the default is what `cargo run` runs.
#[derive(Debug, Default, Args)]
pub struct Target {
    #[command(flatten)]
    pub choice: Choice,
    /// Unit tests of a library, or of a binary
    #[arg(long, value_enum, value_name = "KIND")]
    pub unit_test_kind: Option<UnitKind>,
}

/// At most one of these.
#[derive(Debug, Default, Args)]
#[group(id = "choice", multiple = false)]
pub struct Choice {
    /// A binary
    #[arg(short, long, value_name = "NAME")]
    pub bin: Option<String>,
    /// An example
    #[arg(long, value_name = "NAME")]
    pub example: Option<String>,
    /// An integration test
    #[arg(long, value_name = "NAME")]
    pub test: Option<String>,
    /// A benchmark, which is told so by `--bench`
    #[arg(long, value_name = "NAME")]
    pub bench: Option<String>,
    /// Unit tests of a library or binary; of the only one there is, if no name is given
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub unit_test: Option<Option<String>>,
    /// Benchmarks inside of a library or binary
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub unit_bench: Option<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnitKind {
    Lib,
    Bin,
}
