//! `cargo sigspy`: has cargo build something, and records it.
//!
//! `workspace` asks what there is, `choose` decides what of it is meant, `profile` has it built with
//! debug lines, `handover` gets from cargo what it would run. From there on it is a program like any
//! other, or, in `suite`, a number of them.

mod check;
mod choose;
mod handover;
mod per_test;
mod profile;
mod runs;
mod suite;
mod workspace;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use crate::args::{
    Build, CargoArguments, CargoCommand, CargoFlamegraph, CargoRecord, Drawing, Target,
};
use crate::error::Error;
use crate::record::{self, Program};
use crate::{command_line, flamegraph, message};

pub use choose::NoChoice;
pub use handover::take_note;

use choose::Choice;
use handover::Site;
use workspace::Workspace;

/// The words of the command line. Cargo puts `sigspy` before those of the user. Flags of all commands
/// may stand before the command, where clap takes them for those of the default command.
pub fn words(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if words.get(1).is_some_and(|word| word == "sigspy") {
        words.remove(1);
    }
    let is_command = |word: &OsString| CargoArguments::command().find_subcommand(word).is_some();
    let flags = 1..1 + words.iter().skip(1).take_while(|word| is_of_all_commands(word)).count();
    if words.get(flags.end).is_some_and(is_command) {
        words[flags.start..=flags.end].rotate_right(1);
    }
    words
}

fn is_of_all_commands(word: &OsStr) -> bool {
    let word = word.to_string_lossy();
    ["-q", "--quiet", "-v", "--verbose"].contains(&&*word) || word.starts_with("--color=")
}

/// Understands them.
pub fn parse(words: &[OsString]) -> Result<CargoArguments, clap::Error> {
    CargoArguments::try_parse_from(words)
}

/// Understands them again, with the settings for `sigspy flamegraph`, `record` or `check`.
pub fn add_settings(
    words: &[OsString],
    arguments: CargoArguments,
) -> Result<CargoArguments, Error> {
    let name = arguments.command_name();
    let command = name.filter(|name| ["record", "check"].contains(name)).unwrap_or("flamegraph");
    command_line::with_settings(words, name, command, &arguments.global, parse)
}

/// Runs the command.
pub fn run(arguments: CargoArguments) -> Result<u8, Error> {
    let global = arguments.global.clone();
    let is_quiet = global.quiet;
    match arguments.wanted() {
        CargoCommand::Flamegraph(arguments) => draw(*arguments, is_quiet),
        CargoCommand::Record(arguments) => record(*arguments, is_quiet),
        CargoCommand::Test(arguments) => suite::test(*arguments, is_quiet),
        CargoCommand::Bench(arguments) => suite::bench(*arguments, is_quiet),
        CargoCommand::Check(check) => check::run(&check, &global).map_err(Error::in_check),
    }
}

fn draw(arguments: CargoFlamegraph, is_quiet: bool) -> Result<u8, Error> {
    let CargoFlamegraph { target, build, sampling, mut drawing, output, arguments } = arguments;
    let (choice, program) = one(&Site::default(), &target, &build, &arguments, is_quiet)?;
    leave_out_harness(&mut drawing, choice.command);
    let path = output.unwrap_or_else(|| "flamegraph.svg".into());
    flamegraph::draw_program(program, &sampling, drawing, &path)
}

fn record(arguments: CargoRecord, is_quiet: bool) -> Result<u8, Error> {
    let CargoRecord { target, build, sampling, output, arguments } = arguments;
    let (_, program) = one(&Site::default(), &target, &build, &arguments, is_quiet)?;
    record::run_program(program, &sampling, output)
}

/// Lets stacks begin at what is tested or measured, if the user has not said where.
fn leave_out_harness(drawing: &mut Drawing, command: &str) {
    if drawing.skip_after.is_empty() {
        drawing.skip_after = profile::harness(command);
    }
}

/// Has one program built.
fn one(
    site: &Site,
    target: &Target,
    build: &Build,
    arguments: &[OsString],
    is_quiet: bool,
) -> Result<(Choice, Program), Error> {
    let choice = choose::one(target, build, &Workspace::read(site, build)?)?;
    let programs = have_built(site, &choice, build, arguments, is_quiet)?;
    Ok((choice, only(programs)?))
}

/// The only one of the programs.
fn only(mut programs: Vec<Program>) -> Result<Program, Error> {
    match programs.pop() {
        Some(program) if programs.is_empty() => Ok(program),
        last => {
            programs.extend(last);
            let names = programs.iter().map(|program| PathBuf::from(&program.argv[0]));
            Err(Error::SeveralToRun(names.collect()))
        }
    }
}

/// Has programs built; what cargo would run is returned, and is not nothing.
fn have_built(
    site: &Site,
    choice: &Choice,
    build: &Build,
    arguments: &[OsString],
    is_quiet: bool,
) -> Result<Vec<Program>, Error> {
    let base = build.base_profile(profile::usual(choice.command));
    message::note(&profile::announcement(base));
    let mut flags: Vec<OsString> = vec![choice.command.into()];
    flags.extend(is_quiet.then(|| "--quiet".into()));
    flags.extend(profile::flags(base));
    flags.extend(build.of_workspace());
    flags.extend(build.of_packages());
    flags.extend(site.flags());
    flags.extend(choice.flags.iter().cloned());
    flags.push("--".into());
    flags.extend(arguments.iter().cloned());
    let programs = handover::ask(site, &flags, build.target.as_deref())?;
    if programs.is_empty() { Err(Error::NothingToRun) } else { Ok(programs) }
}

#[cfg(test)]
mod tests;
