//! One comparison as `sigspy check` makes it: suspicion, then confirmation.

use sigspy_compare::{Comparison, Input, Key, Options, Suspects};
use sigspy_model::{Profile, Symbols};

use crate::world::{CHANGED, Change, Plan, World};

/// What the gate says.
pub struct Outcome {
    confirmed: Suspects,
}

impl Outcome {
    pub fn fails(&self) -> bool {
        !self.confirmed.is_empty()
    }

    /// For the function that has changed.
    pub fn finds_function(&self) -> bool {
        self.confirmed.functions.iter().any(is_changed)
    }

    /// For a function that has not.
    pub fn blames_another(&self) -> bool {
        !self.confirmed.functions.iter().all(is_changed)
    }

    /// For the CPU time as a whole.
    pub fn finds_total(&self) -> bool {
        self.confirmed.total
    }
}

fn is_changed(key: &Key) -> bool {
    *key.function == *format!("f{CHANGED}")
}

/// Compares a program with one that has changed.
pub fn trial(seed: u64, plan: &Plan, change: Change) -> Outcome {
    let mut world = World::new(seed, plan.share);
    let (base, head) = world.sides(plan, change);
    let options = Options { in_turn: true, ..Options::default() };
    let first = Comparison::new(&inputs(&base), &inputs(&head), &options);
    let suspects = first.suspects();
    if suspects.is_empty() {
        return Outcome { confirmed: suspects };
    }
    let (base, head) = world.sides(plan, change);
    Outcome { confirmed: first.confirmed(&suspects, &inputs(&base), &inputs(&head)).1 }
}

fn inputs(runs: &[(Profile, Symbols)]) -> Vec<Input<'_>> {
    runs.iter().map(|(profile, symbols)| Input { profile, symbols, work: 1.0 }).collect()
}
