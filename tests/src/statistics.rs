//! How far off a profile may be by chance.
//!
//! A sample stands for one period of CPU time, or for one kernel tick where that is longer: CPU
//! timers are only looked at when the kernel ticks, and the expiries in between are one sample of
//! more weight. So a profile of `n` such units is like `n` draws, and a share `p` of it has the
//! standard error `sqrt(p (1 - p) / n)`. Ticks come at even distances, which makes the true error
//! smaller: the bound is on the safe side.

/// CPU time of one function or thread: as the program measured it, and as the profile has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub true_ns: u64,
    pub measured_ns: u64,
}

/// Two-sided chance to be off by more than three standard errors.
pub const THREE_STANDARD_ERRORS: f64 = 0.0027;

/// The parts whose share is off by more than chance explains, each with a sentence.
///
/// `unit_ns` is the CPU time that one sample stands for. Among 64 threads one is off by 2.5 standard
/// errors by chance alone, so the limit is corrected for their number by the method of Holm and
/// Bonferroni: the chance of even one false alarm among all parts is that of one function being off
/// by three standard errors.
pub fn implausible_shares(parts: &[Part], unit_ns: f64) -> Vec<String> {
    let true_total: u64 = parts.iter().map(|part| part.true_ns).sum();
    let measured_total: u64 = parts.iter().map(|part| part.measured_ns).sum();
    if measured_total == 0 {
        return vec!["nothing was measured at all".to_owned()];
    }
    let samples = measured_total as f64 / unit_ns;
    let z_of = |part: &Part| {
        let expected = part.true_ns as f64 / true_total as f64;
        let measured = part.measured_ns as f64 / measured_total as f64;
        z(measured - expected, expected, samples)
    };
    let scores: Vec<f64> = parts.iter().map(z_of).collect();
    let chances: Vec<f64> = scores.iter().map(|score| two_sided_chance(*score)).collect();
    holm_rejections(&chances, THREE_STANDARD_ERRORS)
        .into_iter()
        .map(|i| {
            let share = |ns: u64, total: u64| 100.0 * ns as f64 / total as f64;
            format!(
                "{}: {:.2} % of the profile but {:.2} % of the CPU time (z = {:.1})",
                parts[i].name,
                share(parts[i].measured_ns, measured_total),
                share(parts[i].true_ns, true_total),
                scores[i]
            )
        })
        .collect()
}

/// The error of a share in standard errors. Half a sample is the resolution of a profile and no
/// error; the standard error of a share too small to be sampled even once is that of one sample.
fn z(error: f64, share: f64, samples: f64) -> f64 {
    let standard_error = (share * (1.0 - share) * samples).max(1.0).sqrt() / samples;
    let beyond_resolution = (error.abs() - 0.5 / samples).max(0.0);
    error.signum() * beyond_resolution / standard_error
}

/// Which of several hypotheses to reject so that the chance of rejecting even one that is true is
/// at most `level` (Holm, 1979): the smallest chance is compared with `level / n`, the next with
/// `level / (n - 1)`, up to the first that passes.
pub fn holm_rejections(chances: &[f64], level: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let rejected = |(rank, i): &(usize, usize)| chances[*i] < level / (chances.len() - rank) as f64;
    order.into_iter().enumerate().take_while(rejected).map(|(_, i)| i).collect()
}

/// The chance that a normal variable is further from its mean than `z` standard errors.
///
/// Source: Numerical Recipes, `erfcc`; the relative error is below 1.2e-7.
pub fn two_sided_chance(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        0.17087277,
        -0.82215223,
        1.48851587,
        -1.13520398,
        0.27886807,
        -0.18628806,
        0.09678418,
        0.37409196,
        1.00002368,
        -1.26551223,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    t * (-x * x + COEFFICIENTS.iter().fold(0.0, |sum, coefficient| sum * t + coefficient)).exp()
}

/// How much the sampled CPU time of a whole program may be off, as a share.
///
/// It is half a percent, or what chance explains if that is more. A thread is sampled by the clock
/// of the process until two ticks have found it, and by its own clock, from a random phase, after
/// that: together a standard error of 1.5 periods a thread. Three standard errors are allowed.
pub fn tolerance_of_total(cpu_ns: u64, threads: u32, period_ns: f64) -> f64 {
    let standard_error = 1.5 * f64::from(threads).sqrt() * period_ns / cpu_ns as f64;
    (3.0 * standard_error).max(0.005)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, true_ns: u64, measured_ns: u64) -> Part {
        Part { name: name.to_owned(), true_ns, measured_ns }
    }

    #[test]
    fn chances_are_those_of_the_normal_distribution() {
        for (z, chance) in [(0.0, 1.0), (1.0, 0.317_310_5), (1.96, 0.049_995_8), (3.0, 0.002_699_8)]
        {
            assert!((two_sided_chance(z) - chance).abs() < 1e-6, "{z}: {}", two_sided_chance(z));
        }
    }

    #[test]
    fn holm_rejects_in_order_and_stops_at_the_first_that_passes() {
        assert_eq!(holm_rejections(&[0.04, 0.01, 0.03], 0.05), [1]);
        assert_eq!(holm_rejections(&[0.02, 0.01, 0.03], 0.05), [1, 0, 2]);
        assert_eq!(holm_rejections(&[0.2, 0.3], 0.05), [0_usize; 0]);
    }

    #[test]
    fn shares_within_chance_are_plausible() {
        // 1000 samples: the standard error of one half is 1.6 %.
        let parts = [part("a", 500, 530_000), part("b", 500, 470_000)];
        assert_eq!(implausible_shares(&parts, 1000.0), [""; 0]);
    }

    #[test]
    fn shares_beyond_chance_are_named() {
        let parts = [part("a", 500, 600_000), part("b", 500, 400_000)];
        let found = implausible_shares(&parts, 1000.0);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("60.00 % of the profile but 50.00 % of the CPU time"));
    }

    #[test]
    fn a_thread_too_short_to_be_sampled_may_be_missing() {
        let parts = [part("long", 999, 1_000_000), part("short", 1, 0)];
        assert_eq!(implausible_shares(&parts, 1000.0), [""; 0]);
    }

    #[test]
    fn an_empty_profile_is_never_plausible() {
        assert_eq!(implausible_shares(&[part("a", 1, 0)], 1.0).len(), 1);
    }

    #[test]
    fn short_runs_of_many_threads_are_allowed_what_chance_explains() {
        assert_eq!(tolerance_of_total(20_000_000_000, 1, 1e6), 0.005);
        let many = tolerance_of_total(20_000_000_000, 64, 1e9 / 97.0);
        assert!((0.018..0.019).contains(&many), "{many}");
    }
}
