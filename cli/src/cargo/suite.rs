//! `cargo sigspy test` and `cargo sigspy bench`: all programs that cargo would run, one after another.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sigspy_model::merge;

use super::choose::Choice;
use super::handover::Site;
use super::per_test::{self, Listing};
use super::runs::run_all;
use super::{have_built, leave_out_harness, only};
use crate::args::{CargoBench, CargoTest, Drawing, Members, Sampling};
use crate::error::Error;
use crate::named::Named;
use crate::record::{self, Program};
use crate::sink::{STDOUT, Sink};
use crate::{drawing, flamegraph, made};

pub fn test(arguments: CargoTest, is_quiet: bool) -> Result<u8, Error> {
    let choice = Choice { command: "test", flags: test_flags(&arguments) };
    let programs =
        have_built(&Site::default(), &choice, &arguments.build, &arguments.arguments, is_quiet)?;
    let CargoTest { per_test, limit, members, sampling, mut drawing, output, .. } = arguments;
    let Members { no_fail_fast, .. } = members;
    if per_test {
        let output = output.unwrap_or_else(|| STDOUT.into());
        let listing =
            Listing { sampling: &sampling, naming: &drawing.naming, limit, no_fail_fast, output };
        return per_test::list(programs, &listing);
    }
    leave_out_harness(&mut drawing, "test");
    drawing.title.get_or_insert_with(|| "cargo test".to_owned());
    draw_all(programs, &sampling, drawing, output, no_fail_fast)
}

pub fn bench(arguments: CargoBench, is_quiet: bool) -> Result<u8, Error> {
    let choice = Choice { command: "bench", flags: bench_flags(&arguments) };
    let programs =
        have_built(&Site::default(), &choice, &arguments.build, &arguments.arguments, is_quiet)?;
    let CargoBench { members, sampling, mut drawing, output, .. } = arguments;
    leave_out_harness(&mut drawing, "bench");
    drawing.title.get_or_insert_with(|| "cargo bench".to_owned());
    draw_all(programs, &sampling, drawing, output, members.no_fail_fast)
}

/// One flame graph of all programs, and one recording.
fn draw_all(
    programs: Vec<Program>,
    sampling: &Sampling,
    drawing: Drawing,
    output: Option<PathBuf>,
    no_fail_fast: bool,
) -> Result<u8, Error> {
    let path = output.unwrap_or_else(|| "flamegraph.svg".into());
    if programs.len() == 1 {
        return flamegraph::draw_program(only(programs)?, sampling, drawing, &path);
    }
    let sink = Sink::create(&path, sampling.force)?;
    let recording = flamegraph::beside(&path, Path::new(&programs[0].argv[0]));
    let (runs, code) = run_all(programs, sampling, no_fail_fast)?;
    let parts = runs.into_iter().map(|run| (run.named.profile, run.named.symbols));
    let (profile, symbols) = merge(parts.collect())?;
    made::write(&profile, &symbols, &recording, sampling.force)?;
    record::make_latest(&recording);
    drawing::draw(Named { profile, symbols }, drawing, sink, &path)?;
    Ok(code)
}

/// Documentation tests are programs that are compiled as they are run: they are left out.
fn test_flags(arguments: &CargoTest) -> Vec<OsString> {
    let CargoTest { lib, bins, bin, test, example, members, filter, .. } = arguments;
    let mut flags = Vec::new();
    flags.extend(lib.then(|| "--lib".into()));
    flags.extend(bins.then(|| "--bins".into()));
    let named = [("--bin", bin), ("--test", test), ("--example", example)];
    flags.extend(named.into_iter().flat_map(|(flag, names)| each(flag, names)));
    if flags.is_empty() {
        flags.push("--tests".into());
    }
    flags.extend(of_members(members));
    flags.extend(filter.clone());
    flags
}

/// The programs that hold unit tests know nothing of what Criterion's take, such as --profile-time.
fn bench_flags(arguments: &CargoBench) -> Vec<OsString> {
    let CargoBench { bench, members, filter, .. } = arguments;
    let all = ["*".to_owned()];
    let mut flags = each("--bench", if bench.is_empty() { &all } else { bench });
    flags.extend(of_members(members));
    flags.extend(filter.clone());
    flags
}

fn of_members(members: &Members) -> Vec<OsString> {
    let mut flags: Vec<OsString> = Vec::new();
    flags.extend(members.workspace.then(|| "--workspace".into()));
    flags.extend(each("--exclude", &members.exclude));
    flags
}

fn each(flag: &str, values: &[String]) -> Vec<OsString> {
    values.iter().flat_map(|value| [flag.into(), value.into()]).collect()
}
