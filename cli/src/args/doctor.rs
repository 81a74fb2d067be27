//! `sigspy doctor`, and the program that it profiles.

use std::ffi::OsString;

use clap::Args;

use super::Places;

pub const DOCTOR_HELP: &str = "\
Examples:
  sigspy doctor
  sigspy doctor ./server
  sigspy doctor -p $(pidof server)

The exit status is 0 if profiling works, 1 if it does not. -v says more about each line.";

#[derive(Debug, Args)]
pub struct Doctor {
    /// Look at this running process as well
    #[arg(short, long, conflicts_with = "command")]
    pub pid: Option<u32>,
    #[command(flatten)]
    pub places: Places,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Look at this program as well; what it is given does not matter
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Busy {
    /// CPU time to use, ms
    #[arg(long, default_value_t = 300)]
    pub ms: u64,
}
