//! `cargo sigspy check`.

use std::ffi::OsString;

use clap::Args;

use super::{Build, Target};
use crate::args::Checking;
use crate::args::check::sampling_for_checks;

const CHECK_HELP: &str = "\
Examples:
  cargo sigspy check                        since this branch left the default branch
  cargo sigspy check --base main --bench parse
  cargo sigspy check --base v1.2 --head v1.3 --bin app -- --size 3
  cargo sigspy check --base HEAD --markdown -

The base is checked out into sigspy's cache folder, and built by this cargo as the
head is, both below target/sigspy-check. Binaries and examples of both run in this folder,
tests and benchmarks in that of their package.

The exit status is that of `sigspy check`: 0 if nothing is slower, 1 if something is, 2 for an error,
such as a base that does not build, and 3 if it cannot be told.";

#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
#[command(mut_args(sampling_for_checks), mut_arg("rate", |rate| rate.short_alias(None)))]
pub struct CargoCheck {
    /// The commit to compare with [default: where HEAD has left the default branch]
    #[arg(long, value_name = "COMMIT")]
    pub base: Option<String>,
    /// The commit that is compared [default: the files as they are, with uncommitted changes]
    #[arg(long, value_name = "COMMIT")]
    pub head: Option<String>,
    /// Arguments of both programs
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
    #[command(flatten, next_help_heading = "What to run")]
    pub target: Target,
    #[command(flatten, next_help_heading = "Build")]
    pub build: Build,
    #[command(flatten, next_help_heading = "Runs")]
    pub checking: Checking,
}
