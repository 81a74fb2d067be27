//! The result of a check. Values in JSON are in kebab-case, names of fields in snake_case.
//!
//! Times are CPU seconds of one run, shares and ratios are fractions: 0.05 is 5 %.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::date::Date;
use super::policy::{Metric, TOTAL};
use super::runner::Runner;
use crate::functions::Site;
use crate::key::Key;
use crate::result::{Comparison, Function, Label, Ratio};

/// Version of [`CheckResult`]. A reader understands this one alone.
pub const SCHEMA: u32 = 1;

/// All there is to know about a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// [`SCHEMA`].
    pub schema: u32,
    pub verdict: Verdict,
    /// Why, in sentences; the one that counts most first. Never empty.
    pub reasons: Vec<String>,
    pub setup: Setup,
    /// Changes beyond chance: regressions first, then by cost.
    pub findings: Vec<Found>,
    pub budgets: Vec<BudgetOutcome>,
    /// The first runs. `None` if nothing could be compared.
    pub comparison: Option<Comparison>,
    /// The runs that were made to confirm, of the suspects alone.
    pub confirmation: Option<Comparison>,
    /// What should be known besides: exceptions that have ended, another machine.
    pub notes: Vec<String>,
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No regression, and one that matters would have been seen.
    Ok,
    /// A slowdown that was seen twice, or a budget that was exceeded.
    Regression,
    /// It cannot be told.
    Inconclusive,
    /// What was measured is not what was to be measured.
    Invalid,
}

/// What was run, where, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Version of sigspy.
    pub version: String,
    /// `None` if there is no baseline.
    pub base: Option<CheckedSide>,
    pub head: CheckedSide,
    /// Where the head ran, and the base unless `baseline` has a machine of its own.
    pub runner: Runner,
    pub plan: Plan,
    pub baseline: Baseline,
}

/// One of the two programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedSide {
    /// What people call it: `main`, a tag, `before`.
    pub label: String,
    /// Program and arguments.
    pub command: Vec<String>,
    pub git_revision: Option<String>,
}

/// The runs that were to be made, of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub runs: usize,
    pub confirmation_runs: usize,
    /// Runs before these, which do not count.
    pub warm_up: usize,
    pub order: Order,
}

/// Which side runs when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Base, head, head, base, and so on: a drift of the machine hits both sides.
    Abba,
    /// Only the head runs.
    HeadOnly,
}

/// What the head is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub source: Source,
    /// Whether the check may fail a build. If not, an inconclusive one has the exit status 0.
    pub may_fail: bool,
    /// The machine of the base, if another run has measured it.
    pub runner: Option<Runner>,
}

/// Where the base was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Here, and in turn with the head.
    SameJob,
    /// Elsewhere or earlier, and kept.
    File,
    /// Nowhere.
    None,
}

/// A change that chance does not explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    pub standing: Standing,
    pub subject: Subject,
    /// Where it was called from, nearest first.
    pub sites: Vec<Site>,
    /// In the first runs.
    pub first: Ratio,
    /// In the runs made to confirm. A change that was picked for its size is smaller here, on
    /// average, and this is the better estimate.
    pub again: Option<Ratio>,
    /// The exception that covers it.
    pub waiver: Option<Waiver>,
}

/// How a change is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Slower in the first runs and in those that were to confirm it.
    Regression,
    /// Slower in the first runs; there were no others.
    Suspect,
    /// Slower, and covered by an exception.
    Waived,
    /// Slower in the first runs, not in the others.
    NotConfirmed,
    /// Faster.
    Improvement,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// CPU time as a whole, of the first runs.
    Total { base_s: f64, head_s: f64 },
    /// A function, in the first runs.
    Function(Function),
}

/// An exception that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waiver {
    Ignored { reason: String, until: Date },
    Accepted { up_to: f64, commit: Option<String>, reason: String, until: Date },
}

/// What a budget came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetOutcome {
    /// Which functions it is for.
    pub functions: String,
    pub metric: Metric,
    pub max_share: f64,
    /// Of the head.
    pub share: f64,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Within,
    Exceeded,
    /// More than allowed, but by no more than the chance of sampling explains.
    CannotTell,
    /// Within, as no function is called that.
    NoSuchFunction,
}

impl CheckResult {
    /// Whether the first runs were compared in pairs.
    pub fn is_paired(&self) -> bool {
        self.comparison.as_ref().is_some_and(|comparison| comparison.paired)
    }

