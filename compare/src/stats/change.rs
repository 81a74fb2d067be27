//! Which functions have changed, and by how much.

use super::counts::{Counts, Filter, mean};
use super::discovery::false_discovery_rates;
use super::distribution::{above, quantile_above};
use super::moderation::{Prior, sampling};
use super::sizes::{HALF, Normalization, logarithms};

/// How functions are compared.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub filter: Filter,
    pub normalization: Normalization,
    /// Changes up to this one do not count: 0.05 is 5 %. A program that is built again is laid out
    /// in another way, and that alone moves functions by a few percent.
    pub least_effect: f64,
    /// A change must cost this share of the whole CPU time.
    pub least_cost: f64,
    /// Rate of false discoveries.
    pub false_discoveries: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            filter: Filter { least_samples: 20.0, least_share: 0.002 },
            normalization: Normalization::Auto,
            least_effect: 0.05,
            least_cost: 0.002,
            false_discoveries: 0.05,
        }
    }
}

/// The logarithm of how many times as much the head has, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub log_ratio: f64,
    pub standard_error: f64,
    /// Degrees of freedom of the standard error; infinite if it is by sampling alone.
    pub df: f64,
}

impl Change {
    /// The ratio, and its 95 % confidence interval. All are finite.
    pub fn ratio(&self) -> (f64, f64, f64) {
        const LARGEST: f64 = 700.0;
        let half = quantile_above(0.025, self.df) * self.standard_error;
        let of = |log: f64| log.clamp(-LARGEST, LARGEST).exp();
        (of(self.log_ratio), of(self.log_ratio - half), of(self.log_ratio + half))
    }

    /// The chance of such a change, if the true one were `least` (a logarithm) or less in this
    /// direction: 1 up, -1 down.
    ///
    /// Source: McCarthy and Smyth, Testing significance relative to a fold-change threshold is a
    /// TREAT, Bioinformatics 25 (2009).
    pub fn p_value(&self, direction: f64, least: f64) -> f64 {
        above((direction * self.log_ratio - least) / self.standard_error.max(1e-12), self.df)
    }
}

/// A function that was tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    pub row: usize,
    pub change: Change,
    /// Rate of false discoveries among functions that got slower, if this is called one.
    pub slower: f64,
    /// The same for those that got faster.
    pub faster: f64,
    /// The difference as a share of the CPU time of the base.
    pub cost: f64,
}

/// What the comparison of all functions says.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub tested: Vec<Tested>,
    /// Logarithms, one for each run.
    pub log_sizes: Vec<f64>,
    pub normalization: Normalization,
    pub prior: Prior,
    /// Degrees of freedom of the runs alone; 0 with one run on each side.
    pub df: f64,
    settings: Settings,
}

/// Compares the functions that have enough samples.
pub fn analyse(counts: &Counts, settings: &Settings) -> Analysis {
    let rows = counts.tested(settings.filter);
    let mut analysis = prepare(counts, &rows, settings);
    analysis.test(counts, &rows);
    analysis
}

/// Compares `rows` alone, with sizes and the prior from all functions: for the runs that are to
/// confirm what others made suspect.
pub fn analyse_again(counts: &Counts, rows: &[usize], settings: &Settings) -> Analysis {
    let all = counts.tested(settings.filter);
    let mut analysis = prepare(counts, &all, settings);
    analysis.test(counts, rows);
    analysis
}

fn prepare(counts: &Counts, rows: &[usize], settings: &Settings) -> Analysis {
    let normalization = settings.normalization.resolved(counts, rows);
    let log_sizes = normalization.log_sizes(counts, rows);
    let df = counts.variance(&log_sizes).1;
    let variance = |row: &usize| counts.variance(&normalized(&counts.rows[*row], &log_sizes)).0;
    let variances: Vec<f64> = rows.iter().map(variance).collect();
    let samples: Vec<f64> = rows.iter().map(|row| mean(&counts.rows[*row])).collect();
    Analysis {
        tested: Vec::new(),
        normalization,
        prior: Prior::fit(&variances, &samples, df),
        log_sizes,
        df,
        settings: *settings,
    }
}

