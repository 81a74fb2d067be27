//! How many of the findings may be false.

/// For each p-value the least rate of false discoveries at which it would be one.
///
/// Source: Benjamini and Hochberg, Controlling the false discovery rate, Journal of the Royal
/// Statistical Society B 57 (1995).
pub fn false_discovery_rates(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_unstable_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let all = p_values.len() as f64;
    let mut rates = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (before, index) in order.into_iter().enumerate() {
        let rank = all - before as f64;
        least = least.min(p_values[index] * all / rank);
        rates[index] = least;
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_step_up_procedure() {
        let rates = false_discovery_rates(&[0.01, 0.04, 0.03, 0.5]);
        let expected = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5];
        assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rates:?}");
        assert_eq!(false_discovery_rates(&[]), []);
    }
}
