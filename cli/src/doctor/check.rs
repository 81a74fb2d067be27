//! What doctor finds out, as data.

use serde::Serialize;

/// How good a finding is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// Profiling works, and could work better.
    Warn,
    /// Profiling does not work.
    No,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub state: State,
    /// One line.
    pub found: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// For those who want to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// All findings about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    pub subject: String,
    pub checks: Vec<Check>,
}

impl Check {
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), remedy: None, details: Vec::new() }
    }

    pub fn warn(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Warn, remedy: Some(remedy.into()), ..Self::ok(name, found) }
    }

    pub fn no(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::No, ..Self::warn(name, found, remedy) }
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

impl Examination {
    /// As bad as the worst of its checks.
    pub fn state(&self) -> State {
        self.checks.iter().map(|check| check.state).max().unwrap_or(State::Ok)
    }
}
