//! `sigspy check`: runs two versions of a program in turn, and tells whether the new one is slower.

mod folder;
mod runner;
mod runs;
mod workload;

use std::path::Path;

use sigspy_compare::check::{
    Baseline, CheckResult, Confirmation, Date, Evidence, Order, Plan, Policy, Setup, Source,
    Verdict, decide,
};
use sigspy_compare::{Comparison, Noise, faults};
use sigspy_report as report;

use crate::args::{Check, Inconclusive, Normalize};
use crate::error::Error;
use crate::sink::{STDOUT, Sink};
use crate::{comparing, output};
use folder::Folder;
use runs::{Bench, Runs};
use workload::Workload;

/// Exit status if there is no answer.
pub const FAILED: u8 = 2;

/// Runs the command.
pub fn run(arguments: &Check) -> Result<u8, Error> {
    let json = arguments.json.as_deref();
    let json = json.map(|path| Sink::create(path, arguments.sampling.force)).transpose()?;
    let bench = Bench {
        workloads: workloads(arguments)?,
        sampling: &arguments.sampling,
        work: arguments.work.as_deref(),
        folder: Folder::new(arguments.keep.as_deref())?,
    };
    let (policy, today) = (Policy::default(), today());
    let measured = measure(arguments, &bench, &policy, today)?;
    let setup = setup(arguments, &bench, measured.samples_per_second);
    let result = decide(setup, measured.evidence, &policy, today);
    show(&result, measured.noise.filter(|_| arguments.self_test))?;
    if let Some(mut sink) = json {
        report::check_json(&result, &mut sink)?;
        sink.finish("")?;
    }
    Ok(match result.verdict {
        Verdict::Inconclusive if arguments.inconclusive == Inconclusive::Pass => 0,
        _ => result.exit_code(),
    })
}

fn workloads(arguments: &Check) -> Result<[Workload; 2], Error> {
    let words = &arguments.words;
    if arguments.self_test {
        let workload = Workload::of_words(words)?;
        return Ok([workload.clone(), workload]);
    }
    let side = |path: Option<&Path>, text: Option<&str>| match (path, text) {
        (Some(path), _) => Workload::at(path, words),
        (_, text) => Workload::of_text(text.unwrap_or_default()),
    };
    let base = side(arguments.base.as_deref(), arguments.base_command.as_deref())?;
    Ok([base, side(arguments.head.as_deref(), arguments.head_command.as_deref())?])
}

/// What the runs have shown.
struct Measured {
    evidence: Evidence,
    samples_per_second: Option<f64>,
    /// How much runs differ by themselves.
    noise: Option<Noise>,
}

fn measure(
    arguments: &Check,
    bench: &Bench<'_>,
    policy: &Policy,
    today: Date,
) -> Result<Measured, Error> {
    let divided = arguments.comparing.normalize == Normalize::Work;
    let warm_up = bench.run("warm-up-", arguments.warm_up)?;
    let invalid = invalid(&warm_up, divided);
    if !invalid.is_empty() {
        return Ok(Measured::nothing(invalid, &warm_up));
    }
    drop(warm_up);
    let runs = bench.run("", arguments.runs)?;
    let invalid = self::invalid(&runs, divided);
    if !invalid.is_empty() {
        return Ok(Measured::nothing(invalid, &runs));
    }
    let options = comparing::options(&arguments.comparing);
    let first = Comparison::new(&runs.inputs(0, divided), &runs.inputs(1, divided), &options);
    let comparison = first.result();
    let suspects = first.suspects();
    let worth_it = policy.unwaived(&suspects, &comparison, today);
    let mut evidence = Evidence { comparison: Some(comparison), suspects, ..Evidence::default() };
    let confirm = arguments.confirm.unwrap_or(arguments.runs);
    if confirm > 0 && !worth_it.is_empty() {
        let runs = bench.run("confirm-", confirm)?;
        evidence.invalid = self::invalid(&runs, divided);
        let (base, head) = (runs.inputs(0, divided), runs.inputs(1, divided));
        let (again, confirmed) = first.confirmed(&worth_it, &base, &head);
        evidence.confirmation = Some(Confirmation { comparison: again.result(), confirmed });
    }
    let samples_per_second = runs.samples_per_second();
    Ok(Measured { evidence, samples_per_second, noise: first.noise() })
}

impl Measured {
    fn nothing(invalid: Vec<String>, runs: &Runs) -> Self {
        let evidence = Evidence { invalid, ..Evidence::default() };
        Self { evidence, samples_per_second: runs.samples_per_second(), noise: None }
    }
}

/// Why runs are no good, in sentences.
fn invalid(runs: &Runs, divided_by_work: bool) -> Vec<String> {
    let inputs = |side| runs.inputs(side, divided_by_work);
    let mut faults = faults(&inputs(0), &inputs(1));
    if faults.is_empty() {
        faults = runs.faults_of_work(divided_by_work);
    }
    faults
}

fn setup(arguments: &Check, bench: &Bench<'_>, samples_per_second: Option<f64>) -> Setup {
    let [base, head] = &bench.workloads;
    Setup {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        base: Some(base.side()),
        head: head.side(),
        runner: runner::this(samples_per_second),
        plan: Plan {
            runs: arguments.runs.into(),
            confirmation_runs: arguments.confirm.unwrap_or(arguments.runs).into(),
            warm_up: arguments.warm_up.into(),
            order: Order::Abba,
        },
        baseline: Baseline { source: Source::SameJob, may_fail: true, runner: None },
    }
}

/// The day, in UTC.
fn today() -> Date {
    let (year, month, day) = output::today();
    let date = Date::new(year as u16, month as u8, day as u8);
    date.expect("the calendar has each day of the clock")
}

/// Writes what the check comes to and, for a self-test, what it has told about this machine.
fn show(result: &CheckResult, noise: Option<Noise>) -> Result<(), Error> {
    let mut sink = Sink::create(Path::new(STDOUT), false)?;
    report::check_text(result, &mut sink)?;
    if let Some(Noise { total, functions }) = noise {
        let (total, functions) = (total * 100.0, functions * 100.0);
        let text = format!(
            "\nnoise: the CPU time of a run differs by {total:.1} % (standard deviation), that of a \
             function by {functions:.1} % besides the chance of sampling\n"
        );
        return sink.finish(&text);
    }
    sink.finish("")
}
