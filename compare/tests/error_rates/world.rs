//! Made-up programs on made-up machines: runs with known noise and known changes.
//!
//! What a function takes in a run is its share, times what befell the run, its module and itself,
//! each with the heavy tails that real machines have, and then it is sampled.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Poisson, StandardNormal, StudentT};
use sigspy_model::{Profile, Symbols};

use crate::profile;

/// How much runs differ: relative standard deviations.
#[derive(Clone, Copy)]
pub struct Noise {
    pub run: f64,
    pub module: f64,
    pub function: f64,
    /// Chance of a run that something else disturbs.
    pub bad_run: f64,
    /// How much the speed of the machine drifts.
    pub drift: f64,
    /// Of functions that hang on caches: on where memory lies in a run, and on what others leave of them.
    pub caches: f64,
}

/// A machine of one's own.
pub const QUIET: Noise =
    Noise { run: 0.03, module: 0.01, function: 0.015, bad_run: 0.05, drift: 0.0, caches: 0.0 };
/// One that is shared with others.
pub const NOISY: Noise =
    Noise { run: 0.10, module: 0.02, function: 0.04, bad_run: 0.15, drift: 0.0, caches: 0.0 };
/// One that is fast now and slow then, as a guest of a busy host is.
pub const DRIFTING: Noise = Noise { drift: 0.07, ..QUIET };
/// One whose caches are shared with others.
pub const CROWDED: Noise = Noise { caches: 0.25, ..QUIET };
/// What is left of the drift after a run.
const INERTIA: f64 = 0.9;

/// What is compared.
#[derive(Clone, Copy)]
pub struct Plan {
    pub noise: Noise,
    /// Signals for each second of CPU time.
    pub rate: f64,
    /// CPU time of a run, seconds.
    pub cpu_s: f64,
    /// Runs of each side.
    pub runs: usize,
    /// Share of the function that changes.
    pub share: f64,
}

const FUNCTIONS: usize = 200;
const MODULES: usize = 10;
/// One function of so many hangs on caches.
const HANG_ON_CACHES: usize = 5;
/// The function that changes.
pub const CHANGED: usize = 7;
/// The one that calls it.
pub const CALLER: usize = 1;

/// What the head does otherwise.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Nothing,
    /// A function takes so many times as long.
    Function(f64),
    /// It does such a part of what its caller did.
    FromCaller(f64),
    /// Its caller does such a part of what it did.
    ToCaller(f64),
    /// All functions take so many times as long.
    All(f64),
}

impl Change {
    /// What the function takes of the CPU time of the base.
    fn share(self, function: usize, shares: &[f64]) -> f64 {
        let share = shares[function];
        match (self, function) {
            (Self::Function(factor), CHANGED) | (Self::All(factor), _) => share * factor,
            (Self::FromCaller(part), CHANGED) => share + shares[CALLER] * part,
            (Self::ToCaller(part), CALLER) => share + shares[CHANGED] * part,
            (Self::FromCaller(part), CALLER) | (Self::ToCaller(part), CHANGED) => {
                share * (1.0 - part)
            }
            _ => share,
        }
    }
}

/// The runs of a side.
pub type Side = Vec<(Profile, Symbols)>;

pub struct World {
    random: StdRng,
    shares: Vec<f64>,
    /// How slow the machine is for now, as a logarithm in units of the plan's drift.
    slowness: f64,
}

impl World {
    /// `share` is that of the function that changes.
    pub fn new(seed: u64, share: f64) -> Self {
        let weights: Vec<f64> = (0..FUNCTIONS).map(|rank| 1.0 / (rank as f64 + 1.0)).collect();
        let rest: f64 = weights.iter().sum::<f64>() - weights[CHANGED];
        let mut shares: Vec<f64> =
            weights.iter().map(|weight| weight / rest * (1.0 - share)).collect();
        shares[CHANGED] = share;
        let mut random = StdRng::seed_from_u64(seed);
        let slowness = StandardNormal.sample(&mut random);
        Self { random, shares, slowness }
    }

    /// Runs of both sides in turn.
    pub fn sides(&mut self, plan: &Plan, change: Change) -> (Side, Side) {
        let pair = |_| (self.run(plan, Change::Nothing), self.run(plan, change));
        (0..plan.runs).map(pair).unzip()
    }

    fn run(&mut self, plan: &Plan, change: Change) -> (Profile, Symbols) {
        let noise = plan.noise;
        let disturbed = if self.random.random_bool(noise.bad_run) { 3.0 } else { 1.0 };
        let news: f64 = StandardNormal.sample(&mut self.random);
        self.slowness = INERTIA * self.slowness + (1.0 - INERTIA * INERTIA).sqrt() * news;
        let slowness = self.tail() * noise.run * disturbed + self.slowness * noise.drift;
        let of_run = slowness.exp();
        let modules: Vec<f64> = (0..MODULES).map(|_| (self.tail() * noise.module).exp()).collect();
        let mut cpu_s = 0.0;
        let mut samples = Vec::new();
        for function in 0..FUNCTIONS {
            let caches = if function % HANG_ON_CACHES == 0 { noise.caches } else { 0.0 };
            let own = (self.tail() * noise.function.hypot(caches) * disturbed).exp();
            let share = change.share(function, &self.shares) * modules[function % MODULES];
            let seconds = plan.cpu_s * share * of_run * own;
            samples.push(self.sampled(seconds * plan.rate));
            cpu_s += seconds;
        }
        profile::of_samples(&samples, plan.rate, cpu_s)
    }

    /// Of variance 1, with heavy tails.
    fn tail(&mut self) -> f64 {
        const DF: f64 = 5.0;
        let student: StudentT<f64> = StudentT::new(DF).expect("5 is more than 0");
        student.sample(&mut self.random) * ((DF - 2.0) / DF).sqrt()
    }

    fn sampled(&mut self, expected: f64) -> u32 {
        let poisson = Poisson::new(expected.max(1e-9)).expect("it is more than 0");
        let sampled: f64 = poisson.sample(&mut self.random);
        sampled as u32
    }
}
