//! From what was seen to a verdict.

use std::collections::BTreeMap;

use super::budget::outcome;
use super::date::Date;
use super::policy::{Policy, TOTAL};
use super::result::{
    BudgetOutcome, CheckResult, Found, Outcome, SCHEMA, Setup, Source, Standing, Subject, Verdict,
};
use crate::comparison::Suspects;
use crate::functions::Site;
use crate::key::Key;
use crate::result::{Comparison, Finding, Function, Ratio};

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The first runs. Without a baseline, the head compared with itself, for the budgets. `None` if
    /// nothing could be compared.
    pub comparison: Option<Comparison>,
    /// What the first runs make suspect, waived or not.
    pub suspects: Suspects,
    /// `None` if no runs were made to confirm it, as nothing was to be confirmed or as they cannot be
    /// made.
    pub confirmation: Option<Confirmation>,
    /// Where suspects were called from, nearest first.
    pub sites: BTreeMap<Key, Vec<Site>>,
    /// Why this is not what was to be measured, in sentences: a run has failed, samples were lost.
    pub invalid: Vec<String>,
}

/// The runs that were made to confirm.
#[derive(Clone, Debug)]
pub struct Confirmation {
    pub comparison: Comparison,
    /// What they show again.
    pub confirmed: Suspects,
}

/// What a check comes to, on the day `today`.
pub fn decide(setup: Setup, evidence: Evidence, policy: &Policy, today: Date) -> CheckResult {
    let budgets: Vec<BudgetOutcome> = evidence
        .comparison
        .iter()
        .flat_map(|comparison| policy.budgets.iter().map(|budget| outcome(budget, comparison)))
        .collect();
    let mut evidence = evidence;
    if setup.baseline.source == Source::None {
        evidence.comparison = None; // with itself
    }
    let findings = findings(&evidence, policy, today);
    let failures = failures(&setup, &findings, &budgets);
    let doubts = doubts(&setup, &evidence, &findings, &budgets, policy);
    let verdict = match () {
        () if !evidence.invalid.is_empty() => Verdict::Invalid,
        () if !failures.is_empty() => Verdict::Regression,
        () if !doubts.is_empty() => Verdict::Inconclusive,
        () => Verdict::Ok,
    };
    let mut reasons = [evidence.invalid, failures, doubts].concat();
    if reasons.is_empty() {
        reasons.push("nothing is slower by more than chance explains".to_owned());
    }
    CheckResult {
        schema: SCHEMA,
        verdict,
        reasons,
        notes: notes(&setup, evidence.comparison.as_ref(), &budgets, policy, today),
        setup,
        findings,
        budgets,
        comparison: evidence.comparison,
        confirmation: evidence.confirmation.map(|confirmation| confirmation.comparison),
    }
}

/// All changes beyond chance: regressions first, then by cost.
fn findings(evidence: &Evidence, policy: &Policy, today: Date) -> Vec<Found> {
    let Some(first) = &evidence.comparison else { return Vec::new() };
    let mut findings: Vec<Found> = subjects(first, &evidence.suspects)
        .filter_map(|subject| found(subject, first, evidence, policy, today))
        .collect();
    let size = |found: &Found| found.difference_s().abs();
    findings.sort_by(|a, b| a.standing.cmp(&b.standing).then_with(|| size(b).total_cmp(&size(a))));
    findings
}

/// What is suspect, or faster.
fn subjects<'a>(
    first: &'a Comparison,
    suspects: &'a Suspects,
) -> impl Iterator<Item = Option<&'a Function>> {
    let total_is_faster = first.noise_is_known && first.total.finding == Finding::Faster;
    let total = (suspects.total || total_is_faster).then_some(None);
    let slower = suspects.functions.iter().filter_map(|key| first.function(key));
    let faster = first.faster().filter(|_| first.noise_is_known);
    total.into_iter().chain(slower.chain(faster).map(Some))
}

