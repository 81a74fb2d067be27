//! Tests of Rust by CPU time, from recordings of the programs that run them.
//!
//! [`owners`] says which test a sample belongs to.

mod owners;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, Write};

use sigspy_model::{Profile, Stack, StackKind, Symbols};

use crate::error::Error;
use crate::names::{presentable, shortened};
use crate::paths::marker;
use crate::quality::{percent, plural, seconds, share};
use owners::{Owners, is_no_test};

/// Characters of the name of a test.
const TEST_WIDTH: usize = 100;

/// How tests are listed.
#[derive(Clone, Debug)]
pub struct PerTestOptions {
    /// Tests at most.
    pub limit: usize,
    /// Characters of the name of a function.
    pub name_width: usize,
}

/// A program that was recorded while it ran tests.
pub struct TestProgram<'a> {
    pub profile: &'a Profile,
    pub symbols: &'a Symbols,
    /// The crate of the tests.
    pub crate_name: String,
    /// The tests that it has, without the crate, as far as known.
    pub tests: Vec<String>,
}

/// What is known of one test.
#[derive(Default)]
struct Cost {
    cpu_ns: u64,
    samples: u64,
    /// CPU time of functions, own.
    functions: HashMap<String, u64>,
}

/// Lists the tests with the most CPU time, and the function of each that takes the most of it.
/// Fails when the writer does.
pub fn per_test(
    programs: &[TestProgram<'_>],
    options: &PerTestOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut costs = HashMap::new();
    programs.iter().for_each(|program| add(program, &mut costs));
    let total_ns = costs.values().map(|cost| cost.cpu_ns).sum();
    let mut rows: Vec<(String, Cost)> = costs.into_iter().collect();
    let rank = |(name, cost): &(String, Cost)| {
        (is_no_test(name), std::cmp::Reverse(cost.cpu_ns), name.clone())
    };
    rows.sort_by_cached_key(rank);
    write_rows(&rows, total_ns, programs.len(), options, out)?;
    Ok(())
}

fn write_rows(
    rows: &[(String, Cost)],
    total_ns: u64,
    programs: usize,
    options: &PerTestOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tests = rows.iter().filter(|(name, _)| !is_no_test(name)).count();
    let samples: u64 = rows.iter().map(|(_, cost)| cost.samples).sum();
    writeln!(
        out,
        "{} s CPU and {samples} samples of {} in {}\n",
        seconds(total_ns),
        plural(tests, "test", "tests"),
        plural(programs, "program", "programs"),
    )?;
    let shown = || rows[..tests.min(options.limit)].iter().chain(&rows[tests..]);
    let lines = shown().map(|(name, cost)| line(name, cost, total_ns, options));
    let header = ["CPU s", "share", "samples", "test", "hottest function, of the test"];
    let lines: Vec<[String; 5]> = std::iter::once(header.map(str::to_owned)).chain(lines).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let [cpu, share, count, test] = [0, 1, 2, 3].map(|column| width(column).unwrap_or_default());
    for [a, b, c, d, e] in &lines {
        writeln!(out, "{a:>cpu$}  {b:>share$}  {c:>count$}  {d:<test$}  {e}")?;
    }
    match tests.saturating_sub(options.limit) {
        0 => Ok(()),
        more => writeln!(out, "... and {}", plural(more, "more test", "more tests")),
    }
}

fn line(name: &str, cost: &Cost, total_ns: u64, options: &PerTestOptions) -> [String; 5] {
    let hottest = cost.functions.iter().max_by(|(a, a_ns), (b, b_ns)| (a_ns, b).cmp(&(b_ns, a)));
    let hottest = hottest.map(|(function, cpu_ns)| {
        let function = shortened(function, options.name_width);
        format!("{:>7} {function}", percent(share(*cpu_ns, cost.cpu_ns)))
    });
    [
        seconds(cost.cpu_ns),
        percent(share(cost.cpu_ns, total_ns)),
        cost.samples.to_string(),
        shortened(name, TEST_WIDTH).into_owned(),
        hottest.unwrap_or_default(),
    ]
}

/// Adds the samples of one program.
fn add(program: &TestProgram<'_>, costs: &mut HashMap<String, Cost>) {
    let TestProgram { profile, symbols, .. } = program;
    let owners = Owners::new(program);
    for sample in &profile.samples {
        let owner = owners.owner(profile, sample);
        if !costs.contains_key(owner) {
            costs.insert(owner.to_owned(), Cost::default());
        }
        if let Some(cost) = costs.get_mut(owner) {
            let running = running(profile.stack(sample.stack), symbols);
            cost.cpu_ns += sample.weight_ns;
            cost.samples += u64::from(sample.ticks);
            *cost.functions.entry(running).or_default() += sample.weight_ns;
        }
    }
}

/// The function that was running, or why it is not known.
fn running(stack: &Stack, symbols: &Symbols) -> String {
    let leaf = stack.locations.first().and_then(|leaf| symbols.frames(*leaf).first());
    let name = match (stack.kind, leaf) {
        (StackKind::Walked(_), Some(frame)) => &*frame.function,
        (kind, _) => marker(kind).unwrap_or_default(),
    };
    presentable(name).into_owned()
}
