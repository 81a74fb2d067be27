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

/// A function has clearly less than before if chance would say so less often than this. That is never so
/// of most functions: all neighbours of what is slower are asked, and one that is wrong hides a regression.
const CHANCE: f64 = 0.005;

/// Functions have clearly changed together if chance would say so less often than this.
const SMALL_CHANCE: f64 = 0.001;

/// What functions have gained together is little if it is less than this share of what some have. Half
/// would be as near to all as to nothing.
const LITTLE: f64 = 0.35;

/// True gains that each of what contains the function may hide, of all.
const MISSED: f64 = 0.005;

/// What is known of all functions, and those that have changed.
pub struct Changes<'a> {
    pub functions: &'a Functions,
    pub analysis: &'a Analysis,
    pub changed: &'a [FunctionId],
}

impl Changes<'_> {
    /// Within what the cost of a function was only moved, if that is known well enough: itself with all
    /// that it calls, its caller, or the module.
    pub fn place_of_shift(&self, id: FunctionId) -> Option<String> {
        let Functions { keys, total, .. } = self.functions;
        let gained = self.gain(&self.functions.own.rows[id]);
        let is_unmoved = |row: &[f64]| self.has_not_gained(row, gained);
        let callees = self.callees(id);
        let chance = CHANCE / callees.len() as f64;
        let within_itself = callees.iter().any(|callee| self.has_given(*callee, &[id], chance))
            || is_unmoved(&total[id]);
        let within_caller = |caller: &FunctionId| {
            let gainers = self.callees_like(*caller, gained);
            self.has_given(*caller, &gainers, CHANCE) || is_unmoved(&total[*caller])
        };
        let place = within_itself
            .then_some(id)
            .or_else(|| dominant_caller(self.functions, id).filter(within_caller))
            .map(|place| keys[place].to_string());
        let module = &keys[id].module;
        place.or_else(|| is_unmoved(&of_module(self.functions, id)).then(|| module.to_string()))
    }

    /// Whether a function has clearly less, and with those that have gained about as much as before. Or
    /// clearly more, for those that are faster.
    fn has_given(&self, giver: FunctionId, gainers: &[FunctionId], chance: f64) -> bool {
        let own = &self.functions.own.rows;
        let none = vec![0.0; self.functions.own.runs.len()];
        let gainers = gainers.iter().fold(none, |all, id| sum(&all, &own[*id]));
        let (all, gained) = (sum(&gainers, &own[giver]), self.gain(&gainers));
        let p_value = |row: &[f64], direction, least| {
            self.analysis.change(&self.functions.own, row).p_value(direction, least)
        };
        let has_changed =
            |direction| p_value(&all, direction, self.analysis.least_effect()) < SMALL_CHANCE;
        p_value(&own[giver], -gained.signum(), 0.0) < chance
            && !has_changed(1.0)
            && !has_changed(-1.0)
            && self.gain(&all).abs() < LITTLE * gained.abs()
    }

    /// Functions that are part of this one and have changed as one has that gained so much: what a
    /// caller has given is not counted for each of them.
    fn callees_like(&self, caller: FunctionId, gained: f64) -> Vec<FunctionId> {
        let is_like = |id: &FunctionId| {
            dominant_caller(self.functions, *id) == Some(caller)
                && self.gain(&self.functions.own.rows[*id]) * gained > 0.0
        };
        self.changed.iter().copied().filter(is_like).collect()
    }

    /// Functions that are part of this one. Others change for the sake of others.
    fn callees(&self, id: FunctionId) -> Vec<FunctionId> {
        let callees = self.functions.facts[id].callees.iter().copied();
        let is_part = |callee: &FunctionId| {
            dominant_caller(self.functions, *callee) == Some(id)
                && !self.functions.keys[*callee].is_unknown()
        };
        callees.filter(is_part).collect()
    }

    /// Whether what contains a function is as it was, and not so much larger as the function is.
    fn has_not_gained(&self, row: &[f64], gained: f64) -> bool {
        let change = self.analysis.change_of_many(&self.functions.own, row);
        let (_, low, high) = change.ratio();
        let with_gain = (NEAR * gained / self.base(row)).ln_1p();
        let direction = -gained.signum();
        let may_be_equal = low <= 1.0 && high >= 1.0;
        may_be_equal && change.p_value(direction, direction * with_gain) < MISSED
    }

    /// Samples that a run of the head has more.
    fn gain(&self, row: &[f64]) -> f64 {
        let change = self.analysis.change(&self.functions.own, row);
        self.base(row) * change.log_ratio.exp_m1()
    }

    /// Samples of a run of the base, as for the logarithms of ratios: a function that is new has some,
    /// too.
    fn base(&self, row: &[f64]) -> f64 {
        mean(self.functions.own.sides(&self.analysis.resized(row)).0) + HALF
    }
}

fn dominant_caller(functions: &Functions, id: FunctionId) -> Option<FunctionId> {
    let callers = || functions.facts[id].callers.iter().filter(|(caller, _)| **caller != id);
    let all: f64 = callers().map(|(_, samples)| samples).sum();
    let (caller, samples) = callers().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (*samples >= MOST * all).then_some(*caller)
}

/// Samples of all functions of the module.
fn of_module(functions: &Functions, id: FunctionId) -> Vec<f64> {
    let module = &functions.keys[id].module;
    let rows = functions.keys.iter().zip(&functions.own.rows);
    let rows = rows.filter(|(key, _)| key.module == *module);
    rows.fold(vec![0.0; functions.own.runs.len()], |all, (_, row)| sum(&all, row))
}
