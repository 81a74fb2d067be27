//! What a comparison has found, as data: the one source of all ways to write it down.
//!
//! Times are CPU seconds of one run, shares and ratios are fractions: 0.05 is 5 %.

use serde::{Deserialize, Serialize};

use crate::key::Key;

/// Version of [`Comparison`], for those who read one from a file.
pub const SCHEMA: u32 = 1;

/// Two sides, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub base: Side,
    pub head: Side,
    pub normalization: Normalized,
    /// Whether runs were compared in pairs that were made next to each other. If so, noise is what is
    /// not common to both.
    #[serde(default)]
    pub paired: bool,
    /// Whether there were several runs on a side. If not, intervals and rates know of the chance of
    /// sampling alone, not of how runs differ.
    pub noise_is_known: bool,
    pub rules: Rules,
    pub total: Total,
    /// All functions with samples, the largest difference first.
    pub functions: Vec<Function>,
    /// What would have been seen, for functions of several sizes; empty if that is not known.
    pub detectable: Vec<Detectable>,
    /// What should be known about it, in sentences.
    pub notes: Vec<String>,
}

/// The runs of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub runs: usize,
    /// CPU time of a run, on average.
    pub cpu_s: f64,
    /// Samples with a stack of a run, on average.
    pub samples: f64,
    /// Work of a run, on average; 1 where nobody counted it.
    pub work: f64,
}

/// What runs were divided by before functions were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalized {
    /// The median of the ratios of all functions.
    MedianOfRatios,
    Cpu,
    None,
    Work,
}

/// When a change counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    pub least_effect: f64,
    pub least_cost: f64,
    pub false_discoveries: f64,
    pub total_least_effect: f64,
    pub total_alpha: f64,
}

/// CPU time as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Total {
    /// For each unit of work; `None` with one run on a side.
    pub change: Option<Ratio>,
    pub finding: Finding,
    /// The smallest slowdown that would have been seen.
    pub detectable: Option<f64>,
}

/// How many times as much, with a 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
}

/// What is to be thought of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Slower by more than chance explains.
    Slower,
    /// Faster by more than chance explains.
    Faster,
    /// No evidence of a change that matters.
    NoEvidence,
    /// Too few samples to say anything.
    NotTested,
}

/// A function on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// The crate, or the module without version; empty where there is none.
    pub module: String,
    /// Canonical name: it stays the same when the program is built again.
    pub function: String,
    pub file: Option<String>,
    /// The line that had most samples.
    pub line: Option<u32>,
    /// CPU time of its own of a run, as if all runs were of the same size.
    pub base_s: f64,
    pub head_s: f64,
    /// Of the samples of a side.
    pub base_share: f64,
    pub head_share: f64,
    /// Share of the samples with the function on the stack.
    pub base_total_share: f64,
    pub head_total_share: f64,
    /// `None` where it was not tested.
    pub change: Option<Ratio>,
    /// Rate of false discoveries at which it would be a finding, in the direction of the change.
    pub q_value: Option<f64>,
    pub finding: Finding,
    pub labels: Vec<Label>,
}

/// What else is known about a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Only in the head.
    New,
    /// Only in the base.
    Gone,
    /// It was called that in the base.
    Renamed(String),
    /// The time came from elsewhere in that caller or module, which takes no longer than before.
    CostShift(String),
}

/// The smallest slowdown that nine of ten comparisons would have found, of a function of that size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detectable {
    pub share: f64,
    pub slowdown: f64,
}

impl Function {
    /// The key in one string, for those who have to find a function again in other results.
    pub fn key(&self) -> String {
        format!("{}!{}", self.module, self.function)
    }

    /// The difference of CPU time of a run.
    pub fn difference_s(&self) -> f64 {
        self.head_s - self.base_s
    }

    pub fn is_cost_shift(&self) -> bool {
        self.labels.iter().any(|label| matches!(label, Label::CostShift(_)))
    }
}

impl Comparison {
    /// The function with a key.
    pub fn function(&self, key: &Key) -> Option<&Function> {
        let is_it = |one: &&Function| *one.module == *key.module && *one.function == *key.function;
        self.functions.iter().find(is_it)
    }

    /// Functions that take longer, and not because cost was moved.
    pub fn slower(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|one| one.finding == Finding::Slower && !one.is_cost_shift())
    }

    pub fn faster(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|one| one.finding == Finding::Faster && !one.is_cost_shift())
    }
}
