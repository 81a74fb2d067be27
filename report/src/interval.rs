//! How sure a share is.

use sigspy_model::{Profile, StackKind};

/// Quantile of the normal distribution for 95 % of confidence, both sides together.
const Z: f64 = 1.959_964;

/// The 95 % confidence interval of a share, by Wilson's method: from 0 to 1, also for shares near
/// the ends and for few samples, where the textbook's `p ± z·s` leaves the range.
///
/// `samples` need not be whole, see [`effective_samples`]. Without samples anything is possible.
///
/// Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
/// JASA 22 (1927).
pub fn wilson(share: f64, samples: f64) -> (f64, f64) {
    if samples <= 0.0 {
        return (0.0, 1.0);
    }
    let z2n = Z * Z / samples;
    let centre = (share + z2n / 2.0) / (1.0 + z2n);
    let spread = (share * (1.0 - share) / samples + z2n / (4.0 * samples)).max(0.0).sqrt();
    let half = Z * spread / (1.0 + z2n);
    ((centre - half).clamp(0.0, share), (centre + half).clamp(share, 1.0)) // against rounding
}

/// How many samples of equal weight would tell as much as the samples with a stack do:
/// `(Σw)² / Σw²`. Ticks that merged into one signal are one observation, not several.
///
/// Source: L. Kish, Survey Sampling (1965).
pub fn effective_samples(profile: &Profile) -> f64 {
    let walked = |id| matches!(profile.stack(id).kind, StackKind::Walked(_));
    let samples = profile.samples.iter().filter(|sample| walked(sample.stack));
    let (sum, squares) = samples.fold((0.0, 0.0), |(sum, squares), sample| {
        let weight = sample.weight_ns as f64;
        (sum + weight, squares + weight * weight)
    });
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Builder;

    fn assert_close(actual: (f64, f64), expected: (f64, f64)) {
        // The books give four digits.
        let near = |a: f64, b: f64| (a - b).abs() < 5e-5;
        assert!(near(actual.0, expected.0) && near(actual.1, expected.1), "{actual:?}");
    }

    #[test]
    fn intervals_are_those_of_the_books() {
        // Newcombe, Two-sided confidence intervals for the single proportion, Statistics in
        // Medicine 17 (1998), table I, method 3.
        assert_close(wilson(81.0 / 263.0, 263.0), (0.2553, 0.3662));
        assert_close(wilson(15.0 / 148.0, 148.0), (0.0624, 0.1605));
        assert_close(wilson(0.0 / 20.0, 20.0), (0.0, 0.1611));
        assert_close(wilson(1.0 / 29.0, 29.0), (0.0061, 0.1718));
    }

    #[test]
    fn an_interval_stays_between_nothing_and_all() {
        for samples in [0.0, 0.5, 1.0, 1e9] {
            for share in [0.0, 0.5, 1.0] {
                let (low, high) = wilson(share, samples);
                assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
            }
        }
    }

    #[test]
    fn merged_ticks_count_as_one_observation() {
        let mut builder = Builder::new();
        builder.sample(&["main"], 10).sample(&["main"], 10);
        assert_eq!(effective_samples(&builder.profile), 2.0);
        builder.sample(&["main"], 80).stackless(StackKind::Lost, 1_000_000);
        assert_eq!(effective_samples(&builder.profile), 100.0 * 100.0 / 6600.0);
    }

    #[test]
    fn nothing_recorded_is_no_observation() {
        assert_eq!(effective_samples(&Builder::new().profile), 0.0);
    }
}
