//! The variance of one function, helped out by that of all.
//!
//! Five runs say little about the variance of one function. That of all functions together is known
//! well, and how much they differ in it, too: this is a prior, which is worth so many further degrees
//! of freedom.
//!
//! Source: G. K. Smyth, Linear models and empirical Bayes methods for assessing differential
//! expression in microarray experiments, Statistical Applications in Genetics and Molecular
//! Biology 3 (2004), sections 4 and 6.2.

use super::counts::{mean, median, squares};
use super::distribution::{digamma, inverse_trigamma, trigamma};

/// What is known about the variances of all functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Degrees of freedom that it is worth; infinite where functions do not differ.
    pub df: f64,
    /// Variance of the logarithm beyond that of sampling.
    pub excess: f64,
    /// What the trend is multiplied by.
    pub scale: f64,
}

/// Fewer functions say nothing about each other.
const ENOUGH: usize = 3;

impl Prior {
    /// What variances with `df` degrees of freedom of functions with so many samples in a run say.
    pub fn fit(variances: &[f64], samples: &[f64], df: f64) -> Self {
        let beyond = variances.iter().zip(samples).map(|(s2, mu)| s2 - sampling(*mu));
        let excess = median(beyond.collect()).max(0.0);
        let flat = Self { df: 0.0, excess, scale: 1.0 };
        if variances.len() < ENOUGH || df <= 0.0 {
            return flat;
        }
        let ratios: Vec<f64> =
            variances.iter().zip(samples).map(|(s2, mu)| s2 / flat.variance(*mu)).collect();
        let (prior_df, scale) = fit_f(&ratios, df);
        Self { df: prior_df, excess, scale }
    }

    /// The variance that a function with so many samples in a run has, before it is looked at.
    pub fn variance(&self, samples: f64) -> f64 {
        self.scale * (sampling(samples) + self.excess)
    }

    /// The variance of a function, of which `s2` with `df` degrees of freedom was seen, and the
    /// degrees of freedom of that.
    pub fn moderated(&self, s2: f64, df: f64, samples: f64) -> (f64, f64) {
        let expected = self.variance(samples);
        if self.df.is_infinite() {
            return (expected, f64::INFINITY);
        }
        let all = self.df + df;
        ((self.df * expected + df * s2) / all, all)
    }
}

/// The variance of the logarithm of a count, by sampling alone.
pub fn sampling(samples: f64) -> f64 {
    1.0 / samples.max(1.0)
}

/// Degrees of freedom and scale of the distribution that the variances of functions come from, by
/// the moments of their logarithms.
fn fit_f(ratios: &[f64], df: f64) -> (f64, f64) {
    let least = 1e-5 * median(ratios.to_vec()).max(1e-10);
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.max(least).ln()).collect();
    let centre = mean(&logs) - digamma(df / 2.0) + (df / 2.0).ln();
    let spread = squares(&logs) / (logs.len() - 1) as f64 - trigamma(df / 2.0);
    if spread <= 0.0 {
        return (f64::INFINITY, mean(ratios));
    }
    let prior = 2.0 * inverse_trigamma(spread);
    (prior, (centre + digamma(prior / 2.0) - (prior / 2.0).ln()).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};
    use rand_distr::{ChiSquared, Distribution};

    /// Variances of many functions, whose own scaled variance has `prior` degrees of freedom.
    fn variances(prior: f64, df: f64, scale: f64) -> Vec<f64> {
        let mut random = StdRng::seed_from_u64(7);
        let mut chi = |df: f64| ChiSquared::new(df).unwrap().sample(&mut random) / df;
        (0..4000).map(|_| scale * chi(df) / chi(prior)).collect()
    }

    #[test]
    fn the_prior_is_found_again() {
        let (df, scale) = fit_f(&variances(10.0, 8.0, 0.5), 8.0);
        assert!((9.0..11.5).contains(&df), "{df}");
        assert!((0.48..0.52).contains(&scale), "{scale}");
    }

    #[test]
    fn functions_that_do_not_differ_share_one_variance() {
        let variances = [2.0, 2.1, 1.9, 2.0, 2.05];
        let prior = Prior::fit(&variances, &[1e9; 5], 8.0);
        assert_eq!(prior.df, f64::INFINITY);
        let (s2, df) = prior.moderated(5.0, 8.0, 1e9);
        assert!((s2 - 2.01).abs() < 0.02 && df.is_infinite(), "{s2} {df}");
    }

    #[test]
    fn few_functions_are_left_to_themselves() {
        let prior = Prior::fit(&[0.1, 0.4], &[100.0, 100.0], 8.0);
        assert_eq!(prior.moderated(0.4, 8.0, 100.0), (0.4, 8.0));
    }

    #[test]
    fn no_variance_at_all_is_no_division_by_zero() {
        let prior = Prior::fit(&[0.0; 5], &[100.0; 5], 8.0);
        let (s2, df) = prior.moderated(0.0, 8.0, 100.0);
        assert!(s2.is_finite() && s2 >= 0.0 && df > 0.0);
    }
}
