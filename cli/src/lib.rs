//! What the binaries in `bin/` do: this crate is a library only so that they share it.

mod agent;
mod args;
mod cargo;
mod check;
mod collect;
mod command_line;
mod comparing;
mod completions;
mod config;
mod diff;
mod doctor;
mod drawing;
mod error;
mod export;
mod flamegraph;
mod git;
mod import;
mod interrupt;
mod made;
mod merge;
mod message;
mod named;
mod output;
mod post_process;
mod problems;
mod record;
mod report;
mod sink;
mod sources;
mod symbolize;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use args::{Arguments, Command};
use error::Error;

/// Runs `sigspy`, and returns its exit status.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    let arguments = match command_line::parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    message::set_up(&arguments.global);
    let is_check = matches!(arguments.command, Command::Check(_));
    let result = command_line::add_settings(&words, arguments).and_then(run);
    ended(if is_check { result.map_err(Error::in_check) } else { result })
}

fn run(arguments: Arguments) -> Result<u8, Error> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Record(arguments) => record::run(arguments),
        Command::Flamegraph(arguments) => flamegraph::run(*arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Check(arguments) => check::run(&arguments, &global),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Symbolize(arguments) => symbolize::run(arguments),
        Command::Agent(_) => collect::print_agent(),
        Command::Doctor(arguments) => doctor::run(&arguments, global.verbose),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => completions::manual(&arguments),
        Command::Collect(arguments) => collect::run(&arguments),
        Command::Busy(arguments) => Ok(doctor::use_cpu_time(&arguments)),
    }
}

/// Runs `cargo-sigspy`, and returns its exit status.
pub fn cargo_main() -> ExitCode {
    if let Some(code) = cargo::take_note() {
        return code.into();
    }
    let words = cargo::words(env::args_os());
    let arguments = match cargo::parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    message::set_up(&arguments.global);
    ended(cargo::add_settings(&words, arguments).and_then(cargo::run))
}

fn ended(result: Result<u8, Error>) -> ExitCode {
    match result {
        Ok(code) => code.into(),
        Err(Error::Usage(error)) => usage(&error),
        Err(error) => {
            if !error.is_known() {
                message::error(&error);
            }
            error.exit_code().into()
        }
    }
}

/// Help and version are no errors. All others are ours, never the program's.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print(); // nobody is left to tell
    let words = cargo::words(env::args_os());
    let is_check = command_line::name_in(&words).is_some_and(|name| name == "check");
    let failed = if is_check { check::FAILED } else { 125 };
    if error.use_stderr() { ExitCode::from(failed) } else { ExitCode::SUCCESS }
}
