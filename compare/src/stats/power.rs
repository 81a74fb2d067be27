//! What would have been seen.

use super::change::{Analysis, Settings};
use super::counts::{Counts, mean};
use super::distribution::quantile_above;
use super::total::{TotalSettings, total_change};

/// The chance with which a change of that size is found.
const POWER: f64 = 0.9;

/// The smallest slowdown of a function with this share of the CPU time that would have been found
/// in nine of ten comparisons, were it the only one: 0.2 is 20 %. About right: optimistic where some
/// runs are far off the others. `None` without runs to tell noise from, and for a function that would
/// have too few samples to be tested.
pub fn detectable(
    counts: &Counts,
    analysis: &Analysis,
    settings: &Settings,
    share: f64,
) -> Option<f64> {
    if analysis.df <= 0.0 || counts.base == 0 || counts.head() == 0 {
        return None;
    }
    let samples: Vec<f64> = counts.runs.iter().map(|run| run.samples * share).collect();
    if mean(&samples) < settings.filter.least_samples {
        return None;
    }
    let variance = analysis.prior.variance(mean(&samples));
    let runs = 1.0 / counts.base as f64 + 1.0 / counts.head() as f64;
    let df = analysis.prior.df + analysis.df;
    let p = settings.false_discoveries / analysis.tested.len().max(1) as f64;
    let effect = smallest(settings.least_effect, p, df, (variance * runs).sqrt());
    Some(effect.max(settings.least_cost / share)).filter(|effect| effect.is_finite())
}

/// The same for the total CPU time.
pub fn detectable_total(counts: &Counts, settings: &TotalSettings) -> Option<f64> {
    let change = total_change(counts)?;
    let effect = smallest(settings.least_effect, settings.alpha, change.df, change.standard_error);
    Some(effect).filter(|effect| effect.is_finite())
}

fn smallest(least_effect: f64, p: f64, df: f64, standard_error: f64) -> f64 {
    let errors = quantile_above(p, df) + quantile_above(1.0 - POWER, df);
    (least_effect.ln_1p() + errors * standard_error).exp() - 1.0
}
