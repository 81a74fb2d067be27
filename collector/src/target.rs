//! One process that is being profiled: its shared memory, its address space, its threads.
//!
//! Everything in shared memory is untrusted: the process may scribble over it. Records that make
//! no sense are counted and left out.

mod losses;
mod resume;
mod threads;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use std::{fs, io};

use sigspy_model::{StackKind, Stop};
use sigspy_unwind::Stop as Walk;
use sigspy_wire::control::{agent, state};
use sigspy_wire::record::{self, Header, Record, flags};
use sigspy_wire::slot::StackBounds;

use crate::address_space::{AddressSpace, Region};
use crate::journal::{Journal, Weight};
use crate::maps::{self, Mapping};
use crate::memory::{Settings, TargetMemory};
use crate::modules::Modules;
use crate::recording::Event;
use crate::system;

use losses::Losses;
use threads::Threads;

/// The maps are read again after this many times the time that it took last: at most 2 % of it.
const PAUSE_FACTOR: u32 = 50;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// So long a record waits for the tables that its walk needs, and so many of them.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_UNFINISHED: usize = 4096;
/// So long the last records of a process hold up everything else.
const LAST_WAIT: Duration = Duration::from_millis(500);
/// Housekeeping that need not be done with each drain.
const SELDOM: Duration = Duration::from_secs(1);

pub struct Target {
    id: u32,
    pub pid: u32,
    pidfd: OwnedFd,
    pub memory: TargetMemory,
    space: AddressSpace,
    threads: Threads,
    losses: Losses,
    /// CPU time of this process before it became this program by exec, ns.
    cpu_before_ns: u64,
    cpu_ns: u64,
    started_ns: u64,
    maps_read: Instant,
    maps_pause: Duration,
    pages: Option<u64>,
    wants_maps: bool,
    unbounded: Vec<(u32, u64)>,
    seldom: Instant,
    is_closing: bool,
    words: Vec<u64>,
    /// Records whose walk cannot go on yet, and since when.
    unfinished: Vec<(Instant, Vec<u64>)>,
}

