//! `sigspy check`: runs two versions of a program in turn, and tells whether the new one is slower.

mod baseline;
mod folder;
mod github;
mod measure;
mod outputs;
mod repository;
mod runner;
mod runs;
mod saved;
mod workload;

use std::path::Path;

use sigspy_compare::Noise;
use sigspy_compare::check::{
    Baseline, CheckResult, CheckedSide, Date, Found, Order, Plan, Policy, Runner, Setup, Source,
    Standing, Verdict, decide,
};

use crate::args::{Check, Checking, Global, Inconclusive};
use crate::error::Error;
use crate::{config, interrupt, output};
use folder::Folder;
use measure::{Base, Measured, Rules, measure};
use outputs::Outputs;
use runs::{Bench, Runs};
pub use workload::{Origin, Workload};

/// Exit status if there is no answer.
pub const FAILED: u8 = 2;

/// Runs the command.
pub fn run(arguments: &Check, global: &Global) -> Result<u8, Error> {
    let checking = &arguments.checking;
    let outputs = Outputs::create(&checking.outputs, checking.sampling.force)?;
    let (result, noise) = match &arguments.from {
        Some(path) => (saved::read(path)?, None),
        None => {
            let kept = arguments.save_baseline.as_deref();
            kept.map_or(Ok(()), baseline::check_room)?;
            check(checking, compared(arguments)?, kept, global)?
        }
    };
    let noise = noise.filter(|_| arguments.self_test).map(|noise| told(&noise, &result));
    outputs.write(&result, &noise.unwrap_or_default())?;
    Ok(exit_code(&result, checking))
}

/// Compares two programs, base and head, when `make` has made them. Files for the result are created
/// before, as that may take long.
pub fn run_made(
    checking: &Checking,
    global: &Global,
    make: impl FnOnce() -> Result<[Workload; 2], Error>,
) -> Result<u8, Error> {
    let outputs = Outputs::create(&checking.outputs, checking.sampling.force)?;
    let (result, _) = check(checking, Compared::in_turn(make()?), None, global)?;
    outputs.write(&result, "")?;
    Ok(exit_code(&result, checking))
}

fn exit_code(result: &CheckResult, checking: &Checking) -> u8 {
    match result.verdict {
        Verdict::Inconclusive if checking.inconclusive == Inconclusive::Pass => 0,
        _ => result.exit_code(),
    }
}

/// The runs of the head are kept in the folder `kept`.
fn check(
    arguments: &Checking,
    compared: Compared,
    kept: Option<&Path>,
    global: &Global,
) -> Result<(CheckResult, Option<Noise>), Error> {
    let config::Rules { budgets, ignored, accepted, renames } = config::rules(global)?;
    let policy = Policy { must_see: arguments.must_see / 100.0, budgets, ignored, accepted };
    let rules = Rules { policy: &policy, renames: &renames, today: today() };
    let _held = interrupt::hold(); // until the folder is removed
    let bench = Bench {
        workloads: compared.workloads,
        sampling: &arguments.sampling,
        work: arguments.work.as_deref(),
        folder: Folder::new(arguments.keep.as_deref(), arguments.sampling.force)?,
    };
    let measured = measure(arguments, &bench, compared.base, &rules)?;
    interrupt::heed()?;
    let Measured { evidence, runs, noise, notes } = measured;
    let head = bench.workloads[1].as_ref().map(Workload::side).unwrap_or_default();
    let runner = runner::this(runs.samples_per_second());
    let (base, baseline) = (compared.side, compared.baseline);
    let plan = plan(arguments, baseline.source);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let setup = Setup { version, base, head, runner, plan, baseline };
    let mut result = decide(setup, evidence, &policy, rules.today);
    result.notes.extend(notes);
    if let Some(folder) = kept {
        result.notes.extend(save(folder, &result, &runs)?);
    }
    Ok((result, noise))
}

