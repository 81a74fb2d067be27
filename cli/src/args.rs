//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Lowest and highest rate, Hz. Above the highest the program would do little but be sampled.
const RATES: std::ops::RangeInclusive<i64> = 1..=10_000;

/// A sampling CPU profiler that needs no privilege, no rebuild and no frame pointers.
#[derive(Debug, Parser)]
#[command(name = "sigspy", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program and record where it spends its CPU time
    #[command(after_help = RECORD_HELP, args_override_self = true)]
    Record(Record),
    /// Run a program and draw a flame graph, or draw one of a recording
    #[command(after_help = FLAMEGRAPH_HELP, args_override_self = true)]
    Flamegraph(Flamegraph),
    /// Show a recording as text: top functions, call tree, threads
    #[command(args_override_self = true)]
    Report(Report),
    /// Write a recording in another format
    #[command(args_override_self = true)]
    Export(Export),
}

const RECORD_HELP: &str = "\
Examples:
  sigspy record -- ./server --port 8080
  sigspy record -F 997 -o build.sigspy -- cargo build

The exit status is the program's (128 + signal if it was killed); 125 if sigspy itself failed,
126 if the program cannot be executed, 127 if it was not found. The first Ctrl-C belongs to the
program, the second ends the recording, the third aborts.";

const FLAMEGRAPH_HELP: &str = "\
Examples:
  sigspy flamegraph -o flame.svg -- xz -9 -k -c some-big-file
  sigspy flamegraph -i build.sigspy

The recording is kept beside the flame graph, for `sigspy report` and `sigspy export`.";

/// How to sample.
#[derive(Debug, Args)]
pub struct Sampling {
    /// Samples for each second of CPU time
    #[arg(short = 'F', long = "freq", short_alias = 'r', alias = "rate", value_name = "HZ")]
    #[arg(default_value_t = 97, value_parser = clap::value_parser!(u32).range(RATES))]
    pub rate: u32,
    /// What ticks: a timer for each thread, or one for the whole process
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    pub clock: Clock,
    /// Replace a file that sigspy did not write
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// The best one: thread
    Auto,
    /// timer_create for each thread: exact
    Thread,
    /// setitimer for the process: portable, less exact
    Process,
}

#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    pub sampling: Sampling,
    /// Where to write the recording [default: sigspy-PROGRAM-TIME.sigspy]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Flamegraph {
    #[command(flatten)]
    pub sampling: Sampling,
    /// Where to write the flame graph, `-` for standard output [default: flamegraph.svg]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw this recording instead of running a program
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub input: Option<PathBuf>,
    /// Title of the flame graph [default: the command line]
    #[arg(long)]
    pub title: Option<String>,
    /// Start each stack with its thread
    #[arg(short, long)]
    pub threads: bool,
    /// The program and its arguments
    #[arg(required_unless_present = "input", trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Input {
    /// The recording [default: sigspy.sigspy, the last one made here]
    #[arg(value_name = "FILE", conflicts_with = "input")]
    pub file: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "FILE", hide = true)]
    pub input: Option<PathBuf>,
}

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
}

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
