//! How much a run has of everything.
//!
//! A machine that is slow for one run makes all functions slow. Shares of the total would take that
//! out, but a function that grows would then make all others shrink. The median of the ratios takes
//! it out as well, and one function does not move it.
//!
//! Source: Anders and Huber, Differential expression analysis for sequence count data, Genome
//! Biology 11 (2010).

use super::counts::{Counts, mean, median};

/// What a run is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalization {
    /// The median of ratios where there are enough functions for it, else nothing.
    #[default]
    Auto,
    /// Its CPU time: shares are compared.
    Cpu,
    /// Nothing: CPU seconds are compared.
    None,
    /// The work that was done: CPU seconds for each unit of work are compared.
    Work,
}

/// Fewer functions are not enough for [`Normalization::Auto`]: the median would be the function
/// that has changed.
const ENOUGH: usize = 5;

/// Added to each count, for its logarithm.
pub const HALF: f64 = 0.5;

impl Normalization {
    /// What `Auto` is with so many functions.
    pub fn resolved(self, functions: usize) -> Self {
        if self == Self::Auto && functions < ENOUGH { Self::None } else { self }
    }

    /// The logarithm of the size of each run in samples. Their differences matter, not their mean.
    pub fn log_sizes(self, counts: &Counts, tested: &[usize]) -> Vec<f64> {
        let of = |size: fn(&super::counts::RunTotal) -> f64| {
            counts.runs.iter().map(|run| size(run).max(f64::MIN_POSITIVE).ln()).collect()
        };
        match self.resolved(tested.len()) {
            Self::Auto => median_of_ratios(counts, tested),
            Self::Cpu => of(|run| run.samples),
            Self::None => of(|run| 1.0 / run.seconds_per_sample),
            Self::Work => of(|run| run.work / run.seconds_per_sample),
        }
    }
}

fn median_of_ratios(counts: &Counts, tested: &[usize]) -> Vec<f64> {
    let logs: Vec<Vec<f64>> = tested.iter().map(|row| logarithms(&counts.rows[*row])).collect();
    let ratio = |run: usize| median(logs.iter().map(|row| row[run] - mean(row)).collect());
    (0..counts.runs.len()).map(ratio).collect()
}

pub fn logarithms(row: &[f64]) -> Vec<f64> {
    row.iter().map(|count| (count + HALF).ln()).collect()
}
