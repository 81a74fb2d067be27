//! Time of a process for which there is no record: what its counts in shared memory say.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use sigspy_wire::slot::Counts;

use crate::journal::Journal;
use crate::memory::TargetMemory;
use crate::recording::Event;

/// CPUs that a process can use at once, and time that is not looked at too closely.
const MOST_CPUS: u64 = 1024;
const SLACK_NS: u64 = 1_000_000_000;
/// Stands for the threads that found no slot.
const UNSLOTTED: usize = usize::MAX;

pub struct Losses {
    since: Instant,
    /// Records that made no sense, and lanes.
    pub bad_records: u64,
    /// `lost_ns` of each slot when it was last looked at.
    seen_ns: HashMap<usize, u64>,
    /// Ticks of slots that did not add up when they were last looked at, and by how much.
    suspects: HashMap<usize, (u64, u64)>,
    unbalanced_ticks: u64,
}

impl Losses {
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            bad_records: 0,
            seen_ns: HashMap::new(),
            suspects: HashMap::new(),
            unbalanced_ticks: 0,
        }
    }

    /// What was lost since the last look: thread, process, and weight in ns.
    pub fn look(&mut self, memory: &TargetMemory) -> Vec<(u32, u32, u64)> {
        let parts = memory.parts();
        let mut lost = Vec::new();
        let mut look = |index, tid, pid, counts: &Counts| {
            lost.extend(self.news(index, counts).map(|ns| (tid, pid, ns)));
        };
        look(UNSLOTTED, 0, 0, &parts.control.unslotted);
        for index in memory.used_slots().into_iter().flatten() {
            if let Some(slot) = parts.slots.get(index) {
                look(index, slot.owner().unwrap_or(0), slot.pid.load(Relaxed), &slot.counts);
            }
        }
        lost
    }

    /// Weight that `counts` has lost since it was last looked at, ns. More than can have passed makes
    /// no sense.
    fn news(&mut self, index: usize, counts: &Counts) -> Option<u64> {
        let lost_ns = counts.lost_ns.load(Relaxed);
        if lost_ns == 0 {
            return None;
        }
        let before = self.seen_ns.insert(index, lost_ns).unwrap_or(0);
        let most_ns = (self.since.elapsed().as_nanos() as u64 + SLACK_NS).saturating_mul(MOST_CPUS);
        lost_ns.checked_sub(before).filter(|&ns| ns > 0 && ns <= most_ns)
    }

    /// Looks for ticks that are neither recorded nor lost. Called seldom: a handler that runs has
    /// counted a tick and not yet what became of it, but not for that long.
    pub fn check_balances(&mut self, memory: &TargetMemory) {
        let parts = memory.parts();
        self.check_balance(UNSLOTTED, &parts.control.unslotted);
        for index in memory.used_slots().into_iter().flatten() {
            if let Some(slot) = parts.slots.get(index) {
                self.check_balance(index, &slot.counts);
            }
        }
    }

    fn check_balance(&mut self, index: usize, counts: &Counts) {
        let (ticks, missing) = (counts.ticks.load(Relaxed), counts.unbalanced());
        if missing == 0 {
            self.suspects.remove(&index);
        } else if self.suspects.insert(index, (ticks, missing)) == Some((ticks, missing)) {
            self.unbalanced_ticks = self.unbalanced_ticks.saturating_add(missing);
        }
    }

    /// Enters what should not have happened.
    pub fn report(&self, journal: &mut Journal) {
        let (unbalanced_ticks, bad_records) = (self.unbalanced_ticks, self.bad_records);
        if unbalanced_ticks + bad_records > 0 {
            journal.events.push(Event::Defects { unbalanced_ticks, bad_records });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_time_is_entered_once() {
        let (mut losses, counts) = (Losses::new(), Counts::default());
        assert_eq!(losses.news(3, &counts), None);
        counts.lost_ns.store(500, Relaxed);
        assert_eq!(losses.news(3, &counts), Some(500));
        assert_eq!(losses.news(3, &counts), None);
        counts.lost_ns.store(700, Relaxed);
        assert_eq!(losses.news(3, &counts), Some(200));
        counts.lost_ns.store(100, Relaxed); // scribbled
        assert_eq!(losses.news(3, &counts), None);
    }

    #[test]
    fn only_what_is_missing_twice_is_missing() {
        let (mut losses, counts) = (Losses::new(), Counts::default());
        counts.ticks.store(5, Relaxed);
        losses.check_balance(3, &counts);
        counts.recorded.store(5, Relaxed);
        losses.check_balance(3, &counts);
        assert_eq!(losses.unbalanced_ticks, 0);
        counts.ticks.store(8, Relaxed);
        losses.check_balance(3, &counts);
        losses.check_balance(3, &counts);
        assert_eq!(losses.unbalanced_ticks, 3);
    }
}