    /// The exit status: 0 ok, 1 regression, 3 inconclusive or invalid. (2 is for a check that did
    /// not get so far.)
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Ok => 0,
            Verdict::Regression => 1,
            Verdict::Inconclusive if !self.setup.baseline.may_fail => 0,
            Verdict::Inconclusive | Verdict::Invalid => 3,
        }
    }

    /// Findings of one standing.
    pub fn found(&self, standing: Standing) -> impl Iterator<Item = &Found> {
        self.findings.iter().filter(move |found| found.standing == standing)
    }
}

impl Found {
    /// The best estimate of the change.
    pub fn change(&self) -> Ratio {
        self.again.unwrap_or(self.first)
    }

    /// The same in each result: to find it again.
    pub fn key(&self) -> String {
        match &self.subject {
            Subject::Total { .. } => TOTAL.to_owned(),
            Subject::Function(function) => function.key(),
        }
    }

    /// The difference of CPU time of a run.
    pub fn difference_s(&self) -> f64 {
        match &self.subject {
            Subject::Total { base_s, head_s } => head_s - base_s,
            Subject::Function(function) => function.difference_s(),
        }
    }
}

impl Subject {
    /// As people call it.
    pub fn name(&self) -> String {
        match self {
            Self::Total { .. } => "the program".to_owned(),
            Self::Function(function) => Key::of(function).to_string(),
        }
    }

    /// Where it is, without folders: `json.cpp:17`.
    pub fn place(&self) -> Option<String> {
        let Self::Function(Function { file, line, .. }) = self else { return None };
        let name = file.as_ref()?.rsplit('/').next()?;
        Some(line.map_or(name.to_owned(), |line| format!("{name}:{line}")))
    }

    /// Whether the base has no such function.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Function(function) if function.labels.contains(&Label::New))
    }
}

/// `parse in libjson (json.cpp:17) takes 23 % more CPU time (95 % interval: +12 to +35 %)`.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MANY_TIMES: f64 = 10.0;
        let Ratio { ratio, low, high } = self.change();
        let place = self.subject.place().map(|place| format!(" ({place})")).unwrap_or_default();
        let name = format!("{}{place}", self.subject.name());
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        match ratio {
            _ if self.subject.is_new() => {
                write!(f, "{name} is new and takes {:.3} s of CPU time", self.difference_s())
            }
            MANY_TIMES.. => write!(
                f,
                "{name} takes {ratio:.0} times the CPU time (95 % interval: {low:.0} to {high:.0} times)"
            ),
            _ => {
                let more_or_less = if ratio < 1.0 { "less" } else { "more" };
                let (size, low, high) = (percent(ratio).abs(), percent(low), percent(high));
                write!(
                    f,
                    "{name} takes {size:.0} % {more_or_less} CPU time \
                     (95 % interval: {low:+.0} to {high:+.0} %)"
                )
            }
        }
    }
}

/// `json::* has 12.3 % of the CPU time, and its budget is 10.0 %`.
impl fmt::Display for BudgetOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (share, max) = (self.share * 100.0, self.max_share * 100.0);
        write!(
            f,
            "{} has {share:.1} % of the CPU time, and its budget is {max:.1} %",
            self.functions
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{function, ratio};
    use super::*;
    use crate::result::Finding;

    fn found(name: &str, base_s: f64, head_s: f64, label: Option<Label>) -> String {
        let mut function = function(name, base_s, head_s, Finding::Slower);
        function.labels.extend(label);
        let first = ratio(head_s / base_s);
        let subject = Subject::Function(function);
        let standing = Standing::Suspect;
        let sites = Vec::new();
        Found { standing, subject, sites, first, again: None, waiver: None }.to_string()
    }

    #[test]
    fn a_change_is_told_in_a_sentence() {
        let more = "f in app (app.c:7) takes 50 % more CPU time (95 % interval: +40 to +60 %)";
        assert_eq!(found("f", 1.0, 1.5, None), more);
        let less = "f in app (app.c:7) takes 50 % less CPU time (95 % interval: -60 to -40 %)";
        assert_eq!(found("f", 1.0, 0.5, None), less);
        let much = "f in app (app.c:7) takes 20 times the CPU time (95 % interval: 20 to 20 times)";
        assert_eq!(found("f", 0.1, 2.0, None), much);
        let new = "f in app (app.c:7) is new and takes 1.500 s of CPU time";
        assert_eq!(found("f", 0.01, 1.51, Some(Label::New)), new);
    }
}
