//! The command line: one file for the flags of each command.

mod agent;
mod cargo;
mod check;
mod comparing;
mod completions;
mod diff;
mod doctor;
mod drawing;
mod export;
mod flamegraph;
mod global;
mod import;
mod input;
mod merge;
mod naming;
mod outputs;
mod places;
mod record;
mod report;
mod sampling;
mod symbolize;

use clap::{Parser, Subcommand};

pub use agent::{Agent, Collect};
pub use cargo::{
    Build, CargoArguments, CargoBench, CargoCheck, CargoCommand, CargoFlamegraph, CargoRecord,
    CargoTest, Members, Target, UnitKind,
};
pub use check::{Check, Checking, Inconclusive};
pub use comparing::{Comparing, Normalize};
pub use completions::{Completions, Man};
pub use diff::{Diff, DiffFormat, Layout};
pub use doctor::{Busy, Doctor};
pub use drawing::Drawing;
pub use export::{Export, Format, Unit};
pub use flamegraph::Flamegraph;
pub use global::{Color, Global};
pub use import::{Import, Source};
pub use input::Input;
pub use merge::Merge;
pub use naming::Naming;
pub use outputs::Outputs;
pub use places::Places;
pub use record::Record;
pub use report::{By, Report};
pub use sampling::{Clock, Follow, Sampling, When};
pub use symbolize::Symbolize;

/// A sampling CPU profiler that needs no privilege, no rebuild and no frame pointers.
#[derive(Debug, Parser)]
#[command(name = "sigspy", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program and record where it spends its CPU time
    #[command(after_help = record::RECORD_HELP, args_override_self = true)]
    Record(Record),
    /// Run a program and draw a flame graph, or draw one of a recording
    #[command(after_help = flamegraph::FLAMEGRAPH_HELP, args_override_self = true)]
    Flamegraph(Box<Flamegraph>),
    /// Show a recording as text: top functions, call tree, threads
    #[command(args_override_self = true)]
    Report(Report),
    /// Compare recordings: which functions take more or less time, and how sure that is
    #[command(after_help = diff::DIFF_HELP)]
    Diff(Box<Diff>),
    /// Run two versions of a program in turn and tell whether the new one takes more CPU time
    #[command(after_help = check::CHECK_HELP, args_override_self = true)]
    #[command(mut_args(check::sampling_for_checks))]
    Check(Box<Check>),
    /// Write a recording in another format
    #[command(args_override_self = true)]
    Export(Export),
    /// Make a recording of what another tool has written: folded stacks, pprof, perf script
    #[command(after_help = import::IMPORT_HELP, args_override_self = true)]
    Import(Import),
    /// Make one recording of several
    #[command(after_help = merge::MERGE_HELP, args_override_self = true)]
    Merge(Merge),
    /// Give a recording the names of its functions, where it was made without or elsewhere
    #[command(after_help = symbolize::SYMBOLIZE_HELP, args_override_self = true)]
    Symbolize(Symbolize),
    /// Say where the agent is, for programs that sigspy does not start
    #[command(after_help = agent::AGENT_HELP)]
    Agent(Agent),
    /// Say whether profiling works here, how well, and what would help
    #[command(after_help = doctor::DOCTOR_HELP)]
    Doctor(Doctor),
    /// Print a script that lets a shell complete commands and flags
    #[command(after_help = completions::COMPLETIONS_HELP)]
    Completions(Completions),
    /// Write the manual, a page for each command
    #[command(after_help = completions::MAN_HELP)]
    Man(Man),
    /// Record the program at the other end of a socket (started by the agent)
    #[command(hide = true)]
    Collect(Collect),
    /// Use CPU time for a moment (started by doctor)
    #[command(hide = true)]
    Busy(Busy),
}
