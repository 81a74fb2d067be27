//! `--post-process`: stacks go through a command before they are drawn, as with `cargo flamegraph`.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

use sigspy_import::{Format, Imported, Options, Unit, import};
use sigspy_model::{Profile, Sample};
use sigspy_report::{self as report, FoldedOptions};

use crate::error::Error;
use crate::named::Named;

/// What a command makes of a profile, folded. `threads`: stacks start with their threads.
pub fn through(command: &OsStr, named: &Named, threads: bool) -> Result<Named, Error> {
    let failed = |reason: String| Error::PostProcess(command.to_owned(), reason);
    let mut stacks = Vec::new();
    let options = FoldedOptions { threads, ..FoldedOptions::default() };
    report::folded(&named.profile, &named.symbols, &options, &mut stacks)?;
    let output = run(command, &stacks).map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let name = named.profile.processes.first().map_or_else(String::new, |one| one.name.clone());
    let options = Options { format: Some(Format::Folded), unit: Unit::default(), name };
    let imported = import(&output.stdout, &options).map_err(|error| failed(error.to_string()))?;
    let Imported { mut profile, symbols, .. } = imported;
    profile.meta = named.profile.meta.clone();
    divide(&mut profile.samples, &named.profile);
    Ok(Named { profile, symbols })
}

/// Of folded stacks, only times are known. There are as many samples as the original has in such a
/// time.
fn divide(samples: &mut Vec<Sample>, original: &Profile) {
    let sampled = || original.samples.iter().filter(|sample| sample.ticks > 0);
    let most = sampled().count();
    let time_ns: u64 = sampled().map(|sample| sample.weight_ns).sum();
    let each_ns = time_ns as f64 / most.max(1) as f64;
    let parts = |sample: Sample| {
        let count = match sample.ticks {
            0 => 1,
            _ => ((sample.weight_ns as f64 / each_ns).round() as usize).clamp(1, most.max(1)),
        };
        let (each, rest) = (sample.weight_ns / count as u64, sample.weight_ns % count as u64);
        let part =
            move |index| Sample { weight_ns: each + if index == 0 { rest } else { 0 }, ..sample };
        (0..count).map(part)
    };
    *samples = std::mem::take(samples).into_iter().flat_map(parts).collect();
}

/// Runs a command line of the shell's. It need not read all of its input.
fn run(command: &OsStr, input: &[u8]) -> io::Result<Output> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::piped()).stdout(Stdio::piped());
    sigspy_collector::leave_limit_as_it_was(&mut shell);
    let mut child = shell.spawn()?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })
}