fn normalized(row: &[f64], log_sizes: &[f64]) -> Vec<f64> {
    logarithms(row).iter().zip(log_sizes).map(|(log, size)| log - size).collect()
}

impl Analysis {
    /// The logarithm of the largest change that does not count.
    pub fn least_effect(&self) -> f64 {
        self.settings.least_effect.ln_1p()
    }

    fn test(&mut self, counts: &Counts, rows: &[usize]) {
        let changes: Vec<Change> =
            rows.iter().map(|row| self.change(counts, &counts.rows[*row])).collect();
        let least = self.least_effect();
        let rates = |direction| {
            let p: Vec<f64> = changes.iter().map(|one| one.p_value(direction, least)).collect();
            false_discovery_rates(&p)
        };
        let (slower, faster) = (rates(1.0), rates(-1.0));
        self.tested = (0..rows.len())
            .map(|index| Tested {
                row: rows[index],
                change: changes[index],
                slower: slower[index],
                faster: faster[index],
                cost: self.cost(counts, &counts.rows[rows[index]]),
            })
            .collect();
    }

    /// The change of a function, or of one that was two.
    pub fn change(&self, counts: &Counts, row: &[f64]) -> Change {
        let moderated = |s2| self.prior.moderated(s2, self.df, mean(row));
        self.change_with(counts, row, moderated)
    }

    /// The change of many functions that were added up. What is known about single ones says nothing
    /// about the variance of such a sum, but for that of sampling.
    pub fn change_of_many(&self, counts: &Counts, row: &[f64]) -> Change {
        self.change_with(counts, row, |s2| (s2.max(sampling(mean(row))), self.df))
    }

    /// `moderated` makes of the variance between runs the one that counts, and its degrees of freedom.
    fn change_with(
        &self,
        counts: &Counts,
        row: &[f64],
        moderated: impl Fn(f64) -> (f64, f64),
    ) -> Change {
        let y = normalized(row, &self.log_sizes);
        let (base, head) = counts.sides(&y);
        let log_ratio = mean(head) - mean(base);
        if self.df <= 0.0 {
            let sampling: f64 = row.iter().map(|count| 1.0 / (count + HALF)).sum();
            let standard_error = sampling.sqrt();
            return Change { log_ratio, standard_error, df: f64::INFINITY };
        }
        let (s2, df) = moderated(counts.variance(&y).0);
        let runs = 1.0 / base.len() as f64 + 1.0 / head.len() as f64;
        Change { log_ratio, standard_error: (s2 * runs).sqrt(), df }
    }

    /// Samples of each run, as if all runs were of the same size.
    pub fn resized(&self, row: &[f64]) -> Vec<f64> {
        let centre = mean(&self.log_sizes);
        row.iter().zip(&self.log_sizes).map(|(count, size)| count / (size - centre).exp()).collect()
    }

    fn cost(&self, counts: &Counts, row: &[f64]) -> f64 {
        let all: Vec<f64> = counts.runs.iter().map(|run| run.samples).collect();
        let (resized, all) = (self.resized(row), self.resized(&all));
        let ((base, head), (all_base, _)) = (counts.sides(&resized), counts.sides(&all));
        (mean(head) - mean(base)) / mean(all_base).max(1.0)
    }

    /// Functions that got slower by more than chance explains, and that matter.
    pub fn slower(&self) -> impl Iterator<Item = &Tested> {
        let settings = self.settings;
        self.tested.iter().filter(move |one| {
            one.slower <= settings.false_discoveries && one.cost >= settings.least_cost
        })
    }

    /// Functions that got faster by more than chance explains, and that matter.
    pub fn faster(&self) -> impl Iterator<Item = &Tested> {
        let settings = self.settings;
        self.tested.iter().filter(move |one| {
            one.faster <= settings.false_discoveries && -one.cost >= settings.least_cost
        })
    }
}
