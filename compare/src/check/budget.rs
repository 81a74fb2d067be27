//! What functions may take at most.

use super::policy::{Budget, Metric};
use super::result::{BudgetOutcome, Outcome};
use crate::result::Comparison;

/// Half the width of a 95 % interval, in standard errors.
const NORMAL_95: f64 = 1.96;

/// Whether the head of a comparison is within a budget. Knows of the chance of sampling, not of how
/// runs differ.
pub fn outcome(budget: &Budget, comparison: &Comparison) -> BudgetOutcome {
    let matching = comparison
        .functions
        .iter()
        .filter(|one| budget.functions.matches(&one.module, &one.function));
    let shares: Vec<f64> = match budget.metric {
        Metric::Own => matching.map(|one| one.head_share).collect(),
        Metric::Total => matching.map(|one| one.head_total_share).collect(),
    };
    let share = match budget.metric {
        Metric::Own => shares.iter().sum(),
        Metric::Total => shares.iter().copied().fold(0.0, f64::max),
    };
    let samples = comparison.head.samples * comparison.head.runs as f64;
    let error = (share * (1.0 - share).max(0.0) / samples.max(1.0)).sqrt();
    let outcome = match share {
        _ if shares.is_empty() => Outcome::NoSuchFunction,
        _ if share - NORMAL_95 * error > budget.max_share => Outcome::Exceeded,
        _ if share > budget.max_share => Outcome::CannotTell,
        _ => Outcome::Within,
    };
    let functions = budget.functions.as_str().to_owned();
    BudgetOutcome { functions, metric: budget.metric, max_share: budget.max_share, share, outcome }
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{comparison, function};
    use super::*;
    use crate::result::Finding;

    fn outcome_of(functions: &str, metric: Metric, max_share: f64) -> Outcome {
        let mut made_up = comparison();
        made_up.functions = vec![
            function("json::parse_number", 1.0, 1.0, Finding::NoEvidence),
            function("json::parse_text", 0.5, 0.5, Finding::NoEvidence),
        ];
        outcome(&Budget { functions: functions.into(), metric, max_share }, &made_up).outcome
    }

    #[test]
    fn own_time_of_all_that_match_counts() {
        assert_eq!(outcome_of("json::*", Metric::Own, 0.2), Outcome::Within);
        assert_eq!(outcome_of("json::*", Metric::Own, 0.1), Outcome::Exceeded);
        assert_eq!(outcome_of("json::*", Metric::Total, 0.12), Outcome::Within);
    }

    #[test]
    fn what_may_be_chance_exceeds_no_budget() {
        assert_eq!(outcome_of("json::*", Metric::Own, 0.149), Outcome::CannotTell);
    }

    #[test]
    fn a_budget_of_nothing_says_so() {
        assert_eq!(outcome_of("xml::*", Metric::Own, 0.1), Outcome::NoSuchFunction);
    }
}