impl Target {
    /// A process that has just said hello. `cpu_before_ns`: what it had used as another program.
    pub fn new(
        pid: u32,
        settings: &Settings,
        cpu_before_ns: u64,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> io::Result<Self> {
        let mut target = Self {
            id: journal.process(pid, system::process_name(pid)),
            pid,
            pidfd: system::open_pidfd(pid)?,
            memory: TargetMemory::new(settings)?,
            space: AddressSpace::default(),
            threads: Threads::new(pid),
            losses: Losses::default(),
            cpu_before_ns,
            cpu_ns: 0,
            started_ns: system::monotonic_ns(),
            maps_read: Instant::now(),
            maps_pause: Duration::ZERO,
            pages: None,
            wants_maps: true,
            unbounded: Vec::new(),
            seldom: Instant::now(),
            is_closing: false,
            words: Vec::new(),
            unfinished: Vec::new(),
        };
        target.read_maps(modules, journal);
        Ok(target)
    }

    /// Polls as readable when the process has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// CPU time since the start of the process, other programs before exec included, ns.
    pub fn cpu_with_before_ns(&self) -> u64 {
        self.cpu_before_ns + self.cpu_ns
    }

    /// Whether tables of its modules are still in the making.
    pub fn waits_for_tables(&self, modules: &Modules) -> bool {
        self.space.waits_for_tables(modules)
    }

    /// Tells the agent what is where.
    pub fn publish_modules(&self, modules: &Modules) {
        self.memory.parts().module_map.publish(&self.space.entries(modules));
    }

    /// Why the agent could not start, if so.
    pub fn agent_error(&self) -> Option<io::Error> {
        let control = self.memory.parts().control;
        let failed = control.agent.load(Relaxed) == agent::FAILED;
        failed.then(|| io::Error::from_raw_os_error(control.errno.load(Relaxed) as i32))
    }

    /// Asks the agent to take no more samples.
    pub fn stop(&self) {
        self.memory.parts().control.state.store(state::DRAINING, Relaxed);
    }

    /// Share of its fullest lane that waits to be drained, from 0 to 1.
    pub fn fill(&self) -> f64 {
        self.memory.parts().lanes.iter().map(|lane| lane.fill()).fold(0.0, f64::max)
    }

    /// Takes what is in the lanes, and looks what else is new.
    pub fn drain(&mut self, modules: &mut Modules, journal: &mut Journal) {
        if let Some(cpu_ns) = system::cpu_ns(self.pid) {
            self.cpu_ns = cpu_ns.saturating_sub(self.cpu_before_ns);
        }
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
        self.follow_maps(modules, journal);
        self.retry_unfinished(modules, journal);
        if self.seldom.elapsed() >= SELDOM {
            self.seldom = Instant::now();
            self.do_seldom(journal);
        }
    }

    /// The words of all lanes. A lane that ends in garbage must not hide the next one's records.
    fn take_words(&mut self) -> Vec<u64> {
        let mut all = std::mem::take(&mut self.words);
        all.clear();
        for lane in self.memory.parts().lanes {
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
    fn retry_unfinished(&mut self, modules: &mut Modules, journal: &mut Journal) {
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
        let Header { time_ns, tid, weight_ns, blocked_ns, sp, .. } = record.header;
        let (Some(mut kind), true) = (kind_of(record.stop), self.is_plausible(&record.header))
        else {
            self.losses.bad_records += 1;
            return true;
        };
        let mut pcs = record.frames.to_vec();
        if let Some(unfinished) = &record.unfinished {
            let (more, stop) = resume::resume(unfinished, pcs.len(), time_ns, &self.space, modules);
            let may_wait = !self.is_closing
                && since.elapsed() < PATIENCE
                && self.unfinished.len() < MOST_UNFINISHED;
            if stop == Walk::Unknown && may_wait {
                self.wants_maps = true;
                return false;
            }
            pcs.extend(more);
            kind = walked(stop);
        }
        journal.handler_times.extend(record.handler_ns.map(|ns| (record.frames.len(), ns)));
        if record.flags & flags::UNBOUNDED != 0 {
            self.unbounded.push((tid, sp));
        }
        let thread = self.threads.number(tid, self.id, journal);
        let locations: Vec<u32> =
            pcs.iter().map(|&pc| self.location(pc, time_ns, modules, journal)).collect();
        let stack = journal.stack(kind, &locations);
        journal.sample(thread, stack, Weight { time_ns, ns: weight_ns, ticks: 1 });
        if blocked_ns > 0 {
            let stack = journal.stack(StackKind::Blocked, &[]);
            journal.sample(thread, stack, Weight { time_ns, ns: blocked_ns, ticks: 0 });
        }
        true
    }

    /// No thread has used more CPU time than has passed since the process began, nor later than
    /// now.
    fn is_plausible(&self, header: &Header) -> bool {
        const SLACK_NS: u64 = 1_000_000_000;
        let now = system::monotonic_ns();
        let passed = now.saturating_sub(self.started_ns) + SLACK_NS;
        let most = passed.saturating_mul(self.memory.lanes() as u64);
        let weight = header.weight_ns.saturating_add(header.blocked_ns);
        weight <= most && header.time_ns <= now + SLACK_NS
    }

    fn location(
        &mut self,
        pc: u64,
        time_ns: u64,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> u32 {
        let exact = pc & sigspy_unwind::EXACT != 0;
        // A return address belongs to the call before it, also where that ends a function.
        let address = (pc & !sigspy_unwind::EXACT).wrapping_sub(u64::from(!exact));
        let mut found = self.space.find(address, time_ns);
        if found.is_none() {
            self.wants_maps = true;
            if self.may_read_maps() {
                self.read_maps(modules, journal);
                found = self.space.find(address, time_ns);
            }
        }
        match found.and_then(|region| region.module) {
            Some((module, bias)) => journal.location(Some(module), address.wrapping_sub(bias)),
            None => journal.location(None, address),
        }
    }

    fn may_read_maps(&self) -> bool {
        self.maps_read.elapsed() >= self.maps_pause
    }

    /// Reads the maps again if something may have changed, not too often.
    fn follow_maps(&mut self, modules: &mut Modules, journal: &mut Journal) {
        if !self.may_read_maps() {
            return;
        }
        let pages = system::address_space_pages(self.pid);
        if pages != self.pages || self.wants_maps || !self.unbounded.is_empty() {
            self.pages = pages;
            self.read_maps(modules, journal);
        }
    }

    fn read_maps(&mut self, modules: &mut Modules, journal: &mut Journal) {
        let start = Instant::now();
        let time_ns = system::monotonic_ns();
        let Ok(mappings) = maps::read(self.pid) else { return };
        if mappings.is_empty() {
            return; // it has ended
        }
        let executable = mappings.iter().filter(|mapping| mapping.executable);
        let region = |mapping: &Mapping| {
            let module = modules.of(self.pid, &mappings, mapping, journal);
            let module = module.and_then(|id| Some((id, modules.bias(id, mapping)?)));
            Region { start: mapping.start, end: mapping.end, module }
        };
        let regions = executable.map(region).collect();
        if self.space.update(time_ns, regions) {
            self.publish_modules(modules);
        }
        self.publish_bounds(&mappings);
        self.wants_maps = false;
        self.maps_read = Instant::now();
        self.maps_pause = (start.elapsed() * PAUSE_FACTOR).max(SHORTEST_PAUSE);
    }

    /// Tells threads between which addresses their stacks are.
    fn publish_bounds(&mut self, mappings: &[Mapping]) {
        let slots = self.memory.parts().slots;
        for (tid, sp) in self.unbounded.drain(..) {
            let Some(mapping) = maps::find(mappings, sp).filter(|one| one.readable) else {
                continue;
            };
            let bounds = StackBounds { low: mapping.start, high: mapping.end };
            if let (Some(slot), Some(packed)) = (sigspy_wire::slot::find(slots, tid), bounds.pack())
            {
                slot.stack.store(packed, Relaxed);
            }
        }
    }

    fn do_seldom(&mut self, journal: &mut Journal) {
        self.threads.rename(self.id, journal);
        self.losses.check_balances(&self.memory);
        self.losses.look(&self.memory, &mut self.threads, self.id, journal);
        journal.events.push(Event::ProcessCpu { process: self.id, cpu_ns: self.cpu_ns });
        if system::shares_our_pid_namespace(self.pid) {
            self.free_lanes_of_the_dead();
        }
    }

    /// A thread that was killed inside of its handler, which only exec can do, leaves its lane
    /// claimed.
    fn free_lanes_of_the_dead(&self) {
        for lane in self.memory.parts().lanes {
            if let Some(tid) = lane.owner()
                && fs::metadata(format!("/proc/{}/task/{tid}", self.pid)).is_err()
            {
                lane.release_dead(tid);
            }
        }
    }

    /// Gives the last walks their tables, if these come soon.
    fn wait_for_tables(&mut self, modules: &mut Modules, journal: &mut Journal) {
        let start = Instant::now();
        while !self.unfinished.is_empty()
            && modules.wait_for_table(LAST_WAIT.saturating_sub(start.elapsed()))
        {
            self.retry_unfinished(modules, journal);
        }
        self.is_closing = true;
        self.retry_unfinished(modules, journal);
    }

    /// The last look, after the process has ended, was told to stop, or has become another
    /// program: then its maps are no longer what the records mean. Returns its CPU time, ns.
    pub fn finish(mut self, modules: &mut Modules, journal: &mut Journal) -> u64 {
        self.maps_pause = Duration::MAX;
        self.drain(modules, journal);
        self.wait_for_tables(modules, journal);
        self.losses.look(&self.memory, &mut self.threads, self.id, journal);
        journal.events.push(Event::ProcessCpu { process: self.id, cpu_ns: self.cpu_ns });
        self.losses.report(journal);
        self.cpu_ns
    }
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
