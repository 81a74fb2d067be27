//! Programs that have another name on the other side.
//!
//! `./app-old` and `./app-new` are one program, whoever starts them: `env`, a shell, a script. So it is
//! not the first process that tells, but which executables have samples on one side alone.

use std::collections::{BTreeMap, BTreeSet};

use sigspy_model::Profile;

use crate::functions::Input;
use crate::key;

/// Canonical names of executables of the base, and what the head has in their place.
pub struct Programs(BTreeMap<String, String>);

impl Programs {
    /// Pairs executables that are on one side only, those with most CPU time first.
    pub fn of(base: &[Input<'_>], head: &[Input<'_>]) -> Self {
        let (base, head) = (executables(base), executables(head));
        let gone = largest(base.iter().filter(|(name, _)| !head.contains_key(*name)));
        let new = largest(head.iter().filter(|(name, _)| !base.contains_key(*name)));
        let owned = |(gone, new): (&str, &str)| (gone.to_owned(), new.to_owned());
        Self(gone.into_iter().zip(new).map(owned).collect())
    }

    /// What the head calls a module of the base.
    pub fn in_head<'a>(&'a self, module: &'a str) -> &'a str {
        self.0.get(module).map_or(module, |name| name)
    }
}

/// Canonical names of executables with code in the profiles, and the CPU time of their processes in
/// nanoseconds.
fn executables<'a>(inputs: &[Input<'a>]) -> BTreeMap<&'a str, u64> {
    let mut found = BTreeMap::new();
    for profile in inputs.iter().map(|input| input.profile) {
        let modules: BTreeSet<&str> =
            profile.modules.iter().map(|module| key::module(&module.path)).collect();
        for (name, ns) in times(profile).into_iter().filter(|(name, _)| modules.contains(name)) {
            let all: &mut u64 = found.entry(name).or_default();
            *all = all.saturating_add(ns);
        }
    }
    found
}

/// By the canonical name of the executable.
fn times(profile: &Profile) -> BTreeMap<&str, u64> {
    let mut found = BTreeMap::new();
    for sample in &profile.samples {
        let thread = profile.threads.get(sample.thread.0 as usize);
        let process = thread.and_then(|it| profile.processes.get(it.process.0 as usize));
        let Some(process) = process else { continue };
        let ns: &mut u64 = found.entry(key::module(&process.name)).or_default();
        *ns = ns.saturating_add(sample.weight_ns);
    }
    found
}

/// Names, the one with most CPU time first.
fn largest<'a>(executables: impl Iterator<Item = (&'a &'a str, &'a u64)>) -> Vec<&'a str> {
    let mut sorted: Vec<(&str, u64)> = executables.map(|(name, ns)| (*name, *ns)).collect();
    sorted.sort_by(|(_, a), (_, b)| b.cmp(a));
    sorted.into_iter().map(|(name, _)| name).collect()
}
