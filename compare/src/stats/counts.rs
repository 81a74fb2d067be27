//! What was counted.

/// Samples by function and run. Runs of the base come first.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// `rows[f][r]`: samples of function `f` in run `r`; all rows are as long as `runs`.
    pub rows: Vec<Vec<f64>>,
    pub runs: Vec<RunTotal>,
    /// How many of the runs are the base's.
    pub base: usize,
    /// Whether each run of the base has run next to the one of the head with the same number.
    pub in_turn: bool,
}

/// Runs in turn are compared in pairs from here on: fewer pairs have too few degrees of freedom.
const PAIRED: usize = 8;

/// A run as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunTotal {
    /// CPU time, seconds.
    pub cpu_s: f64,
    /// Samples with a stack.
    pub samples: f64,
    /// CPU time that a sample stands for, seconds.
    pub seconds_per_sample: f64,
    /// How much was done, in a unit of the workload; 1 where every run does the same.
    pub work: f64,
}

/// Which functions have enough samples to be tested.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Samples in a run, on average.
    pub least_samples: f64,
    /// Share of the samples of one of the sides.
    pub least_share: f64,
}

impl Counts {
    pub fn head(&self) -> usize {
        self.runs.len() - self.base
    }

    /// The two sides of something that there is one of for each run.
    pub fn sides<'a, T>(&self, of_runs: &'a [T]) -> (&'a [T], &'a [T]) {
        of_runs.split_at(self.base)
    }

    /// Whether runs are compared in pairs, so that a machine that is slow for a while does not matter.
    pub fn is_paired(&self) -> bool {
        self.in_turn && self.base == self.head() && self.base >= PAIRED
    }

    /// The variance of something between runs of one side, and its degrees of freedom; 0 and 0 with
    /// one run on each side. Of pairs, what both have in common is left out.
    pub fn variance(&self, of_runs: &[f64]) -> (f64, f64) {
        let (base, head) = self.sides(of_runs);
        let (squares, df) = if self.is_paired() {
            let differences: Vec<f64> = head.iter().zip(base).map(|(h, b)| h - b).collect();
            (squares(&differences) / 2.0, base.len() - 1)
        } else {
            let df = base.len().saturating_sub(1) + head.len().saturating_sub(1);
            (squares(base) + squares(head), df)
        };
        (squares / df.max(1) as f64, df as f64)
    }

    /// Functions with enough samples. It does not look at differences between the sides, so it does
    /// not favour any.
    ///
    /// Source: Bourgon, Gentleman and Huber, Independent filtering increases detection power for
    /// high-throughput experiments, PNAS 107 (2010).
    pub fn tested(&self, filter: Filter) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| self.is_tested(&self.rows[*row], filter)).collect()
    }

    fn is_tested(&self, row: &[f64], filter: Filter) -> bool {
        let samples: Vec<f64> = self.runs.iter().map(|run| run.samples).collect();
        let (base, head) = self.sides(row);
        let (all_base, all_head) = self.sides(&samples);
        let share = |part: &[f64], all: &[f64]| sum(part) / sum(all).max(1.0);
        let share = share(base, all_base).max(share(head, all_head));
        mean(row) >= filter.least_samples && share >= filter.least_share
    }
}

pub fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

/// 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { sum(values) / values.len() as f64 }
}

/// The sum of squared distances from the mean.
pub fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}
