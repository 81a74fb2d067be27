//! Several programs that are run one after another, as `cargo test` runs them.

use std::path::Path;

use crate::args::Sampling;
use crate::error::Error;
use crate::message;
use crate::named::Named;
use crate::record::{self, Program};

/// As `cargo test` has it when a test fails.
const FAILED: u8 = 101;
/// A program that ended by Ctrl-C, as a shell has it.
const INTERRUPTED: u8 = 130;

/// A program and what it did.
pub struct Run {
    pub program: Program,
    pub named: Named,
}

/// Records programs until one fails, or all: each into a file beside it. The exit status is that of
/// `cargo test`.
pub fn run_all(
    programs: Vec<Program>,
    sampling: &Sampling,
    no_fail_fast: bool,
) -> Result<(Vec<Run>, u8), Error> {
    let mut runs = Vec::new();
    let mut exit_code = 0;
    let count = programs.len();
    for program in programs {
        let (run, code) = run(program, sampling)?;
        let file = Path::new(&run.program.argv[0]).display().to_string();
        runs.push(run);
        if code == 0 {
            continue;
        }
        exit_code = FAILED;
        let left = count - runs.len();
        if left > 0 && (code == INTERRUPTED || !no_fail_fast) {
            message::warning(&format!(
                "{file} has failed, and {left} more were not run; see --no-fail-fast"
            ));
            break;
        }
    }
    Ok((runs, exit_code))
}

fn run(program: Program, sampling: &Sampling) -> Result<(Run, u8), Error> {
    let recording = Path::new(&program.argv[0]).with_extension("sigspy");
    let recorded = record::record_saying(sampling, &recording, program.clone(), |quality| {
        message::note(&format!("{quality}; wrote {}", recording.display()));
    })?;
    let (named, ended) = recorded.into_named(sampling);
    Ok((Run { program, named }, ended.exit_code()))
}
