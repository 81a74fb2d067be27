//! Comparisons with known contents, for tests.

use super::result::{Baseline, CheckedSide, Order, Plan, Setup, Source};
use super::runner::Runner;
use crate::result::{
    Comparison, Detectable, Finding, Function, Normalized, Ratio, Rules, Side, Total,
};

pub fn ratio(ratio: f64) -> Ratio {
    Ratio { ratio, low: ratio - 0.1, high: ratio + 0.1 }
}

/// A function of `app`, of which all samples are its own.
pub fn function(name: &str, base_s: f64, head_s: f64, finding: Finding) -> Function {
    Function {
        module: "app".to_owned(),
        function: name.to_owned(),
        file: Some("src/app.c".to_owned()),
        line: Some(7),
        base_s,
        head_s,
        base_share: base_s / 10.0,
        head_share: head_s / 10.0,
        base_total_share: base_s / 10.0,
        head_total_share: head_s / 10.0,
        change: (finding != Finding::NotTested).then(|| ratio(head_s / base_s)),
        q_value: (finding != Finding::NotTested).then_some(0.0001),
        finding,
        labels: Vec::new(),
    }
}

/// Runs of 10 s, in which nothing has changed.
pub fn comparison() -> Comparison {
    let side = Side { runs: 5, cpu_s: 10.0, samples: 1000.0, work: 1.0 };
    Comparison {
        base: side.clone(),
        head: side,
        normalization: Normalized::MedianOfRatios,
        paired: false,
        noise_is_known: true,
        rules: Rules {
            least_effect: 0.05,
            least_cost: 0.002,
            false_discoveries: 0.05,
            total_least_effect: 0.02,
            total_alpha: 0.01,
        },
        total: Total {
            change: Some(ratio(1.0)),
            finding: Finding::NoEvidence,
            detectable: Some(0.25),
        },
        functions: vec![function("rest", 4.0, 4.0, Finding::NoEvidence)],
        detectable: vec![Detectable { share: 0.3, slowdown: 0.2 }],
        notes: Vec::new(),
    }
}

/// Both sides run here.
pub fn setup() -> Setup {
    let side = |label: &str| CheckedSide {
        label: label.to_owned(),
        command: vec!["./app".to_owned()],
        git_revision: None,
    };
    Setup {
        version: "0.1.0".to_owned(),
        base: Some(side("main")),
        head: side("branch"),
        runner: Runner { cpus: 2, ..Runner::default() },
        plan: Plan { runs: 5, confirmation_runs: 5, warm_up: 1, order: Order::Abba },
        baseline: Baseline { source: Source::SameJob, may_fail: true, runner: None },
    }
}
