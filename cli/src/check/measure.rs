//! From runs to evidence.

use sigspy_compare::check::{Confirmation, Date, Evidence, Policy, Rename};
use sigspy_compare::{Comparison, Noise, doubts, faults};

use super::runs::{Bench, Run, Runs};
use crate::args::{Checking, Normalize};
use crate::comparing;
use crate::error::Error;

/// What the runs are compared with.
pub enum Base {
    /// Runs of the base, in turn.
    InTurn,
    /// Runs that were made before.
    Kept(Vec<Run>),
    /// Nothing: only budgets are looked at.
    None,
}

/// What the runs have shown.
pub struct Measured {
    pub evidence: Evidence,
    /// The first runs, or those that are no good.
    pub runs: Runs,
    /// How much runs differ by themselves.
    pub noise: Option<Noise>,
    /// What may matter besides, in sentences.
    pub notes: Vec<String>,
}

/// How runs are judged.
pub struct Rules<'a> {
    pub policy: &'a Policy,
    pub renames: &'a [Rename],
    pub today: Date,
}

/// Makes all runs: first those that warm up, then those that are compared, then, where something is
/// suspect and both sides can run, those that confirm it.
pub fn measure(
    arguments: &Checking,
    bench: &Bench<'_>,
    base: Base,
    rules: &Rules<'_>,
) -> Result<Measured, Error> {
    let divided = arguments.comparing.normalize == Normalize::Work;
    let warm_up = bench.run("warm-up-", arguments.warm_up)?;
    let invalid = invalid(&warm_up, divided);
    if !invalid.is_empty() {
        return Ok(Measured::nothing(invalid, warm_up));
    }
    drop(warm_up);
    let (can_confirm, is_alone) = (matches!(base, Base::InTurn), matches!(base, Base::None));
    let runs = bench.run("", arguments.runs)?;
    let runs = match base {
        Base::Kept(kept) => runs.with_base(kept),
        Base::InTurn | Base::None => runs,
    };
    let invalid = self::invalid(&runs, divided);
    if !invalid.is_empty() {
        return Ok(Measured::nothing(invalid, runs));
    }
    let mut options = comparing::options(&arguments.comparing);
    options.naming.rules = rules.renames.to_vec();
    options.in_turn = can_confirm;
    let head = runs.inputs(1, divided);
    let base = if is_alone { head.clone() } else { runs.inputs(0, divided) };
    let first = Comparison::new(&base, &head, &options);
    let (comparison, suspects) = (first.result(), first.suspects());
    let worth_it = rules.policy.unwaived(&suspects, &comparison, rules.today);
    let (sites, comparison) = (first.sites(&suspects), Some(comparison));
    let mut evidence = Evidence { comparison, suspects, sites, ..Evidence::default() };
    let confirm = arguments.confirm.unwrap_or(arguments.runs);
    if can_confirm && confirm > 0 && !worth_it.is_empty() {
        let runs = bench.run("confirm-", confirm)?;
        evidence.invalid = self::invalid(&runs, divided);
        let (base, head) = (runs.inputs(0, divided), runs.inputs(1, divided));
        let (again, confirmed) = first.confirmed(&worth_it, &base, &head);
        evidence.confirmation = Some(Confirmation { comparison: again.result(), confirmed });
    }
    let notes = if can_confirm { Vec::new() } else { doubts(&base, &head) };
    let noise = first.noise();
    Ok(Measured { evidence, runs, noise, notes })
}

impl Measured {
    fn nothing(invalid: Vec<String>, runs: Runs) -> Self {
        let evidence = Evidence { invalid, ..Evidence::default() };
        Self { evidence, runs, noise: None, notes: Vec::new() }
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
