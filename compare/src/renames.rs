//! Functions that go by another name since, or were moved.
//!
//! One vanished, another appeared and takes about as long: if both have the same last name, are in the
//! same lines of a file, or have the same callers and callees, they are one. What says more goes
//! first: a name pairs before lines do, as all functions of a macro are in one. For what is left, lines
//! are enough.

use std::collections::BTreeSet;

use crate::functions::{FunctionId, Functions};
use crate::stats::change::Analysis;
use crate::stats::counts::mean;

/// What is left of a function that vanished: a share of what it had.
const NOTHING: f64 = 0.02;
/// Ratio within which two functions take equally long.
const EQUAL: f64 = 1.25;
/// Two functions do not take equally long if chance would say so less often than this. Runs differ, and
/// what is one and is taken for two is called a regression.
const CHANCE: f64 = 0.001;
/// Shared callers and callees, of all they have.
const ALIKE: f64 = 0.6;
/// Larger than this, tables of pairs are not looked through.
const MANY: usize = 200;

type Relation = fn(&Functions, FunctionId, FunctionId) -> bool;

/// What says that two functions are one, and whether it says so whatever they take.
const RELATIONS: [(Relation, bool); 4] =
    [(same_leaf, false), (same_lines, false), (same_neighbours, false), (same_lines, true)];

/// Pairs of a function of the base and one of the head, each function in at most one of them.
pub fn pairs(
    functions: &Functions,
    analysis: &Analysis,
    least_samples: f64,
) -> Vec<(FunctionId, FunctionId)> {
    let gone = one_sided(functions, least_samples, |base, head| (base, head));
    let new = one_sided(functions, least_samples, |base, head| (head, base));
    let mut found = Vec::new();
    let mut taken = BTreeSet::new();
    for (are_related, whatever_they_take) in RELATIONS {
        for gone in &gone {
            let is_pair = |new: &&FunctionId| {
                !taken.contains(*new)
                    && are_related(functions, *gone, **new)
                    && (whatever_they_take || takes_as_long(functions, analysis, *gone, **new))
            };
            if taken.contains(gone) {
                continue;
            }
            if let Some(new) = new.iter().find(is_pair) {
                taken.extend([*gone, *new]);
                found.push((*gone, *new));
            }
        }
    }
    found
}

/// Functions with enough samples on one side and none to speak of on the other, the largest first.
fn one_sided(
    functions: &Functions,
    least_samples: f64,
    order: fn(f64, f64) -> (f64, f64),
) -> Vec<FunctionId> {
    let there = |id: &FunctionId| {
        let (base, head) = functions.own.sides(&functions.own.rows[*id]);
        let (there, not_there) = order(mean(base), mean(head));
        (there >= least_samples && not_there <= NOTHING * there).then_some(there)
    };
    let ids = (0..functions.keys.len()).filter(|id| !functions.keys[*id].is_unknown());
    let mut found: Vec<_> = ids.filter_map(|id| there(&id).map(|samples| (id, samples))).collect();
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    found.into_iter().take(MANY).map(|(id, _)| id).collect()
}

fn same_leaf(functions: &Functions, gone: FunctionId, new: FunctionId) -> bool {
    functions.keys[gone].leaf() == functions.keys[new].leaf()
}

fn same_lines(functions: &Functions, gone: FunctionId, new: FunctionId) -> bool {
    let (gone, new) = (&functions.facts[gone], &functions.facts[new]);
    let range = |lines: &std::collections::BTreeMap<u32, f64>| {
        Some((*lines.first_key_value()?.0, *lines.last_key_value()?.0))
    };
    let overlap = range(gone.lines()).zip(range(new.lines())).is_some_and(
        |((gone_first, gone_last), (new_first, new_last))| {
            gone_first <= new_last && new_first <= gone_last
        },
    );
    overlap && gone.file().is_some() && gone.file() == new.file()
}

fn same_neighbours(functions: &Functions, gone: FunctionId, new: FunctionId) -> bool {
    let neighbours = |id: FunctionId| -> BTreeSet<FunctionId> {
        let facts = &functions.facts[id];
        facts.callers.keys().chain(&facts.callees).copied().filter(|other| *other != id).collect()
    };
    let (gone, new) = (neighbours(gone), neighbours(new));
    let (shared, all) = (gone.intersection(&new).count(), gone.union(&new).count());
    shared >= 2 && shared as f64 >= ALIKE * all as f64
}

fn takes_as_long(
    functions: &Functions,
    analysis: &Analysis,
    gone: FunctionId,
    new: FunctionId,
) -> bool {
    let row = sum(&functions.own.rows[gone], &functions.own.rows[new]);
    let change = analysis.change(&functions.own, &row);
    [1.0, -1.0].iter().all(|direction| change.p_value(*direction, EQUAL.ln()) > CHANCE)
}

/// Element by element.
pub fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
