//! `cargo sigspy test` and `cargo sigspy bench`: all that cargo would run, not one program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{Build, Drawing, Sampling};

const TEST_HELP: &str = "\
Examples:
  cargo sigspy test --per-test
  cargo sigspy test --per-test -F 997 parser::
  cargo sigspy test --test it -- --ignored

The exit status is cargo's: 101 if a test fails. Documentation tests are not run.";

const BENCH_HELP: &str = "\
Examples:
  cargo sigspy bench
  cargo sigspy bench --bench parse -- --profile-time 10

Stacks of Criterion's and libtest's benchmarks begin where what is measured is called. With
--profile-time, Criterion spends its time in the benchmark alone.";

#[derive(Debug, Args)]
#[command(mut_arg("rate", |rate| rate.short_alias(None)), after_help = TEST_HELP)]
pub struct CargoTest {
    /// Run tests with such a name only
    #[arg(value_name = "FILTER")]
    pub filter: Option<OsString>,
    /// List the tests with the most CPU time and their hottest functions, instead of drawing
    #[arg(long)]
    pub per_test: bool,
    /// Rows of the list
    #[arg(short = 'n', long, default_value_t = 20, value_name = "ROWS", requires = "per_test")]
    pub limit: usize,
    /// Tests of the library
    #[arg(long, help_heading = "What to run")]
    pub lib: bool,
    /// Tests of all binaries
    #[arg(long, help_heading = "What to run")]
    pub bins: bool,
    /// Tests of a binary
    #[arg(long, value_name = "NAME", help_heading = "What to run")]
    pub bin: Vec<String>,
    /// An integration test
    #[arg(long, value_name = "NAME", help_heading = "What to run")]
    pub test: Vec<String>,
    /// Tests of an example
    #[arg(long, value_name = "NAME", help_heading = "What to run")]
    pub example: Vec<String>,
    #[command(flatten, next_help_heading = "What to run")]
    pub members: Members,
    #[command(flatten, next_help_heading = "Build")]
    pub build: Build,
    #[command(flatten, next_help_heading = "Sampling")]
    pub sampling: Sampling,
    #[command(flatten, next_help_heading = "Flame graph")]
    pub drawing: Drawing,
    /// Where to write the flame graph, `-` for standard output [default: flamegraph.svg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Arguments of the tests
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(mut_arg("rate", |rate| rate.short_alias(None)), after_help = BENCH_HELP)]
pub struct CargoBench {
    /// Run benchmarks with such a name only
    #[arg(value_name = "FILTER")]
    pub filter: Option<OsString>,
    /// A file of benchmarks [default: all]
    #[arg(long, value_name = "NAME", help_heading = "What to run")]
    pub bench: Vec<String>,
    #[command(flatten, next_help_heading = "What to run")]
    pub members: Members,
    #[command(flatten, next_help_heading = "Build")]
    pub build: Build,
    #[command(flatten, next_help_heading = "Sampling")]
    pub sampling: Sampling,
    #[command(flatten, next_help_heading = "Flame graph")]
    pub drawing: Drawing,
    /// Where to write the flame graph, `-` for standard output [default: flamegraph.svg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Arguments of the benchmarks
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

/// Which packages of a workspace.
#[derive(Debug, Default, Args)]
pub struct Members {
    /// All packages of the workspace
    #[arg(long, alias = "all")]
    pub workspace: bool,
    /// All packages but this one
    #[arg(long, value_name = "NAME", requires = "workspace")]
    pub exclude: Vec<String>,
    /// Run all programs, even if one fails
    #[arg(long)]
    pub no_fail_fast: bool,
}
