//! Results of checks with known contents.

use sigspy_compare::check::{
    Baseline, BudgetOutcome, CheckResult, CheckedSide, Found, Metric, Order, Outcome, Plan, Runner,
    SCHEMA, Setup, Source, Standing, Subject, Verdict, Waiver,
};
use sigspy_compare::result::{
    Comparison, Detectable, Finding, Function, Label, Normalized, Ratio, Rules, Side, Total,
};

pub fn ratio(ratio: f64) -> Ratio {
    Ratio { ratio, low: ratio - 0.125, high: ratio + 0.125 }
}

pub fn function(name: &str, file: Option<&str>) -> Function {
    Function {
        module: "app".to_owned(),
        function: name.to_owned(),
        file: file.map(str::to_owned),
        line: file.map(|_| 7),
        base_s: 1.0,
        head_s: 1.5,
        base_share: 0.1,
        head_share: 0.15,
        base_total_share: 0.1,
        head_total_share: 0.15,
        change: Some(ratio(1.5)),
        q_value: Some(0.0001),
        finding: Finding::Slower,
        labels: Vec::new(),
    }
}

pub fn found(standing: Standing, name: &str, file: Option<&str>) -> Found {
    let subject = Subject::Function(function(name, file));
    let sites = Vec::new();
    Found { standing, subject, sites, first: ratio(1.5), again: None, waiver: None }
}

fn comparison() -> Comparison {
    let side = |cpu_s| Side { runs: 5, cpu_s, samples: 1000.0, work: 1.0 };
    Comparison {
        base: side(10.0),
        head: side(10.5),
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
            change: Some(ratio(1.0625)),
            finding: Finding::NoEvidence,
            detectable: Some(0.25),
        },
        functions: vec![function("parse", Some("/home/ci/app/src/parse.c"))],
        detectable: vec![Detectable { share: 0.3, slowdown: 0.2 }],
        notes: vec!["a note on the comparison".to_owned()],
    }
}

fn setup() -> Setup {
    let side = |label: &str, revision: &str| CheckedSide {
        label: label.to_owned(),
        command: vec!["./app".to_owned(), "--fast".to_owned()],
        git_revision: Some(revision.to_owned()),
    };
    Setup {
        version: "0.1.0".to_owned(),
        base: Some(side("main", "1f00d")),
        head: side("branch", "2bad5"),
        runner: Runner {
            cpu_model: Some("Xeon".to_owned()),
            cpus: 2,
            kernel: "6.1.0".to_owned(),
            tick_hz: Some(97.0),
            container_image: None,
        },
        plan: Plan { runs: 5, confirmation_runs: 5, warm_up: 1, order: Order::Abba },
        baseline: Baseline { source: Source::SameJob, may_fail: true, runner: None },
    }
}

/// One finding of each standing, and one budget of each outcome.
pub fn regression() -> CheckResult {
    let mut confirmed = found(Standing::Regression, "parse", Some("/home/ci/app/src/parse.c"));
    confirmed.again = Some(ratio(1.375));
    let mut new = found(Standing::Regression, "fresh", Some("/usr/include/fresh.h"));
    if let Subject::Function(function) = &mut new.subject {
        function.labels = vec![Label::New];
    }
    let mut waived = found(Standing::Waived, "flush", Some("/home/ci/app/src/db.c"));
    waived.waiver = Some(Waiver::Accepted {
        up_to: 1.6,
        commit: Some("abc123".to_owned()),
        reason: "writes are durable now".to_owned(),
        until: "2026-12-31".parse().unwrap(),
    });
    let mut faster = found(Standing::Improvement, "print", None);
    faster.first = ratio(0.75);
    let budget = |functions: &str, share, outcome| BudgetOutcome {
        functions: functions.to_owned(),
        metric: Metric::Own,
        max_share: 0.1,
        share,
        outcome,
    };
    CheckResult {
        schema: SCHEMA,
        verdict: Verdict::Regression,
        reasons: vec![format!("{confirmed}, in the runs made to confirm it, too")],
        setup: setup(),
        findings: vec![
            confirmed,
            new,
            waived,
            found(Standing::NotConfirmed, "once", Some("/home/ci/app/src/once.c")),
            faster,
        ],
        budgets: vec![
            budget("parse*", 0.15, Outcome::Exceeded),
            budget("db::*", 0.101, Outcome::CannotTell),
            budget("main", 0.01, Outcome::Within),
            budget("xml::*", 0.0, Outcome::NoSuchFunction),
        ],
        comparison: Some(comparison()),
        confirmation: Some(comparison()),
        notes: vec!["the budget for xml::* matches no function".to_owned()],
    }
}

/// Nothing was found.
pub fn ok() -> CheckResult {
    CheckResult {
        verdict: Verdict::Ok,
        reasons: vec!["nothing is slower by more than chance explains".to_owned()],
        findings: Vec::new(),
        budgets: Vec::new(),
        confirmation: None,
        notes: Vec::new(),
        ..regression()
    }
}

/// It cannot be told.
pub fn inconclusive() -> CheckResult {
    let suspect = found(Standing::Suspect, "parse", Some("/home/ci/app/src/parse.c"));
    CheckResult {
        verdict: Verdict::Inconclusive,
        reasons: vec![format!("{suspect}, and no more runs were made to confirm it")],
        findings: vec![suspect],
        ..ok()
    }
}

/// A run has failed.
pub fn invalid() -> CheckResult {
    CheckResult {
        verdict: Verdict::Invalid,
        reasons: vec!["run 3 of the head has ended with exit status 1".to_owned()],
        comparison: None,
        ..ok()
    }
}

/// All text is `text`, and there is much of it.
pub fn hostile(text: &str) -> CheckResult {
    let mut result = regression();
    let findings = (0..200).map(|_| found(Standing::Regression, text, Some(text)));
    result.findings = findings.collect();
    result.reasons = vec![text.to_owned(); 200];
    result.notes = result.reasons.clone();
    result.budgets.iter_mut().for_each(|budget| budget.functions = text.to_owned());
    result.setup.head.command = vec![text.to_owned(); 200];
    result.setup.head.label = text.to_owned();
    result.setup.runner.kernel = text.to_owned();
    result
}
