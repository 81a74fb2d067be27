//! How much a run has of everything.
//!
//! A machine that is slow for one run makes all functions slow. Shares of the total would take that
//! out, but a function that grows would then make all others shrink. The median of the ratios takes
//! it out as well, and one function does not move it.
//!
//! Source: Anders and Huber, Differential expression analysis for sequence count data, Genome
//! Biology 11 (2010).

use std::f64::consts::PI;

use super::counts::{Counts, mean, median, sum};
use super::total::variance_of_total;

/// What a run is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalization {
    /// The median of ratios where there are enough functions and samples for it, else nothing.
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

/// Relative standard deviation of CPU time between runs, where there is one run alone.
const USUAL_NOISE: f64 = 0.03;

/// Added to each count, for its logarithm.
pub const HALF: f64 = 0.5;

impl Normalization {
    /// What `Auto` is with these functions: nothing, if runs differ by less than the median may be off.
    pub fn resolved(self, counts: &Counts, tested: &[usize]) -> Self {
        let noise = || variance_of_total(counts).map_or(USUAL_NOISE, f64::sqrt);
        let error = || error_of_median(counts, tested).max(hidden_by_median(counts, tested));
        let is_better = || tested.len() >= ENOUGH && error() <= noise();
        if self == Self::Auto && !is_better() { Self::None } else { self }
    }

    /// The logarithm of the size of each run in samples, by what [`Self::resolved`] gives. Their
    /// differences matter, not their mean.
    pub fn log_sizes(self, counts: &Counts, tested: &[usize]) -> Vec<f64> {
        let of = |size: fn(&super::counts::RunTotal) -> f64| {
            counts.runs.iter().map(|run| size(run).max(f64::MIN_POSITIVE).ln()).collect()
        };
        match self {
            Self::Auto => median_of_ratios(counts, tested),
            Self::Cpu => of(|run| run.samples),
            Self::None => of(|run| 1.0 / run.seconds_per_sample),
            Self::Work => of(|run| run.work / run.seconds_per_sample),
        }
    }
}

/// How much of a change of the function with most samples the median of ratios hides, as a logarithm:
/// the function leaves the middle, upwards on one side and downwards on the other, and the median
/// follows, by as much as makes up for half a function where the sampling errors of the others are
/// densest.
fn hidden_by_median(counts: &Counts, tested: &[usize]) -> f64 {
    let mut precisions = precisions(counts, tested);
    precisions.sort_unstable_by(f64::total_cmp);
    precisions.pop();
    2.0 * (PI / 2.0).sqrt() / sum(&precisions)
}

/// The standard deviation of the median of ratios by sampling alone, as a logarithm: that of a median
/// is one half, by the root of how many there are, by how dense they are in the middle.
fn error_of_median(counts: &Counts, tested: &[usize]) -> f64 {
    (tested.len() as f64 * PI / 2.0).sqrt() / sum(&precisions(counts, tested))
}

/// One by the standard deviation of a function's logarithm in a run, by sampling alone.
fn precisions(counts: &Counts, tested: &[usize]) -> Vec<f64> {
    tested.iter().map(|row| mean(&counts.rows[*row]).sqrt()).collect()
}

fn median_of_ratios(counts: &Counts, tested: &[usize]) -> Vec<f64> {
    let logs: Vec<Vec<f64>> = tested.iter().map(|row| logarithms(&counts.rows[*row])).collect();
    let ratio = |run: usize| median(logs.iter().map(|row| row[run] - mean(row)).collect());
    (0..counts.runs.len()).map(ratio).collect()
}

pub fn logarithms(row: &[f64]) -> Vec<f64> {
    row.iter().map(|count| (count + HALF).ln()).collect()
}
