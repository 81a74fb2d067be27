//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Say where the agent is, for programs that sigspy does not start
    #[command(after_help = AGENT_HELP)]
    Agent(Agent),
    /// Record the program at the other end of a socket (started by the agent)
    #[command(hide = true)]
    Collect(Collect),
}

const RECORD_HELP: &str = "\
Examples:
  sigspy record -- ./server --port 8080
  sigspy record -F 997 -o build.sigspy -- cargo build

The exit status is the program's (128 + signal if it was killed); 125 if sigspy itself failed,
126 if the program cannot be executed, 127 if it was not found. The first Ctrl-C belongs to the
program, the second ends the recording, the third aborts. SIGUSR1 to sigspy pauses the recording,
or lets it go on.";

const AGENT_HELP: &str = "\
Example:
  LD_PRELOAD=$(sigspy agent --path) SIGSPY_OUTPUT='/tmp/%e-%p.sigspy' ./server

SIGSPY_OUTPUT, SIGSPY_FREQ, SIGSPY_CLOCK, SIGSPY_DELAY, SIGSPY_DURATION, SIGSPY_CHILDREN=0|1,
SIGSPY_ONLY, SIGSPY_TOGGLE_SIGNAL and SIGSPY_MODE=on|off|paused stand for the options of `record`.
Without SIGSPY_OUTPUT, SIGSPY_MODE or CPUPROFILE the agent does nothing.";

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
    /// What ticks
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    pub clock: Clock,
    /// Begin to sample so long after the start (such as 500ms, 2s, 1m)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub delay: Option<Duration>,
    /// End the recording after so long; the program runs on
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Do not sample until SIGUSR1, or the signal of --toggle-signal, says so
    #[arg(long)]
    pub start_paused: bool,
    /// Frames of a stack at most, from the innermost out
    #[arg(long, value_name = "FRAMES", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_depth: u32,
    /// The signal that ticks arrive as [default: PROF; WINCH with --clock perf]
    #[arg(long, value_name = "SIGNAL", value_parser = tick_signal)]
    pub signal: Option<i32>,
    /// Let the program's processes pause and go on by this signal (such as USR2)
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub toggle_signal: Option<i32>,
    /// Which programs that the program starts are profiled
    #[arg(long, value_enum, default_value_t = Follow::Auto)]
    pub follow: Follow,
    /// Profile only programs whose file has such a name (`*` and `?` as in a shell)
    #[arg(long, value_name = "GLOB", value_parser = glob::Pattern::new)]
    pub only: Option<glob::Pattern>,
    /// Replace a file that sigspy did not write
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// The one that the program notices least: thread
    Auto,
    /// CPU time of each thread, by timers: exact, as fine as the kernel's tick
    Thread,
    /// CPU time of the process, by setitimer: portable, less exact
    Process,
    /// CPU time of each thread, by perf events: exact and fine, where the kernel permits it; opens
    /// a file for each thread
    Perf,
    /// Wall time of each thread, running or waiting; may interrupt system calls
    Wall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Follow {
    /// All that can be, also those that are given an environment of their own
    Auto,
    /// Those that inherit the environment
    Env,
    /// None
    None,
}

/// A number with its unit; seconds without one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("`{unit}` is no unit of time; use ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| "a number and ms, s, m or h".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

/// A signal by its name, with or without SIG, or by its number.
pub fn signal(text: &str) -> Result<i32, String> {
    use nix::sys::signal::Signal;
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    let by_number = || Signal::try_from(text.parse::<i32>().ok()?).ok();
    let signal = name.parse::<Signal>().ok().or_else(by_number);
    let signal = signal.ok_or_else(|| "a signal such as USR2".to_owned())?;
    match signal {
        Signal::SIGKILL | Signal::SIGSTOP => {
            Err(format!("{signal} is not to be had for this; use USR2, for one"))
        }
        _ => Ok(signal as i32),
    }
}

/// As [`signal`], or one of the real-time signals by its number.
pub fn tick_signal(text: &str) -> Result<i32, String> {
    use nix::sys::signal::Signal::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    const REAL_TIME: std::ops::RangeInclusive<i32> = 35..=63;
    if let Some(number) = text.parse().ok().filter(|number| REAL_TIME.contains(number)) {
        return Ok(number);
    }
    let faults = [SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP];
    match signal(text)? {
        number if faults.iter().any(|&fault| fault as i32 == number) => {
            Err("faults come as this signal; use USR2, for one".to_owned())
        }
        number => Ok(number),
    }
}

#[derive(Debug, Args)]
pub struct Agent {
    /// Print the path of the agent, for LD_PRELOAD
    #[arg(long, required = true)]
    pub path: bool,
}

#[derive(Debug, Args)]
pub struct Collect {
    /// The descriptor of a connected socket
    #[arg(long)]
    pub socket: i32,
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
    /// Say how whole the stacks are, by module, and what would help, instead of what they show
    #[arg(long)]
    pub quality: bool,
    /// Exit with 1 if more than this share of the time has no whole stack, percent
    #[arg(long, value_name = "PERCENT")]
    pub fail_on_loss: Option<f64>,
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
