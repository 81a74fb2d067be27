//! Cost that has only moved: a function takes longer, and what it is part of does not, or what it calls
//! or is called by takes so much less.
//!
//! Source of the idea: Valdez et al., FBDetect: Catching Tiny Performance Regressions at Hyperscale,
//! SOSP 2024.

use crate::functions::{FunctionId, Functions};
use crate::renames::sum;
use crate::stats::change::Analysis;
use crate::stats::counts::mean;
use crate::stats::sizes::HALF;

/// A caller is what a function is part of if so many of its calls come from there.
const MOST: f64 = 0.5;

/// What contains the function has not gained what the function has if it may have gained nothing, and
/// has gained less than this share of it for sure: runs that could rule out half of it would have to be
/// much longer.
const NEAR: f64 = 0.75;

/// A function has clearly less than before if chance would say so less often than this.
const CHANCE: f64 = 0.005;

/// Two functions have clearly changed together if chance would say so less often than this.
const SMALL_CHANCE: f64 = 0.001;

/// What two functions have gained together is little if it is less than this share of what one has.
const LITTLE: f64 = 0.35;

/// True gains that each of what contains the function may hide, of all.
const MISSED: f64 = 0.005;

/// What contains the function and has not changed, if it is known well enough that it has not: itself
/// with all that it calls, its caller, or the module.
pub fn unmoved(functions: &Functions, analysis: &Analysis, id: FunctionId) -> Option<String> {
    let gained = gain(functions, analysis, &functions.own.rows[id]);
    let is_unmoved = |row: &[f64]| has_not_gained(functions, analysis, row, gained);
    let is_from = |other, chance| has_taken_over(functions, analysis, (id, gained), other, chance);
    let callees = &functions.facts[id].callees;
    let is_from_one = |callee: &FunctionId| is_from(*callee, CHANCE / callees.len() as f64);
    let within_itself = callees.iter().any(is_from_one) || is_unmoved(&functions.total[id]);
    let within_caller =
        |caller: &FunctionId| is_from(*caller, CHANCE) || is_unmoved(&functions.total[*caller]);
    let place = within_itself
        .then_some(id)
        .or_else(|| dominant_caller(functions, id).filter(within_caller))
        .map(|place| functions.keys[place].to_string());
    let module = &functions.keys[id].module;
    place.or_else(|| is_unmoved(&of_module(functions, id)).then(|| module.to_string()))
}

/// Whether a function that has gained samples has them from another: that one has clearly less, and
/// both together have not clearly more.
fn has_taken_over(
    functions: &Functions,
    analysis: &Analysis,
    (id, gained): (FunctionId, f64),
    other: FunctionId,
    chance: f64,
) -> bool {
    let own = &functions.own.rows;
    let both = sum(&own[id], &own[other]);
    let p_value = |row: &[f64], direction| {
        analysis.change(&functions.own, row).p_value(direction * gained.signum(), 0.0)
    };
    id != other
        && p_value(&own[other], -1.0) < chance
        && p_value(&both, 1.0) > SMALL_CHANCE
        && gain(functions, analysis, &both) / gained < LITTLE
}

/// Samples that a run of the head has more.
fn gain(functions: &Functions, analysis: &Analysis, row: &[f64]) -> f64 {
    base(functions, analysis, row) * analysis.change(&functions.own, row).log_ratio.exp_m1()
}

/// Whether what contains a function is as it was, and not so much larger as the function is.
fn has_not_gained(functions: &Functions, analysis: &Analysis, row: &[f64], gained: f64) -> bool {
    let change = analysis.change_of_many(&functions.own, row);
    let (_, low, high) = change.ratio();
    let with_gain = (NEAR * gained / base(functions, analysis, row)).ln_1p();
    let direction = -gained.signum();
    let may_be_equal = low <= 1.0 && high >= 1.0;
    may_be_equal && change.p_value(direction, direction * with_gain) < MISSED
}

/// Samples of a run of the base, as for the logarithms of ratios: a function that is new has some, too.
fn base(functions: &Functions, analysis: &Analysis, row: &[f64]) -> f64 {
    mean(functions.own.sides(&analysis.resized(row)).0) + HALF
}

fn dominant_caller(functions: &Functions, id: FunctionId) -> Option<FunctionId> {
    let callers = &functions.facts[id].callers;
    let all: f64 = callers.values().sum();
    let others = callers.iter().filter(|(caller, _)| **caller != id);
    let (caller, samples) = others.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (*samples >= MOST * all).then_some(*caller)
}

/// Samples of all functions of the module.
fn of_module(functions: &Functions, id: FunctionId) -> Vec<f64> {
    let module = &functions.keys[id].module;
    let rows = functions.keys.iter().zip(&functions.own.rows);
    let rows = rows.filter(|(key, _)| key.module == *module);
    rows.fold(vec![0.0; functions.own.runs.len()], |all, (_, row)| sum(&all, row))
}
