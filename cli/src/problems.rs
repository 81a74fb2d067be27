//! What stood in the way of names, in a few lines.

use std::collections::BTreeMap;
use std::mem::discriminant;

use sigspy_model::{ModuleId, Profile};
use sigspy_symbolizer::{Cause, Problem, Servers};

use crate::agent;

/// Other modules with the same problem that are named.
const NAMED: usize = 3;
/// Modules without symbols are worth a word if so much of the time is spent in them.
const NOTABLE_SHARE: f64 = 0.05;

/// CPU time of a module, ns.
type Times = BTreeMap<ModuleId, u64>;

/// What to say of `problems`, and of servers that could not help.
pub fn sentences(
    problems: &[Problem],
    profile: &Profile,
    servers: Option<&Servers>,
) -> Vec<String> {
    let mut sentences = by_kind(problems, &self_times(profile), servers.is_some());
    let troubles = servers.map(Servers::troubles).unwrap_or_default();
    sentences.extend(troubles.iter().map(|trouble| format!("the debuginfod server {trouble}")));
    sentences
}

/// A sentence for each kind of problem, with the modules that have it; those with most of the time
/// first.
fn by_kind(problems: &[Problem], times: &Times, has_servers: bool) -> Vec<String> {
    let time = |problem: &Problem| times.get(&problem.module).copied().unwrap_or(0);
    let total: u64 = times.values().sum();
    let is_notable = |problem: &&Problem| match problem.cause {
        // Half of what every system has is built without it.
        Cause::NoDebugInfo => false,
        Cause::NoSymbols => time(problem) as f64 >= NOTABLE_SHARE * total as f64,
        // Some are unpacked for one run.
        Cause::Removed => !agent::is_agent(&problem.path),
        _ => true,
    };
    let mut rest: Vec<&Problem> = problems.iter().filter(is_notable).collect();
    rest.sort_by_key(|problem| std::cmp::Reverse(time(problem)));
    let mut sentences = Vec::new();
    while let Some(&first) = rest.first() {
        let kind = discriminant(&first.cause);
        let (same, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|one| discriminant(&one.cause) == kind);
        let advice = match first.cause {
            Cause::NoSymbols if !has_servers => ", or set DEBUGINFOD_URLS",
            Cause::Missing(_) | Cause::Replaced { .. } | Cause::Unproven => {
                ", or name its folder by --symbol-dir"
            }
            _ => "",
        };
        sentences.push(format!("{first}{advice}{}", also(&same)));
        rest = others;
    }
    sentences
}

/// ` (the same of b.so, c.so and 4 more)`, behind a sentence about the first.
fn also(same: &[&Problem]) -> String {
    let others: Vec<&str> = same.iter().skip(1).map(|problem| problem.path.as_str()).collect();
    let named = others[..others.len().min(NAMED)].join(", ");
    match others.len() {
        0 => String::new(),
        1..=NAMED => format!(" (the same of {named})"),
        more => format!(" (the same of {named} and {} more)", more - NAMED),
    }
}

/// CPU time of samples whose innermost frame lies in a module, ns.
fn self_times(profile: &Profile) -> Times {
    let mut times = Times::new();
    for sample in &profile.samples {
        let stack = profile.stacks.get(sample.stack.0 as usize);
        let innermost = stack.and_then(|stack| stack.locations.first());
        let location = innermost.and_then(|id| profile.locations.get(id.0 as usize));
        if let Some(module) = location.and_then(|location| location.module) {
            *times.entry(module).or_default() += sample.weight_ns;
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(number: u32, cause: Cause) -> Problem {
        Problem { module: ModuleId(number), path: format!("/lib/{number}.so"), cause }
    }

    #[test]
    fn modules_with_the_same_problem_share_a_sentence() {
        let mut problems: Vec<_> = (0..6).map(|number| problem(number, Cause::Removed)).collect();
        problems.push(problem(6, Cause::NoSymbols));
        problems.push(problem(7, Cause::NoDebugInfo));
        let times = [(ModuleId(6), 6), (ModuleId(7), 94)].into();
        let sentences = by_kind(&problems, &times, false);
        let [stripped, removed] = &sentences[..] else { panic!("{sentences:?}") };
        assert!(removed.starts_with("/lib/0.so is no longer there"), "{removed}");
        assert!(removed.ends_with("(the same of /lib/1.so, /lib/2.so, /lib/3.so and 2 more)"));
        assert!(stripped.starts_with("/lib/6.so is stripped"), "{stripped}");
        assert!(stripped.ends_with("its debug package, or set DEBUGINFOD_URLS"), "{stripped}");
    }
}