/// `None` stands for the CPU time as a whole.
fn found(
    function: Option<&Function>,
    first: &Comparison,
    evidence: &Evidence,
    policy: &Policy,
    today: Date,
) -> Option<Found> {
    let key = function.map(Key::of);
    let change = |of: &Comparison| change(of, key.as_ref());
    let (ratio, again) = (change(first)?, evidence.confirmation.as_ref());
    let is_slower = match &key {
        Some(key) => evidence.suspects.functions.contains(key),
        None => evidence.suspects.total,
    };
    let again_ratio = again.and_then(|again| change(&again.comparison)).filter(|_| is_slower);
    let best = Some(again_ratio.unwrap_or(ratio));
    let (module, name) = function.map_or(("", TOTAL), |one| (&one.module, &one.function));
    let waiver = if is_slower { policy.waiver(module, name, best, today) } else { None };
    let is_confirmed = again.map(|again| match &key {
        Some(key) => again.confirmed.functions.contains(key),
        None => again.confirmed.total,
    });
    let standing = match is_confirmed {
        _ if !is_slower => Standing::Improvement,
        _ if waiver.is_some() => Standing::Waived,
        None => Standing::Suspect,
        Some(true) => Standing::Regression,
        Some(false) => Standing::NotConfirmed,
    };
    let subject = match function {
        Some(function) => Subject::Function(function.clone()),
        None => Subject::Total {
            base_s: first.base.cpu_s / first.base.work,
            head_s: first.head.cpu_s / first.head.work,
        },
    };
    let sites = key.and_then(|key| evidence.sites.get(&key)).cloned().unwrap_or_default();
    Some(Found { standing, subject, sites, first: ratio, again: again_ratio, waiver })
}

fn change(of: &Comparison, key: Option<&Key>) -> Option<Ratio> {
    match key {
        Some(key) => of.function(key)?.change,
        None => of.total.change,
    }
}

/// What a build fails for.
fn failures(setup: &Setup, findings: &[Found], budgets: &[BudgetOutcome]) -> Vec<String> {
    let slower = findings
        .iter()
        .filter(|found| setup.baseline.may_fail && found.standing == Standing::Regression)
        .map(|found| format!("{found}, in the runs made to confirm it, too"));
    let exceeded = budgets.iter().filter(|budget| budget.outcome == Outcome::Exceeded);
    slower.chain(exceeded.map(BudgetOutcome::to_string)).collect()
}

/// Why it may not be told whether there is a regression.
fn doubts(
    setup: &Setup,
    evidence: &Evidence,
    findings: &[Found],
    budgets: &[BudgetOutcome],
    policy: &Policy,
) -> Vec<String> {
    let mut doubts = match &evidence.comparison {
        _ if setup.baseline.source == Source::None => {
            vec!["there is no baseline to compare with".to_owned()]
        }
        None if !evidence.invalid.is_empty() => Vec::new(),
        None => vec!["nothing was compared".to_owned()],
        Some(comparison) => blind_spots(comparison, policy.must_see),
    };
    for found in findings {
        match found.standing {
            Standing::Suspect => {
                doubts.push(format!("{found}, and no more runs were made to confirm it"))
            }
            Standing::NotConfirmed if !is_ruled_out(found, evidence) => doubts.push(format!(
                "{} seemed slower at first, and the runs made to confirm it cannot rule that out; \
                 make more of them, or longer ones",
                found.subject.name()
            )),
            Standing::Regression if !setup.baseline.may_fail => {
                doubts.push(format!("{found}, compared with a baseline that may not fail a build"))
            }
            _ => {}
        }
    }
    let unsure = budgets.iter().filter(|budget| budget.outcome == Outcome::CannotTell);
    doubts.extend(unsure.map(|budget| format!("{budget}, which may be chance")));
    doubts
}

/// Whether the runs made to confirm a change tell that it is not as large as it first seemed, and do
/// not make it suspect once more.
fn is_ruled_out(found: &Found, evidence: &Evidence) -> bool {
    let Some(Confirmation { comparison, .. }) = &evidence.confirmation else { return false };
    let is_smaller = found.again.is_some_and(|again| again.high < found.first.ratio);
    let most = evidence.comparison.as_ref().map_or(0.0, |first| first.rules.false_discoveries);
    let is_suspect = |function: &Function| {
        let is_slower = found.again.is_some_and(|again| again.ratio > 1.0);
        let again = comparison.function(&Key::of(function)).and_then(|again| again.q_value);
        is_slower && again.is_some_and(|rate| rate <= most)
    };
    let is_suspect = match &found.subject {
        Subject::Function(function) => is_suspect(function),
        Subject::Total { .. } => false,
    };
    comparison.noise_is_known && is_smaller && !is_suspect
}

/// Why a slowdown by `must_see` may have gone unseen.
fn blind_spots(comparison: &Comparison, must_see: f64) -> Vec<String> {
    if !comparison.noise_is_known {
        return vec![
            "it is not known how much runs differ by themselves; make at least three of each side"
                .to_owned(),
        ];
    }
    let advice = "make more runs, or longer ones";
    match comparison.total.detectable {
        Some(least) if least <= must_see => Vec::new(),
        Some(least) => vec![format!(
            "the runs differ so much that a program slower by less than {:.0} % would not have been \
             noticed; {advice}",
            least * 100.0
        )],
        None => vec![format!("the CPU time as a whole could not be compared; {advice}")],
    }
}

