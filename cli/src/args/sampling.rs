//! How to sample: the flags of all commands that run a program.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Places;

/// Lowest and highest rate, Hz. Above the highest the program would do little but be sampled.
const RATES: std::ops::RangeInclusive<i64> = 1..=10_000;

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
    /// When to put the names of functions into the recording
    #[arg(long, value_enum, default_value_t = When::Now)]
    pub symbols: When,
    #[command(flatten)]
    pub places: Places,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// At its end
    Now,
    /// By `sigspy symbolize`, on this machine or another
    Later,
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
