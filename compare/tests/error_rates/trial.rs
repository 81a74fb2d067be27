//! One comparison as `sigspy check` makes it: suspicion, then confirmation.

use sigspy_compare::{Comparison, Input, Key, Options, Suspects};
use sigspy_model::{Profile, Symbols};

use crate::world::{CHANGED, Plan, World};

/// What the gate says.
pub struct Outcome {
    confirmed: Suspects,
}

impl Outcome {
    pub fn fails(&self) -> bool {
        !self.confirmed.is_empty()
    }

    /// For the function that was made slower.
    pub fn finds_function(&self) -> bool {
        self.confirmed.functions.iter().any(is_changed)
    }

    /// For a function that was not.
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

/// Compares a program with one of which a function takes `factor` times as long, and all functions
/// `total` times.
pub fn trial(seed: u64, plan: &Plan, factor: f64, total: f64) -> Outcome {
    let mut world = World::new(seed, plan.share);
    let (base, head) = world.sides(plan, factor, total);
    let options = Options { in_turn: true, ..Options::default() };
    let first = Comparison::new(&inputs(&base), &inputs(&head), &options);
    let suspects = first.suspects();
    if suspects.is_empty() {
        return Outcome { confirmed: suspects };
    }
    let (base, head) = world.sides(plan, factor, total);
    Outcome { confirmed: first.confirmed(&suspects, &inputs(&base), &inputs(&head)).1 }
}

fn inputs(runs: &[(Profile, Symbols)]) -> Vec<Input<'_>> {
    runs.iter().map(|(profile, symbols)| Input { profile, symbols, work: 1.0 }).collect()
}
