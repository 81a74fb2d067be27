//! Sentences of a check that several formats share.

use sigspy_compare::check::{
    BudgetOutcome, CheckResult, CheckedSide, Found, Metric, Order, Outcome, Plan, Source, Standing,
    Subject, Verdict, Waiver,
};
use sigspy_compare::result::{Comparison, Function};

use crate::comparison::words::{change, changed, detectable};
use crate::names::{presentable, shortened};

/// Characters of a name, and of a sentence with names in it.
pub const NAME_WIDTH: usize = 100;
pub const SENTENCE_WIDTH: usize = 300;

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Regression => "regression",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Invalid => "invalid",
    }
}

/// The verdict and what it comes from, in a few words.
pub fn headline(result: &CheckResult) -> String {
    match result.verdict {
        Verdict::Ok => "Ok: no regression of CPU time".to_owned(),
        Verdict::Regression => format!("Regression: {}", regressions(result)),
        Verdict::Inconclusive => {
            "Inconclusive: it cannot be told whether CPU time has gone up".to_owned()
        }
        Verdict::Invalid => "Invalid: this is not what was to be measured".to_owned(),
    }
}

/// `the program and 2 functions slower, 1 budget exceeded`.
fn regressions(result: &CheckResult) -> String {
    let found = || result.found(Standing::Regression);
    let total = found().any(|found| matches!(found.subject, Subject::Total { .. }));
    let functions = match found().count() - usize::from(total) {
        0 => None,
        1 => Some("1 function".to_owned()),
        count => Some(format!("{count} functions")),
    };
    let total = total.then(|| "the program".to_owned());
    let slower: Vec<String> = total.into_iter().chain(functions).collect();
    let slower = (!slower.is_empty()).then(|| format!("{} slower", slower.join(" and ")));
    let exceeded = result.budgets.iter().filter(|budget| budget.outcome == Outcome::Exceeded);
    let exceeded = match exceeded.count() {
        0 => None,
        1 => Some("1 budget exceeded".to_owned()),
        count => Some(format!("{count} budgets exceeded")),
    };
    slower.into_iter().chain(exceeded).collect::<Vec<_>>().join(", ")
}

/// How a finding is to be taken.
pub fn standing(found: &Found) -> String {
    match (&found.waiver, found.standing) {
        (Some(Waiver::Ignored { reason, until }), _) => format!("ignored until {until}: {reason}"),
        (Some(Waiver::Accepted { reason, until, commit, .. }), _) => {
            let commit = commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
            format!("accepted until {until}: {reason}{commit}")
        }
        (None, Standing::Regression) => "slower, twice".to_owned(),
        (None, Standing::Suspect) => "slower, seen once".to_owned(),
        (None, Standing::Waived) => "slower, and that is accepted".to_owned(),
        (None, Standing::NotConfirmed) => "slower at first, not again".to_owned(),
        (None, Standing::Improvement) => "faster".to_owned(),
    }
}

/// The change of a finding and its interval.
pub fn change_of(found: &Found) -> (String, String) {
    let labels = match &found.subject {
        Subject::Function(function) => &function.labels[..],
        Subject::Total { .. } => &[],
    };
    changed(labels, Some(found.change()))
}

/// A name that is fit to be shown.
pub fn name(text: &str) -> String {
    shortened(&presentable(text), NAME_WIDTH).into_owned()
}

/// A sentence that is fit to be shown.
pub fn sentence(text: &str) -> String {
    shortened(&presentable(text), SENTENCE_WIDTH).into_owned()
}

/// What would have been seen.
pub fn seen(result: &CheckResult) -> Vec<String> {
    let of_total = |comparison: &Comparison| {
        let least = comparison.total.detectable?;
        Some(format!(
            "a program that is slower would have been noticed from about {}",
            change(1.0 + least)
        ))
    };
    let comparison = result.comparison.as_ref();
    let sentences = [comparison.and_then(of_total), comparison.and_then(detectable)];
    sentences.into_iter().flatten().collect()
}

/// What a budget came to.
pub fn budget(budget: &BudgetOutcome) -> &'static str {
    match budget.outcome {
        Outcome::Within => "within",
        Outcome::Exceeded => "exceeded",
        Outcome::CannotTell => "more, which may be chance",
        Outcome::NoSuchFunction => "no such function",
    }
}

pub fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::Own => "own",
        Metric::Total => "total",
    }
}

/// What was run, and where: a sentence each.
pub fn setup(result: &CheckResult) -> Vec<String> {
    let setup = &result.setup;
    let base = match &setup.base {
        Some(base) => format!("base: {}", side(base)),
        None => "base: none".to_owned(),
    };
    let mut sentences = vec![base, format!("head: {}", side(&setup.head)), plan(result)];
    if let Some(source) = source(setup.baseline.source) {
        sentences.push(source.to_owned());
    }
    sentences.push(runner(result));
    sentences
}

fn side(side: &CheckedSide) -> String {
    let revision = side.git_revision.as_ref().map(|it| format!(" at {it}")).unwrap_or_default();
    format!("{}{revision}: {}", side.label, side.command.join(" "))
}

fn plan(result: &CheckResult) -> String {
    let Plan { runs, confirmation_runs, warm_up, order } = result.setup.plan;
    let order = match order {
        Order::Abba => "of each side (base, head, head, base and so on)",
        Order::HeadOnly => "of the head",
    };
    let confirmation = match (confirmation_runs, &result.confirmation) {
        (0, _) => "none to confirm".to_owned(),
        (count, Some(_)) => format!("{count} more to confirm"),
        (_, None) => "nothing to confirm".to_owned(),
    };
    let pairs = if result.is_paired() { ", compared in pairs" } else { "" };
    format!("{runs} runs {order}{pairs}, after {warm_up} to warm up; {confirmation}")
}

fn source(source: Source) -> Option<&'static str> {
    match source {
        Source::SameJob | Source::None => None,
        Source::File => Some("the base was measured before and kept, so differences are warnings"),
    }
}

fn runner(result: &CheckResult) -> String {
    let runner = &result.setup.runner;
    let model = runner.cpu_model.as_deref().unwrap_or("unknown CPU");
    let tick = runner.tick_hz.map(|hz| format!(", ticks at {hz:.0} Hz")).unwrap_or_default();
    let image = runner.container_image.as_ref();
    let image = image.map(|image| format!(", image {image}")).unwrap_or_default();
    let (cpus, kernel, version) = (runner.cpus, &runner.kernel, &result.setup.version);
    format!("{model}, {cpus} processors, Linux {kernel}{tick}{image}; sigspy {version}")
}

/// The largest share that a function has on a side.
pub fn share(function: &Function) -> f64 {
    function.base_share.max(function.head_share)
}