/// Keeps the runs of the head, if they are good. A sentence if they do not replace those that are there:
/// what is slower would be slower than nothing from then on.
fn save(folder: &Path, result: &CheckResult, runs: &Runs) -> Result<Option<String>, Error> {
    let is_open =
        |found: &Found| matches!(found.standing, Standing::Regression | Standing::Suspect);
    if result.verdict == Verdict::Invalid {
        return Ok(None);
    }
    if baseline::is_there(folder) && result.findings.iter().any(is_open) {
        return Ok(Some(format!(
            "the baseline in {} stays as it was, as something is slower; to accept that, add an \
             [[accept]] to the settings, or remove the folder",
            folder.display()
        )));
    }
    let Setup { head, runner, .. } = &result.setup;
    baseline::write(folder, head.clone(), runner.clone(), runs.of_head()).map(|()| None)
}

/// What is run, and what that is compared with.
struct Compared {
    /// Base and head; no base if it does not run now.
    workloads: [Option<Workload>; 2],
    base: Base,
    side: Option<CheckedSide>,
    baseline: Baseline,
}

fn compared(arguments: &Check) -> Result<Compared, Error> {
    let words = &arguments.words;
    let side = |path: Option<&Path>, text: Option<&str>| match (path, text) {
        (Some(path), _) => Workload::at(path, words),
        (_, text) => Workload::of_text(text.unwrap_or_default()),
    };
    let head = match arguments.self_test {
        true => Workload::of_words(words)?,
        false => side(arguments.head.as_deref(), arguments.head_command.as_deref())?,
    };
    if let Some(folder) = &arguments.baseline {
        return Ok(Compared::with_kept(baseline::read(folder)?, head));
    }
    let base = match arguments.self_test {
        true => head.clone(),
        false => side(arguments.base.as_deref(), arguments.base_command.as_deref())?,
    };
    Ok(Compared::in_turn([base, head]))
}

impl Compared {
    fn in_turn([base, head]: [Workload; 2]) -> Self {
        Self {
            side: Some(base.side()),
            workloads: [Some(base), Some(head)],
            base: Base::InTurn,
            baseline: Baseline { source: Source::SameJob, may_fail: true, runner: None },
        }
    }

    /// Runs that were made before may warn, but not fail a build. That there are none must be said
    /// to be fine.
    fn with_kept(kept: Option<baseline::Baseline>, head: Workload) -> Self {
        let workloads = [None, Some(head)];
        match kept {
            Some(baseline::Baseline { side, runner, runs }) => Self {
                workloads,
                base: Base::Kept(runs),
                side: Some(side),
                baseline: kept_at(runner),
            },
            None => Self {
                workloads,
                base: Base::None,
                side: None,
                baseline: Baseline { source: Source::None, may_fail: true, runner: None },
            },
        }
    }
}

fn kept_at(runner: Runner) -> Baseline {
    Baseline { source: Source::File, may_fail: false, runner: Some(runner) }
}

fn plan(arguments: &Checking, source: Source) -> Plan {
    let confirm = arguments.confirm.unwrap_or(arguments.runs);
    let (order, confirmation_runs) = match source {
        Source::SameJob => (Order::Abba, confirm.into()),
        Source::File | Source::None => (Order::HeadOnly, 0),
    };
    let (runs, warm_up) = (arguments.runs.into(), arguments.warm_up.into());
    Plan { runs, confirmation_runs, warm_up, order }
}

/// The day, in UTC.
fn today() -> Date {
    let (year, month, day) = output::today();
    let date = Date::new(year as u16, month as u8, day as u8);
    date.expect("the calendar has each day of the clock")
}

/// What a self-test tells about this machine.
fn told(Noise { total, functions }: &Noise, result: &CheckResult) -> String {
    let (total, functions) = (total * 100.0, functions * 100.0);
    let pairs = if result.is_paired() { " within pairs of runs" } else { "" };
    format!(
        "\nnoise: the CPU time of a run differs by {total:.1} % (standard deviation{pairs}), that of a \
         function by {functions:.1} % besides the chance of sampling\n"
    )
}
