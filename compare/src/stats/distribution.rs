//! The functions that the tests are made of.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
pub use statrs::function::gamma::digamma;

/// Beyond so many degrees of freedom Student's distribution is taken for the normal one.
const NORMAL: f64 = 1e4;

/// The chance that Student's t with `df` degrees of freedom is above `t`. 1 where `t` is no number,
/// which is: no evidence.
pub fn above(t: f64, df: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, df) {
        _ if t.is_nan() => 1.0,
        _ if df > NORMAL => Normal::standard().sf(t),
        Ok(student) => student.sf(t),
        Err(_) => 1.0,
    }
}

/// The value that Student's t with `df` degrees of freedom is above of with chance `p`.
pub fn quantile_above(p: f64, df: f64) -> f64 {
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    match StudentsT::new(0.0, 1.0, df) {
        _ if df > NORMAL => -Normal::standard().inverse_cdf(p),
        Ok(student) => -student.inverse_cdf(p),
        Err(_) => f64::INFINITY,
    }
}

/// The derivative of [`digamma`], for `x > 0`: by the recurrence `ψ'(x) = ψ'(x + 1) + 1/x²`, up to
/// where the asymptotic series is exact.
///
/// Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 6.4.6 and 6.4.12.
pub fn trigamma(x: f64) -> f64 {
    const LARGE: f64 = 20.0;
    let (mut x, mut sum) = (x, 0.0);
    while x < LARGE {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    sum + 1.0 / x + y / 2.0 + y / x * (1.0 / 6.0 - y * (1.0 / 30.0 - y / 42.0))
}

/// The `x` at which [`trigamma`], which falls everywhere, is `y > 0`: by bisection of `ln x`.
pub fn inverse_trigamma(y: f64) -> f64 {
    let (mut low, mut high) = (-18.0_f64, 18.0_f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match trigamma(middle.exp()) > y {
            true => low = middle,
            false => high = middle,
        }
    }
    low.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: f64, expected: f64) {
        assert!((actual / expected - 1.0).abs() < 1e-5, "{actual} is not {expected}");
    }

    #[test]
    fn values_are_those_of_the_books() {
        assert_close(trigamma(1.0), std::f64::consts::PI.powi(2) / 6.0);
        assert_close(trigamma(0.5), std::f64::consts::PI.powi(2) / 2.0);
        assert_close(trigamma(100.0), 0.010_050_166_663_3);
        assert_close(quantile_above(0.05, 8.0), 1.859_548_0);
        assert_close(quantile_above(0.025, 1000.0), 1.962_339_1);
        assert_close(quantile_above(0.025, f64::INFINITY), 1.959_964_0);
        assert_close(above(2.306_004_1, 8.0), 0.025);
    }

    #[test]
    fn the_inverse_leads_back() {
        for x in [0.01, 0.3, 1.0, 4.0, 50.0, 1e5] {
            assert_close(inverse_trigamma(trigamma(x)), x);
        }
    }

    #[test]
    fn without_degrees_of_freedom_nothing_is_certain() {
        assert_eq!(above(100.0, 0.0), 1.0);
        assert_eq!(above(f64::NAN, 8.0), 1.0);
        assert_eq!(quantile_above(0.05, 0.0), f64::INFINITY);
    }
}
