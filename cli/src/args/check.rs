//! `sigspy check`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Args, ValueEnum};

use super::comparing::percent;
use super::{Comparing, Outputs, Sampling};

pub const CHECK_HELP: &str = "\
Examples:
  sigspy check --base ./app-main --head ./app-mine -- --bench 3
  sigspy check --base ../main --head . -- ./target/release/bench
  sigspy check --base-command './app -O1' --head-command './app -O2'
  sigspy check --self-test -- ./app --bench 3
  sigspy check --head ./app --baseline kept --save-baseline kept --inconclusive pass
  sigspy check --from result.json --markdown - --sarif check.sarif --junit check.xml

Both programs run in turn, so that a slow moment of the machine hits both. What seems slower is
looked at again in fresh runs: only what shows twice is a regression.

The exit status is 0 if nothing is slower and a slowdown that matters would have been seen, 1 if
something is slower, 2 if there is no answer because of an error, and 3 if it cannot be told or if
the runs are no good (one has failed, lost samples, or did other work).";

#[derive(Debug, Args)]
pub struct Check {
    /// The program before, or a folder to run the command in
    #[arg(long, value_name = "PATH", conflicts_with_all = ["base_command", "self_test"])]
    #[arg(required_unless_present_any = ["base_command", "self_test", "baseline", "from"])]
    pub base: Option<PathBuf>,
    /// The program after, or a folder to run the command in
    #[arg(long, value_name = "PATH", conflicts_with_all = ["head_command", "self_test"])]
    #[arg(required_unless_present_any = ["head_command", "self_test", "from"])]
    pub head: Option<PathBuf>,
    /// The command before, in one word; quotes are heeded, no shell runs it
    #[arg(long, value_name = "COMMAND", requires = "head_command", conflicts_with = "self_test")]
    pub base_command: Option<String>,
    /// The command after
    #[arg(long, value_name = "COMMAND", conflicts_with = "words")]
    pub head_command: Option<String>,
    /// Compare the command with itself: how noisy is this machine, and what would be seen?
    #[arg(long)]
    pub self_test: bool,
    /// Compare with runs that were kept in this folder, instead of running the base: that may warn,
    /// but not fail
    #[arg(long, value_name = "DIR")]
    #[arg(conflicts_with_all = ["base", "base_command", "self_test", "confirm"])]
    pub baseline: Option<PathBuf>,
    /// Keep the runs of the head in this folder, for --baseline
    #[arg(long, value_name = "DIR", conflicts_with = "self_test")]
    pub save_baseline: Option<PathBuf>,
    /// Run nothing, and show the result that --json has written to this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["base", "base_command", "head",
        "head_command", "self_test", "baseline", "save_baseline", "keep", "words"])]
    pub from: Option<PathBuf>,
    /// Arguments of both programs; for folders and --self-test the program and its arguments
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub words: Vec<OsString>,
    #[command(flatten)]
    pub checking: Checking,
}

/// How both sides are run and compared, and where the result goes.
#[derive(Debug, Args)]
pub struct Checking {
    #[command(flatten)]
    pub sampling: Sampling,
    /// Runs of each side
    #[arg(long, value_name = "RUNS", default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub runs: u16,
    /// Runs of each side to confirm what seems slower, 0 for none, else at least 2 [default: as many as --runs]
    #[arg(long, value_name = "RUNS", value_parser = confirming)]
    pub confirm: Option<u16>,
    /// Runs of each side before these, which do not count
    #[arg(long, value_name = "RUNS", default_value_t = 1)]
    pub warm_up: u16,
    /// The program says how much it has done: the number after this word, in the last such line of its
    /// output. It must be the same in all runs, unless --normalize work divides by it
    #[arg(long, value_name = "WORD", required_if_eq("normalize", "work"))]
    pub work: Option<String>,
    #[command(flatten)]
    pub comparing: Comparing,
    /// What the exit status is if it cannot be told
    #[arg(long, value_enum, default_value_t = Inconclusive::Fail)]
    pub inconclusive: Inconclusive,
    /// Keep the recordings in this folder, which must be new or empty unless --force is said
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// A check that would not have seen a slowdown by this much, percent, cannot tell
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0, value_parser = percent)]
    pub must_see: f64,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// What differs from other commands that sample: a rate that gives every tick there is, and no word of
/// what makes no sense for runs that are compared.
pub fn sampling_for_checks(flag: Arg) -> Arg {
    match flag.get_id().as_str() {
        "rate" => flag.default_value("997"),
        "start_paused" | "toggle_signal" | "symbols" => flag.hide(true),
        _ => flag,
    }
}

/// One run alone does not tell how much runs differ, so it confirms nothing.
fn confirming(text: &str) -> Result<u16, String> {
    let runs = text.parse().ok().filter(|runs| matches!(runs, 0 | 2..=1000));
    runs.ok_or_else(|| "0, or 2 to 1000 runs".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inconclusive {
    /// 0
    Pass,
    /// 3
    Fail,
}
