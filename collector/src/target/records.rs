//! What agents have written in lanes: read, checked, finished where a walk was cut, and entered.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sigspy_model::{StackKind, Stop};
use sigspy_unwind::Stop as Walk;
use sigspy_wire::process::Unloads;
use sigspy_wire::record::{self, Header, Record, flags};

use super::{Target, resume};
use crate::address_space::Moment;
use crate::children::Execution;
use crate::journal::{Journal, Weight};
use crate::modules::Modules;

/// So long a record waits for the tables that its walk needs, and so many of them.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_UNFINISHED: usize = 4096;

/// Program counters, leaf first, and how their walk has ended.
type Walked = (Vec<u64>, StackKind);

impl Target {
    pub(super) fn take_records(&mut self, modules: &mut Modules, journal: &mut Journal) {
        let words = self.take_words();
        let mut rest = words.as_slice();
        while let Some((record, behind)) = record::decode(rest) {
            let length = rest.len() - behind.len();
            if !self.take_record(&record, Instant::now(), modules, journal) {
                self.unfinished.push((Instant::now(), rest[..length].to_vec()));
            }
            rest = behind;
        }
        self.words = words;
    }

    /// The words of all lanes. A lane that ends in garbage must not hide the next one's records.
    fn take_words(&mut self) -> Vec<u64> {
        let mut all = std::mem::take(&mut self.words);
        all.clear();
        for lane in self.memory.lanes() {
            let start = all.len();
            if lane.drain(|word| all.push(word)).is_none() {
                self.losses.bad_records += 1;
            }
            let garbage = length_of_garbage(all.get(start..).unwrap_or_default());
            self.losses.bad_records += u64::from(garbage > 0);
            all.truncate(all.len() - garbage);
        }
        all
    }

    /// Looks whether walks that wait can go on.
    pub(super) fn retry_unfinished(&mut self, modules: &mut Modules, journal: &mut Journal) {
        for (since, words) in std::mem::take(&mut self.unfinished) {
            let Some((record, _)) = record::decode(&words) else { continue };
            if !self.take_record(&record, since, modules, journal) {
                self.unfinished.push((since, words));
            }
        }
    }

    /// False: the record must wait for the tables of its modules.
    fn take_record(
        &mut self,
        record: &Record<'_>,
        since: Instant,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> bool {
        let place = self.enter(record.header.process, journal);
        let Some((place, member)) =
            place.and_then(|place| Some((place, self.members.get_mut(place)?)))
        else {
            self.losses.bad_records += 1;
            return true;
        };
        if let Some(exec) = record.exec() {
            let pid = member.id_for_us(exec.pid, journal);
            let execution = pid.map(|pid| Execution::new(&exec, pid, member.pid));
            self.executions.extend(execution);
            member.executes(&exec);
            return true;
        }
        let is_plausible = member.could_have_used(&record.header, self.memory.lanes().len());
        let (Some(kind), true) = (kind_of(record.stop), is_plausible) else {
            self.losses.bad_records += 1;
            return true;
        };
        let moment = self.moment_of(place, &record.header);
        let Some(stack) = self.finish_walk(place, record, kind, moment, since, modules) else {
            return false;
        };
        self.enter_sample(place, record, moment, &stack, modules, journal);
        true
    }

    fn moment_of(&self, place: usize, header: &Header) -> Moment {
        let entry = self.memory.parts().processes.get(self.members[place].index as usize);
        let unloads = entry.map_or(header.unloads, |entry| undone(header.unloads, entry.unloads()));
        Moment { time_ns: header.time_ns, unloads }
    }

    /// The stack of a record as far as it is certain, which took up its walk where the agent could
    /// not go on. `None`: more may be known about its modules later.
    fn finish_walk(
        &mut self,
        place: usize,
        record: &Record<'_>,
        mut kind: StackKind,
        moment: Moment,
        since: Instant,
        modules: &Modules,
    ) -> Option<Walked> {
        let may_wait = !self.is_closing
            && since.elapsed() < PATIENCE
            && self.unfinished.len() < MOST_UNFINISHED;
        let most = self.memory.parts().control.most_frames.load(Relaxed) as usize;
        let member = &mut self.members[place];
        let mut pcs = record.frames.to_vec();
        let mut certain = member.code.certain_frames(&pcs, moment);
        let waits = record.unfinished.is_some() || certain < pcs.len();
        if may_wait && waits && member.code.may_be_certain_later(moment) {
            return None;
        }
        if let Some(unfinished) = &record.unfinished {
            let (known, space) = (pcs.len(), &member.code.space);
            let (more, stop) =
                resume::resume(member.pid, unfinished, known, most, moment, space, modules);
            if stop == Walk::Unknown && may_wait {
                member.code.want();
                return None;
            }
            pcs.extend(more);
            kind = walked(stop);
            certain = member.code.certain_frames(&pcs, moment);
        }
        if certain < pcs.len() {
            pcs.truncate(certain);
            kind = StackKind::Walked(Stop::Stale);
        }
        Some((pcs, kind))
    }

    fn enter_sample(
        &mut self,
        place: usize,
        record: &Record<'_>,
        moment: Moment,
        (pcs, kind): &Walked,
        modules: &mut Modules,
        journal: &mut Journal,
    ) {
        let Header { time_ns, tid, weight_ns, blocked_ns, sp, .. } = record.header;
        let parts = self.memory.parts();
        let member = &mut self.members[place];
        let entry = parts.processes.get(member.index as usize);
        journal.handler_times.extend(record.handler_ns.map(|ns| (record.frames.len(), ns)));
        if record.flags & flags::UNBOUNDED != 0 {
            member.code.unbounded.push((tid, sp));
        }
        member.is_active = true;
        let name = record.name().map(|bytes| {
            (time_ns, String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned())
        });
        let thread = member.threads.number(tid, name, member.id, journal);
        let locations: Vec<u32> = pcs
            .iter()
            .map(|&pc| member.code.location(pc, moment, parts.slots, entry, modules, journal))
            .collect();
        let is_waiting = record.flags & flags::WAITING != 0;
        if weight_ns > 0 || !locations.is_empty() {
            let stack = journal.stack(*kind, &locations);
            let weight = Weight { time_ns, ns: weight_ns, ticks: 1, is_waiting };
            journal.sample(thread, stack, weight);
        }
        if blocked_ns > 0 {
            let stack = journal.stack(StackKind::Blocked, &[]);
            let weight = Weight { time_ns, ns: blocked_ns, ticks: 0, is_waiting: false };
            journal.sample(thread, stack, weight);
        }
    }
}

/// An unload that had begun and has been taken back since, as nothing went, was none.
fn undone(then: Unloads, now: Unloads) -> Unloads {
    if now.settled() == Some(then.ended) { now } else { then }
}

fn kind_of(stop: u8) -> Option<StackKind> {
    if stop == record::STALE {
        return Some(StackKind::Walked(Stop::Stale));
    }
    Walk::from_u8(stop).map(walked)
}

fn walked(stop: Walk) -> StackKind {
    StackKind::Walked(match stop {
        Walk::End => Stop::End,
        // Unknown to the end: a module that was unmapped before anybody looked.
        Walk::NoTable | Walk::Unknown => Stop::NoTable,
        Walk::BadRule => Stop::BadRule,
        Walk::OutOfStack => Stop::OutOfStack,
        Walk::Truncated => Stop::Truncated,
    })
}

/// Words behind the last good record of a lane.
fn length_of_garbage(words: &[u64]) -> usize {
    let mut rest = words;
    while let Some((_, behind)) = record::decode(rest) {
        rest = behind;
    }
    rest.len()
}
