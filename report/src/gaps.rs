//! Processes that could not be sampled.

use std::collections::BTreeMap;

use sigspy_model::{Gap, Process, Profile};

use crate::names::presentable;
use crate::quality::plural;

/// The processes that were not sampled, those of one program and one reason together.
pub fn unsampled_programs(profile: &Profile) -> BTreeMap<(&str, Gap), Vec<&Process>> {
    let mut programs: BTreeMap<(&str, Gap), Vec<&Process>> = BTreeMap::new();
    for process in &profile.processes {
        if let Some(gap) = process.gap {
            programs.entry((&process.name, gap)).or_default().push(process);
        }
    }
    programs
}

/// Why a process was not sampled.
pub fn reason(gap: Gap) -> &'static str {
    match gap {
        Gap::StaticallyLinked => "it is statically linked",
        Gap::OtherArchitecture => "it is for another architecture",
        Gap::SetUserId => "it runs with the rights of another user",
        Gap::Environment => "it was started with an environment of its own",
        Gap::BareFork => "it was forked by a bare system call",
        Gap::NotWanted => "it was not asked for",
        Gap::Unknown => "its agent has not come",
    }
}

/// All programs that were not sampled, in one phrase; `None`: there are none, or nobody has asked
/// for them.
pub fn gaps(profile: &Profile) -> Option<String> {
    const MOST: usize = 3;
    let mut programs = unsampled_programs(profile);
    programs.retain(|&(_, gap), _| gap != Gap::NotWanted);
    let count: usize = programs.values().map(Vec::len).sum();
    let named = programs.keys().take(MOST);
    let mut list: Vec<String> =
        named.map(|(name, gap)| format!("{}: {}", presentable(*name), reason(*gap))).collect();
    if programs.len() > MOST {
        list.push("...".into());
    }
    let processes = plural(count, "process was", "processes were");
    (count > 0).then(|| format!("{processes} not sampled ({})", list.join("; ")))
}
