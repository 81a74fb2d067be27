//! `cargo sigspy`. Flags mean what they mean to cargo and to `cargo flamegraph`; `-f` is features
//! here, `-p` a package and `-r` release, as cargo's users have it.

mod build;
mod check;
mod target;
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{Drawing, Global, Sampling};
pub use build::Build;
pub use check::CargoCheck;
pub use target::{Target, UnitKind};
pub use tests::{CargoBench, CargoTest, Members};

const CARGO_HELP: &str = "\
Examples:
  cargo sigspy                            the binary of this package
  cargo sigspy --example life -- 10000    an example, with arguments
  cargo sigspy --bench parse -- --profile-time 10
  cargo sigspy test --per-test            which tests take the time, and where
  cargo sigspy check --base main          is this slower than the branch main?

Builds with the profile `sigspy`, which is release with debug lines, into target/sigspy;
Cargo.toml need not be changed. The exit status is the program's, or cargo's if the build fails.";

/// Build a program, run it, and see where it spends its CPU time.
#[derive(Debug, Parser)]
#[command(name = "cargo-sigspy", bin_name = "cargo sigspy", version, after_help = CARGO_HELP)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct CargoArguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Option<CargoCommand>,
    #[command(flatten)]
    flamegraph: CargoFlamegraph,
}

impl CargoArguments {
    /// The command, if one was given.
    pub fn command_name(&self) -> Option<&'static str> {
        self.command.as_ref().map(|command| match command {
            CargoCommand::Flamegraph(_) => "flamegraph",
            CargoCommand::Record(_) => "record",
            CargoCommand::Test(_) => "test",
            CargoCommand::Bench(_) => "bench",
            CargoCommand::Check(_) => "check",
        })
    }

    /// Without a command, a flame graph is asked for.
    pub fn wanted(self) -> CargoCommand {
        self.command.unwrap_or_else(|| CargoCommand::Flamegraph(Box::new(self.flamegraph)))
    }
}

#[derive(Debug, Subcommand)]
pub enum CargoCommand {
    /// Run a binary, example, test or benchmark, and draw a flame graph
    #[command(args_override_self = true)]
    Flamegraph(Box<CargoFlamegraph>),
    /// Run a binary, example, test or benchmark, and keep the recording
    #[command(args_override_self = true)]
    Record(Box<CargoRecord>),
    /// Run tests, and draw a flame graph or list the slowest of them
    #[command(args_override_self = true)]
    Test(Box<CargoTest>),
    /// Run benchmarks, and draw a flame graph
    #[command(args_override_self = true)]
    Bench(Box<CargoBench>),
    /// Build an earlier commit, too, and tell whether this code takes more CPU time
    #[command(args_override_self = true)]
    Check(Box<CargoCheck>),
}

#[derive(Debug, Args)]
#[command(mut_arg("rate", |rate| rate.short_alias(None)))]
pub struct CargoFlamegraph {
    #[command(flatten, next_help_heading = "What to run")]
    pub target: Target,
    #[command(flatten, next_help_heading = "Build")]
    pub build: Build,
    #[command(flatten, next_help_heading = "Sampling")]
    pub sampling: Sampling,
    #[command(flatten, next_help_heading = "Flame graph")]
    pub drawing: Drawing,
    /// Where to write the flame graph, `-` for standard output [default: flamegraph.svg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(mut_arg("rate", |rate| rate.short_alias(None)))]
pub struct CargoRecord {
    #[command(flatten, next_help_heading = "What to run")]
    pub target: Target,
    #[command(flatten, next_help_heading = "Build")]
    pub build: Build,
    #[command(flatten, next_help_heading = "Sampling")]
    pub sampling: Sampling,
    /// Where to write the recording [default: sigspy-PROGRAM-TIME.sigspy]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}
