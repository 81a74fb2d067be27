//! What a project has decided about its checks.

use serde::{Deserialize, Serialize};

use super::date::Date;
use super::pattern::Pattern;
use super::result::Waiver;
use crate::comparison::Suspects;
use crate::key::Key;
use crate::result::{Comparison, Ratio};

/// Stands for the CPU time as a whole where a function is named.
pub const TOTAL: &str = "[total]";

/// What counts, and what does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// A check that would not have seen a slowdown by this much is inconclusive: 1.0 is twice the
    /// time.
    pub must_see: f64,
    pub budgets: Vec<Budget>,
    pub ignored: Vec<Ignore>,
    pub accepted: Vec<Accept>,
}

/// How much a function may take at most. Needs no baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Functions that match are taken together.
    pub functions: Pattern,
    pub metric: Metric,
    /// Of the CPU time of the head.
    pub max_share: f64,
}

/// Which time of a function counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Its own.
    #[default]
    #[serde(rename = "self")]
    Own,
    /// With all that it calls. Where several functions match, the one with the most counts.
    Total,
}

/// Functions that are not looked at for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Ignore {
    pub functions: Pattern,
    pub reason: String,
    /// The last day.
    pub until: Date,
}

/// A slowdown that is known and wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Accept {
    pub functions: Pattern,
    /// Up to so many times the time of the base.
    pub up_to: f64,
    /// The commit that brought it, for those who read the result.
    pub commit: Option<String>,
    pub reason: String,
    /// The last day.
    pub until: Date,
}

/// Functions that go by another name in the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Old name.
    pub from: Pattern,
    /// New name, in which each `*` is what the one of `from` stands for.
    pub to: Pattern,
}

impl Default for Policy {
    fn default() -> Self {
        Self { must_see: 1.0, budgets: Vec::new(), ignored: Vec::new(), accepted: Vec::new() }
    }
}

impl Policy {
    /// The suspects that no exception covers: those for which more runs are worth their time.
    pub fn unwaived(&self, suspects: &Suspects, first: &Comparison, today: Date) -> Suspects {
        let is_waived = |key: &&Key| {
            let change = first.function(key).and_then(|function| function.change);
            self.waiver(&key.module, &key.function, change, today).is_some()
        };
        let functions = suspects.functions.iter().filter(|key| !is_waived(key)).cloned().collect();
        let total = suspects.total && self.waiver("", TOTAL, first.total.change, today).is_none();
        Suspects { functions, total }
    }

    /// The exception that covers such a change of a function.
    pub(super) fn waiver(
        &self,
        module: &str,
        function: &str,
        change: Option<Ratio>,
        today: Date,
    ) -> Option<Waiver> {
        let ignored = self
            .ignored
            .iter()
            .find(|one| today <= one.until && one.functions.matches(module, function))
            .map(|one| Waiver::Ignored { reason: one.reason.clone(), until: one.until });
        let ratio = change.map_or(f64::INFINITY, |change| change.ratio);
        let accepted = || {
            let covers = |one: &&Accept| {
                today <= one.until && one.functions.matches(module, function) && ratio <= one.up_to
            };
            self.accepted.iter().find(covers).map(|one| Waiver::Accepted {
                up_to: one.up_to,
                commit: one.commit.clone(),
                reason: one.reason.clone(),
                until: one.until,
            })
        };
        ignored.or_else(accepted)
    }

    /// A sentence for each exception that has ended.
    pub(super) fn expired(&self, today: Date) -> Vec<String> {
        let sentence = |what: &str, functions: &Pattern, until: Date| {
            format!(
                "the {what} for {} ended on {until} and no longer applies; renew or remove it",
                functions.as_str()
            )
        };
        let ignored = self.ignored.iter().filter(|one| one.until < today);
        let accepted = self.accepted.iter().filter(|one| one.until < today);
        ignored
            .map(|one| sentence("[[ignore]]", &one.functions, one.until))
            .chain(accepted.map(|one| sentence("[[accept]]", &one.functions, one.until)))
            .collect()
    }
}

impl Rename {
    /// The new name of a function with an old one.
    pub fn renamed(&self, function: &str) -> Option<String> {
        Some(self.to.filled(&self.from.captures(function)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn ratio(ratio: f64) -> Option<Ratio> {
        Some(Ratio { ratio, low: ratio, high: ratio })
    }

    fn policy() -> Policy {
        Policy {
            ignored: vec![Ignore {
                functions: "rayon::*".into(),
                reason: "spinning".to_owned(),
                until: date("2026-12-31"),
            }],
            accepted: vec![Accept {
                functions: "db::flush".into(),
                up_to: 1.2,
                commit: None,
                reason: "durable now".to_owned(),
                until: date("2026-06-30"),
            }],
            ..Policy::default()
        }
    }

    #[test]
    fn an_exception_ends_with_its_last_day() {
        let waived = |day: &str| policy().waiver("app", "rayon::join", None, date(day)).is_some();
        assert!(waived("2026-12-31"));
        assert!(!waived("2027-01-01"));
        assert_eq!(policy().expired(date("2026-12-31")).len(), 1);
        assert_eq!(policy().expired(date("2027-01-01")).len(), 2);
    }

    #[test]
    fn more_than_was_accepted_is_not_accepted() {
        let day = date("2026-01-01");
        assert!(policy().waiver("app", "db::flush", ratio(1.15), day).is_some());
        assert!(policy().waiver("app", "db::flush", ratio(1.25), day).is_none());
        assert!(policy().waiver("app", "db::flush", None, day).is_none());
    }

    #[test]
    fn a_rename_keeps_what_its_stars_stand_for() {
        let rename = Rename { from: "old::*::f*".into(), to: "new::*::g*".into() };
        assert_eq!(rename.renamed("old::a::fast").as_deref(), Some("new::a::gast"));
        assert_eq!(rename.renamed("older::a::fast"), None);
    }
}
