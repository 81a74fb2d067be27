//! `--post-process`: stacks go through a command before they are drawn, as with `cargo flamegraph`.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

use sigspy_import::{Format, Imported, Options, Unit, import};
use sigspy_model::Profile;
use sigspy_report::{self as report, FoldedOptions};

use crate::error::Error;
use crate::named::Named;

/// What a command makes of a profile, folded. Stacks start with their threads, by which these are known
/// again.
pub fn through(command: &OsStr, named: &Named) -> Result<Named, Error> {
    let failed = |reason: String| Error::PostProcess(command.to_owned(), reason);
    let mut stacks = Vec::new();
    let options = FoldedOptions { threads: true, ..FoldedOptions::default() };
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
    count_ticks(&mut profile, &named.profile);
    Ok(Named { profile, symbols })
}

/// Of folded stacks, only times are known. They have as many ticks as the original has in such a time.
fn count_ticks(profile: &mut Profile, original: &Profile) {
    let sampled = || original.samples.iter().filter(|sample| sample.ticks > 0);
    let ticks: u64 = sampled().map(|sample| u64::from(sample.ticks)).sum();
    let time_ns: u64 = sampled().map(|sample| sample.weight_ns).sum();
    let ns_per_tick = time_ns as f64 / ticks.max(1) as f64;
    for sample in profile.samples.iter_mut().filter(|sample| sample.ticks > 0) {
        sample.ticks = (sample.weight_ns as f64 / ns_per_tick).round().max(1.0) as u32;
    }
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
