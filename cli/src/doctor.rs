//! `sigspy doctor`: whether profiling works here, how well, and what would help.
//!
//! Each check is a plain function that returns a [`Check`]; nothing is changed but the cache, which
//! gets the agent as with `sigspy record`.

mod check;
mod host;
mod perf;
mod print;
mod process;
mod program;
mod tick;
mod trial;

use std::path::Path;

pub use trial::use_cpu_time;

use crate::args::Doctor;
use crate::error::Error;
use crate::sink::{STDOUT, Sink};
use crate::sources;
use check::{Examination, State};

/// Runs the command. The exit status says whether profiling works.
pub fn run(arguments: &Doctor, is_verbose: bool) -> Result<u8, Error> {
    const CANNOT_BE_PROFILED: u8 = 1;
    let sources = sources::local(&arguments.places);
    let mut examinations = vec![host()];
    if let Some(pid) = arguments.pid {
        examinations.push(process::examine(pid, &sources));
    } else if let Some(name) = arguments.command.first() {
        examinations.push(program::examine(name, &sources));
    }
    let mut sink = Sink::create(Path::new(STDOUT), false)?;
    let printed = match arguments.json {
        true => print::json(&examinations, &mut sink),
        false => print::text(&examinations, is_verbose, &mut sink),
    };
    printed.map_err(|error| Error::Create(STDOUT.into(), error))?;
    sink.finish("")?;
    let works = examinations.iter().all(|one| one.state() != State::No);
    Ok(if works { 0 } else { CANNOT_BE_PROFILED })
}

fn host() -> Examination {
    let tick = tick::measure();
    let checks = vec![
        host::kernel(),
        host::processors(),
        host::container(),
        tick::check(&tick),
        host::timers(),
        host::perf_events(),
        host::system_calls(),
        host::shared_memory(),
        host::cache(),
        trial::check(),
    ];
    Examination { subject: "this host".to_owned(), checks }
}
