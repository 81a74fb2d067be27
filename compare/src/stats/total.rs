//! The CPU time of whole runs: what the functions cannot tell, as a change that has come over all of
//! them is taken for the size of the run.

use super::change::Change;
use super::counts::{Counts, mean, squares};

/// How total CPU time is compared.
#[derive(Clone, Copy, Debug)]
pub struct TotalSettings {
    /// Changes up to this one do not count.
    pub least_effect: f64,
    /// Chance of a false alarm.
    pub alpha: f64,
}

impl Default for TotalSettings {
    fn default() -> Self {
        Self { least_effect: 0.02, alpha: 0.01 }
    }
}

/// The change of CPU time for each unit of work. `None` without two runs on each side.
///
/// By Welch's t; where runs are paired, by that of their differences.
/// Source: B. L. Welch, The generalization of `Student's' problem, Biometrika 34 (1947).
pub fn total_change(counts: &Counts) -> Option<Change> {
    let y = logarithms(counts);
    let (base, head) = counts.sides(&y);
    if base.len() < 2 || head.len() < 2 {
        return None;
    }
    let log_ratio = mean(head) - mean(base);
    if counts.is_paired() {
        let (variance, df) = counts.variance(&y);
        let standard_error = (variance * 2.0 / base.len() as f64).sqrt();
        return Some(Change { log_ratio, standard_error, df });
    }
    let ((base_v, base_df), (head_v, head_df)) = (variance_of_mean(base), variance_of_mean(head));
    let variance = base_v + head_v;
    let df = variance * variance / (base_v * base_v / base_df + head_v * head_v / head_df);
    let df = if df.is_finite() { df } else { base_df + head_df };
    Some(Change { log_ratio, standard_error: variance.sqrt(), df })
}

/// The variance of the logarithm of CPU time between runs, as [`Counts::variance`] has it. `None`
/// with one run on each side.
pub fn variance_of_total(counts: &Counts) -> Option<f64> {
    let (variance, df) = counts.variance(&logarithms(counts));
    (df > 0.0).then_some(variance)
}

/// Of CPU time for each unit of work.
fn logarithms(counts: &Counts) -> Vec<f64> {
    counts.runs.iter().map(|run| (run.cpu_s / run.work).max(f64::MIN_POSITIVE).ln()).collect()
}

/// With its degrees of freedom.
fn variance_of_mean(values: &[f64]) -> (f64, f64) {
    let (n, df) = (values.len() as f64, (values.len() - 1) as f64);
    (squares(values) / df / n, df)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counts::RunTotal;

    fn counts(base: &[f64], head: &[f64], in_turn: bool) -> Counts {
        let run = |&cpu_s| RunTotal { cpu_s, samples: 1.0, seconds_per_sample: 1.0, work: 1.0 };
        let runs = base.iter().chain(head).map(run).collect();
        Counts { rows: Vec::new(), runs, base: base.len(), in_turn }
    }

    #[test]
    fn welchs_test_has_the_known_answer() {
        // Logarithms 1, 2, 3 and 4, 6, 8: t = 4 / sqrt(1/3 + 4/3), df = (5/3)² / (1/18 + 16/18).
        let e = |powers: [i32; 3]| powers.map(|power| std::f64::consts::E.powi(power));
        let change = total_change(&counts(&e([1, 2, 3]), &e([4, 6, 8]), false)).unwrap();
        assert!((change.log_ratio - 4.0).abs() < 1e-9);
        assert!((change.standard_error - (5.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        assert!((change.df - 25.0 / 9.0 / (17.0 / 18.0)).abs() < 1e-9);
    }

    #[test]
    fn many_runs_in_turn_are_compared_in_pairs() {
        let base: Vec<f64> = (1..=8).map(f64::from).collect();
        let head: Vec<f64> = base.iter().map(|cpu| cpu * 1.1).collect();
        let p = |in_turn| {
            let change = total_change(&counts(&base, &head, in_turn)).unwrap();
            change.p_value(1.0, 0.02_f64.ln_1p())
        };
        assert!(p(true) < 1e-6, "{}", p(true));
        assert!(p(false) > 0.1, "the order of other runs says nothing: {}", p(false));
    }

    #[test]
    fn one_run_is_not_compared() {
        assert_eq!(total_change(&counts(&[1.0], &[2.0, 2.0], false)), None);
    }

    #[test]
    fn runs_without_any_difference_are_not_slower() {
        let change = total_change(&counts(&[1.0; 3], &[1.0; 3], false)).unwrap();
        assert!(change.p_value(1.0, 0.02) > 0.5);
    }
}
