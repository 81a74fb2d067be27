//! Cost that has only moved: a function takes longer, and what it is part of does not.
//!
//! Source of the idea: Valdez et al., FBDetect: Catching Tiny Performance Regressions at Hyperscale,
//! SOSP 2024.

use crate::functions::{FunctionId, Functions};
use crate::renames::sum;
use crate::stats::change::Analysis;
use crate::stats::counts::mean;

/// A caller is what a function is part of if so many of its calls come from there.
const MOST: f64 = 0.5;

/// What contains the function has not gained what the function has if it may have gained nothing, and
/// has gained less than this share of it for sure. With all of it, a fortieth of true gains would be
/// missed; runs that could rule out half of it would have to be much longer.
const NEAR: f64 = 0.75;

/// What contains the function and has not changed, if it is known well enough that it has not.
pub fn unmoved(functions: &Functions, analysis: &Analysis, id: FunctionId) -> Option<String> {
    let gained = difference(functions, analysis, &functions.own.rows[id])?.1;
    let is_unmoved = |row: &[f64]| {
        difference(functions, analysis, row).is_some_and(|(low, _, high)| {
            let most = if gained < 0.0 { -low } else { high };
            low <= 0.0 && high >= 0.0 && most < NEAR * gained.abs()
        })
    };
    let caller =
        dominant_caller(functions, id).filter(|caller| is_unmoved(&functions.total[*caller]));
    let of_caller = caller.map(|caller| functions.keys[caller].to_string());
    let module = &functions.keys[id].module;
    of_caller.or_else(|| is_unmoved(&of_module(functions, id)).then(|| module.to_string()))
}

/// Samples of a run that are gained, at least, about, and at most.
fn difference(functions: &Functions, analysis: &Analysis, row: &[f64]) -> Option<(f64, f64, f64)> {
    let resized = analysis.resized(row);
    let base = mean(functions.own.sides(&resized).0);
    let (ratio, low, high) = analysis.change(&functions.own, row).ratio();
    let of = |ratio: f64| base * (ratio - 1.0);
    (base > 0.0 && high.is_finite()).then(|| (of(low), of(ratio), of(high)))
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
