//! `sigspy completions` and `sigspy man`: what shells and man(1) want to know of the command line.

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::args::{CargoArguments, Completions, Man};
use crate::command_line;
use crate::error::Error;
use crate::message;
use crate::output;
use crate::sink::{STDOUT, Sink};

/// Prints the script for a shell.
pub fn run(arguments: &Completions) -> Result<u8, Error> {
    let mut command = command_line::command();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, command_line::NAME, &mut script);
    let mut sink = Sink::create(Path::new(STDOUT), false)?;
    sink.write_all(&script).map_err(|error| Error::Create(STDOUT.into(), error))?;
    sink.finish("")?;
    Ok(0)
}

/// Writes the manual: sigspy(1) and cargo-sigspy(1), which `cargo help sigspy` shows, and a page for
/// each command, such as sigspy-record(1).
pub fn manual(arguments: &Man) -> Result<u8, Error> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder).map_err(|error| Error::Create(folder.clone(), error))?;
    let mut pages: Vec<clap::Command> = [command_line::command(), CargoArguments::command()]
        .into_iter()
        .map(|command| command.disable_help_subcommand(true))
        .collect();
    pages.iter_mut().for_each(clap::Command::build);
    while let Some(page) = pages.pop() {
        let visible = page.get_subcommands().filter(|command| !command.is_hide_set());
        pages.extend(visible.cloned());
        write_page(page, arguments)?;
    }
    message::note(&format!("wrote the manual to {}", folder.display()));
    Ok(0)
}

fn write_page(command: clap::Command, arguments: &Man) -> Result<(), Error> {
    let source = concat!("sigspy ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command).source(source).manual("sigspy");
    let path = arguments.folder.join(page.get_filename());
    let failed = |error| Error::Create(path.clone(), error);
    let mut bytes = Vec::new();
    page.render(&mut bytes).map_err(failed)?;
    output::create(&path, arguments.force)?.write_all(&bytes).map_err(failed)
}