fn notes(
    setup: &Setup,
    comparison: Option<&Comparison>,
    budgets: &[BudgetOutcome],
    policy: &Policy,
    today: Date,
) -> Vec<String> {
    let mut notes = policy.expired(today);
    if let Some(runner) = &setup.baseline.runner {
        let differences = setup.runner.differences(runner);
        if !differences.is_empty() {
            notes.push(format!(
                "the baseline was measured on another machine: {}",
                differences.join(", ")
            ));
        }
    }
    let tested =
        |comparison: &Comparison| comparison.functions.iter().any(|one| one.change.is_some());
    if comparison.is_some_and(|comparison| !tested(comparison)) {
        notes.push(
            "no function has enough samples to be compared, only the CPU time as a whole was; make \
             longer runs"
                .to_owned(),
        );
    }
    let unused = budgets.iter().filter(|budget| budget.outcome == Outcome::NoSuchFunction);
    notes.extend(
        unused.map(|budget| format!("the budget for {} matches no function", budget.functions)),
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{comparison, function, ratio, setup};
    use super::super::policy::{Accept, Budget, Metric};
    use super::*;

    fn today() -> Date {
        "2026-06-01".parse().unwrap()
    }

    fn key(function: &str) -> Key {
        Key { module: "app".into(), function: function.into() }
    }

    fn suspects(functions: &[&str], total: bool) -> Suspects {
        Suspects { functions: functions.iter().map(|name| key(name)).collect(), total }
    }

    /// `parse` is slower in the first runs, and again in those that confirm.
    fn slower_twice() -> Evidence {
        let mut first = comparison();
        first.functions.push(function("parse", 1.0, 1.5, Finding::Slower));
        let mut again = first.clone();
        again.functions.last_mut().unwrap().change = Some(ratio(1.4));
        Evidence {
            comparison: Some(first),
            suspects: suspects(&["parse"], false),
            confirmation: Some(Confirmation {
                comparison: again,
                confirmed: suspects(&["parse"], false),
            }),
            ..Evidence::default()
        }
    }

    /// `parse` is slower in the first runs alone.
    fn slower_once(again: Option<Ratio>) -> Evidence {
        let mut evidence = slower_twice();
        let confirmation = evidence.confirmation.as_mut().unwrap();
        confirmation.confirmed = Suspects::default();
        confirmation.comparison.functions.last_mut().unwrap().change = again;
        evidence
    }

    fn decided(evidence: Evidence) -> CheckResult {
        decide(setup(), evidence, &Policy::default(), today())
    }

    #[test]
    fn what_shows_twice_is_a_regression() {
        let result = decided(slower_twice());
        assert_eq!((result.verdict, result.exit_code()), (Verdict::Regression, 1));
        let expected = "parse in app (app.c:7) takes 40 % more CPU time (95 % interval: +30 to +50 %), \
                        in the runs made to confirm it, too";
        assert_eq!(result.reasons, [expected]);
        assert_eq!(result.findings.len(), 1);
        assert_eq!(result.findings[0].change(), ratio(1.4));
    }

    #[test]
    fn what_does_not_show_again_is_no_regression() {
        let result = decided(slower_once(Some(ratio(1.0))));
        assert_eq!((result.verdict, result.exit_code()), (Verdict::Ok, 0));
        assert_eq!(result.found(Standing::NotConfirmed).count(), 1);
    }

    #[test]
    fn runs_that_could_not_confirm_anything_rule_nothing_out() {
        let is_unsure = |evidence| {
            let result = decided(evidence);
            assert_eq!((result.verdict, result.exit_code()), (Verdict::Inconclusive, 3));
            assert!(result.reasons[0].starts_with("parse in app seemed slower at first, and"));
        };
        let single = |mut evidence: Evidence| {
            evidence.confirmation.as_mut().unwrap().comparison.noise_is_known = false;
            evidence
        };
        is_unsure(single(slower_once(Some(ratio(1.0)))));
        is_unsure(slower_once(Some(Ratio { ratio: 1.1, low: 0.7, high: 1.7 })));
        is_unsure(slower_once(None));
    }

    #[test]
    fn runs_that_make_it_suspect_once_more_rule_nothing_out() {
        let mut evidence = slower_once(Some(Ratio { ratio: 1.23, low: 1.04, high: 1.45 }));
        let again = evidence.confirmation.as_mut().unwrap().comparison.functions.last_mut();
        again.unwrap().q_value = Some(0.03);
        assert_eq!(decided(evidence).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn without_runs_to_confirm_it_cannot_be_told() {
        let result = decided(Evidence { confirmation: None, ..slower_twice() });
        assert_eq!((result.verdict, result.exit_code()), (Verdict::Inconclusive, 3));
        assert!(result.reasons[0].ends_with("no more runs were made to confirm it"));
    }

    #[test]
    fn nothing_found_is_ok_only_if_something_would_have_been() {
        let evidence =
            |comparison| Evidence { comparison: Some(comparison), ..Evidence::default() };
        let result = decided(evidence(comparison()));
        assert_eq!(result.verdict, Verdict::Ok);
        assert_eq!(result.reasons, ["nothing is slower by more than chance explains"]);

        let mut blind = comparison();
        blind.total.detectable = Some(1.5);
        assert_eq!(decided(evidence(blind)).verdict, Verdict::Inconclusive);
        let single = Comparison { noise_is_known: false, ..comparison() };
        assert_eq!(decided(evidence(single)).verdict, Verdict::Inconclusive);
        assert_eq!(decided(Evidence::default()).exit_code(), 3);
    }

    #[test]
    fn that_only_the_whole_was_compared_is_said() {
        let functions = vec![function("rest", 4.0, 4.0, Finding::NotTested)];
        let untested = Comparison { functions, detectable: Vec::new(), ..comparison() };
        let result = decided(Evidence { comparison: Some(untested), ..Evidence::default() });
        assert_eq!(result.verdict, Verdict::Ok);
        assert!(result.notes[0].contains("only the CPU time as a whole"), "{:?}", result.notes);
    }

    #[test]
    fn a_measurement_that_failed_is_invalid_whatever_it_shows() {
        let invalid = vec!["a run has failed".to_owned()];
        let result = decided(Evidence { invalid, ..slower_twice() });
        assert_eq!((result.verdict, result.exit_code()), (Verdict::Invalid, 3));
        assert_eq!(result.reasons[0], "a run has failed");
    }

    #[test]
    fn a_slowdown_that_was_accepted_fails_nothing() {
        let accept = Accept {
            functions: "parse".into(),
            up_to: 1.45,
            commit: None,
            reason: "checks more".to_owned(),
            until: today(),
        };
        let policy = Policy { accepted: vec![accept], ..Policy::default() };
        let result = decide(setup(), slower_twice(), &policy, today());
        assert_eq!(result.verdict, Verdict::Ok);
        assert_eq!(result.found(Standing::Waived).count(), 1);
        let later = "2026-06-02".parse().unwrap();
        let result = decide(setup(), slower_twice(), &policy, later);
        assert_eq!(result.verdict, Verdict::Regression);
        assert!(result.notes[0].contains("ended on 2026-06-01"), "{:?}", result.notes);
    }

    #[test]
    fn an_old_baseline_warns_and_does_not_fail() {
        let mut setup = setup();
        setup.baseline.source = Source::File;
        setup.baseline.may_fail = false;
        setup.baseline.runner = Some(crate::check::Runner { cpus: 64, ..setup.runner.clone() });
        let evidence = Evidence { confirmation: None, ..slower_twice() };
        let result = decide(setup, evidence, &Policy::default(), today());
        assert_eq!((result.verdict, result.exit_code()), (Verdict::Inconclusive, 0));
        assert!(result.notes[0].contains("processors 2 instead of 64"), "{:?}", result.notes);
    }

    #[test]
    fn a_budget_needs_no_baseline() {
        let mut setup = setup();
        setup.base = None;
        setup.baseline.source = Source::None;
        setup.baseline.may_fail = false;
        let evidence = || Evidence { comparison: Some(comparison()), ..Evidence::default() };
        let nothing = decide(setup.clone(), evidence(), &Policy::default(), today());
        assert_eq!((nothing.verdict, nothing.exit_code()), (Verdict::Inconclusive, 0));
        assert_eq!(nothing.comparison, None);
        let budget = Budget { functions: "rest".into(), metric: Metric::Own, max_share: 0.01 };
        let policy = Policy { budgets: vec![budget], ..Policy::default() };
        let over = decide(setup, evidence(), &policy, today());
        assert_eq!(over.exit_code(), 1);
        assert!(over.reasons[0].contains("its budget is 1.0 %"), "{:?}", over.reasons);
    }

    #[test]
    fn the_program_as_a_whole_can_be_the_regression() {
        let mut first = comparison();
        first.total.change = Some(ratio(1.3));
        first.total.finding = Finding::Slower;
        let confirmed = suspects(&[], true);
        let confirmation = Some(Confirmation { comparison: first.clone(), confirmed });
        let suspects = suspects(&[], true);
        let evidence =
            Evidence { comparison: Some(first), suspects, confirmation, ..Evidence::default() };
        let result = decided(evidence);
        assert_eq!(result.verdict, Verdict::Regression);
        assert_eq!(result.findings[0].key(), TOTAL);
        assert!(result.reasons[0].starts_with("the program takes 30 % more"));
    }
}
