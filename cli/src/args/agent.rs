//! `sigspy agent` and `sigspy collect`.

use clap::Args;

pub const AGENT_HELP: &str = "\
Example:
  LD_PRELOAD=$(sigspy agent --path) SIGSPY_OUTPUT='/tmp/%e-%p.sigspy' ./server

SIGSPY_OUTPUT, SIGSPY_FREQ, SIGSPY_CLOCK, SIGSPY_DELAY, SIGSPY_DURATION, SIGSPY_CHILDREN=0|1,
SIGSPY_ONLY, SIGSPY_SYMBOLS, SIGSPY_TOGGLE_SIGNAL and SIGSPY_MODE=on|off|paused stand for the
options of `record`.
Without SIGSPY_OUTPUT, SIGSPY_MODE or CPUPROFILE the agent does nothing.";

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
