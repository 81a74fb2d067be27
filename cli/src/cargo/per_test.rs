//! Runs programs of tests, and lists the tests by their time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sigspy_report::{PerTestOptions, TestProgram, per_test};

use super::runs::{Run, run_all};
use crate::args::{Naming, Sampling};
use crate::error::Error;
use crate::named::Named;
use crate::record::Program;
use crate::sink::Sink;

/// Characters of the name of a function.
const NAME_WIDTH: usize = 100;
/// A flag of libtest, and of harnesses that are made to look like it.
const FLAG_OF_LIBTEST: &[u8] = b"include-ignored";

/// What is wanted.
pub struct Listing<'a> {
    pub sampling: &'a Sampling,
    pub naming: &'a Naming,
    /// Tests at most.
    pub limit: usize,
    pub no_fail_fast: bool,
    pub output: PathBuf,
}

/// Runs programs and lists their tests; those that fail take time as well. The exit status is that
/// of `cargo test`.
pub fn list(programs: Vec<Program>, listing: &Listing<'_>) -> Result<u8, Error> {
    let mut sink = Sink::create(&listing.output, listing.sampling.force)?;
    let (runs, code) = run_all(programs, listing.sampling, listing.no_fail_fast)?;
    let named = |run: Run| (run.program, run.named.named_as(listing.naming));
    let runs: Vec<(Program, Named)> = runs.into_iter().map(named).collect();
    let programs: Vec<TestProgram<'_>> = runs.iter().map(to_be_listed).collect();
    let options = PerTestOptions { limit: listing.limit, name_width: NAME_WIDTH };
    per_test(&programs, &options, &mut sink)?;
    sink.finish("")?;
    Ok(code)
}

fn to_be_listed((program, named): &(Program, Named)) -> TestProgram<'_> {
    TestProgram {
        profile: &named.profile,
        symbols: &named.symbols,
        crate_name: crate_name(Path::new(&program.argv[0])),
        tests: tests(program),
    }
}

/// Cargo names a program of tests after its crate and a hash: `app-d874a3da6f08bb73`.
fn crate_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.rsplit_once('-').map_or(&*stem, |(name, _)| name).to_owned()
}

/// The tests that a program has. Only programs that know what is asked are asked: another might run
/// all that it has.
fn tests(program: &Program) -> Vec<String> {
    let Some(place) = &program.place else { return Vec::new() };
    let file = place.folder.join(&program.argv[0]);
    let contents = fs::read(&file).unwrap_or_default();
    if !contents.windows(FLAG_OF_LIBTEST.len()).any(|bytes| bytes == FLAG_OF_LIBTEST) {
        return Vec::new();
    }
    let mut command = Command::new(&file);
    command.args(["--list", "--format=terse"]).current_dir(&place.folder).env_clear();
    command.envs(place.environment.iter().map(|(name, value)| (name, value)));
    sigspy_collector::leave_limit_as_it_was(&mut command);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map_or_else(|_| Vec::new(), |output| listed(&String::from_utf8_lossy(&output.stdout)))
}

/// The names in a list such as libtest's: `tests::one: test`.
fn listed(list: &str) -> Vec<String> {
    let test = |line: &str| line.strip_suffix(": test").map(str::to_owned);
    list.lines().filter_map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_known_by_its_program() {
        assert_eq!(
            crate_name(Path::new("/w/target/sigspy/deps/my_app-d874a3da6f08bb73")),
            "my_app"
        );
        assert_eq!(crate_name(Path::new("app")), "app");
    }

    #[test]
    fn tests_are_listed_and_benchmarks_are_not() {
        assert_eq!(listed("a::b: test\nc: benchmark\n\n2 tests, 1 benchmark\n"), ["a::b"]);
    }
}
