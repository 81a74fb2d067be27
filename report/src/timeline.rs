//! Samples in the order of time, for formats that have a time axis.

use std::collections::BTreeMap;

use sigspy_model::{Profile, Sample};

use crate::rows::Rows;

/// Samples in the order of time; of those at one time, in the order of the profile.
pub fn in_time(profile: &Profile) -> Vec<&Sample> {
    let mut samples: Vec<&Sample> = profile.samples.iter().collect();
    samples.sort_by_key(|sample| sample.time_ns);
    samples
}

/// Samples of each thread, in the order of time. Threads of one pid and tid are one, as a thread
/// is still itself after exec; where recordings were merged they may be several, and `distinct`
/// is the pid by which their processes can be told apart.
pub struct Lane<'a> {
    pub distinct_pid: u32,
    pub tid: u32,
    pub samples: Vec<&'a Sample>,
}

/// All lanes, by pid and tid.
pub fn lanes(profile: &Profile) -> Vec<Lane<'_>> {
    let pids = distinct_pids(profile);
    let mut lanes: BTreeMap<(u32, u32), Vec<&Sample>> = BTreeMap::new();
    for sample in in_time(profile) {
        let thread = profile.thread(sample.thread);
        lanes.entry((pids[thread.process.0 as usize], thread.tid)).or_default().push(sample);
    }
    let lane = |((distinct_pid, tid), samples)| Lane { distinct_pid, tid, samples };
    lanes.into_iter().map(lane).collect()
}

/// A pid for each process. Those that lived at the same time under one pid, which is so when
/// recordings of several machines were merged, get numbers that no process has.
pub fn distinct_pids(profile: &Profile) -> Vec<u32> {
    let mut ends: BTreeMap<u32, Option<u64>> = BTreeMap::new();
    let highest = profile.processes.iter().map(|process| process.pid).max().unwrap_or(0);
    let mut next = highest;
    let mut pids = Vec::with_capacity(profile.processes.len());
    for process in &profile.processes {
        let free = match ends.get(&process.pid) {
            None => true,
            Some(end) => end.is_some_and(|end_ns| end_ns <= process.life.start_ns),
        };
        if free {
            ends.insert(process.pid, process.life.end_ns);
            pids.push(process.pid);
        } else {
            next = next.saturating_add(1);
            pids.push(next);
        }
    }
    pids
}

/// Samples that follow one another on the same path as one, with the weight of all.
pub fn runs<'a>(
    profile: &Profile,
    rows: &Rows<'_>,
    samples: impl IntoIterator<Item = &'a Sample>,
) -> Vec<(&'a Sample, u64)> {
    let mut runs: Vec<(&Sample, u64)> = Vec::new();
    let (mut path, mut before) = (Vec::new(), Vec::new());
    for sample in samples {
        rows.path(profile, sample, &mut path);
        match runs.last_mut() {
            Some((_, weight_ns)) if path == before => *weight_ns += sample.weight_ns,
            _ => runs.push((sample, sample.weight_ns)),
        }
        std::mem::swap(&mut path, &mut before);
    }
    runs
}
