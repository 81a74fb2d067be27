//! One process that is being profiled: its shared memory, its address space, its threads.
//!
//! Everything in shared memory is untrusted: the process may scribble over it. Records that make
//! no sense are counted and left out.

mod code;
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

use crate::journal::{Journal, Weight};
use crate::memory::{Settings, TargetMemory};
use crate::modules::Modules;
use crate::recording::Event;
use crate::system;

use code::Code;
use losses::Losses;
use threads::Threads;

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
    code: Code,
    threads: Threads,
    losses: Losses,
    /// CPU time of this process before it became this program by exec, ns.
    cpu_before_ns: u64,
    cpu_ns: u64,
    started_ns: u64,
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
            code: Code::new(pid),
            threads: Threads::new(pid),
            losses: Losses::default(),
            cpu_before_ns,
            cpu_ns: 0,
            started_ns: system::monotonic_ns(),
            seldom: Instant::now(),
            is_closing: false,
            words: Vec::new(),
            unfinished: Vec::new(),
        };
        target.code.read(target.memory.parts(), modules, journal);
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
        self.code.space.waits_for_tables(modules)
    }

    /// Tells the agent what is where.
    pub fn publish_modules(&self, modules: &Modules) {
        self.code.publish_modules(self.memory.parts(), modules);
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
        self.code.follow(self.memory.parts(), modules, journal);
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
            let (more, stop) =
                resume::resume(unfinished, pcs.len(), time_ns, &self.code.space, modules);
            let may_wait = !self.is_closing
                && since.elapsed() < PATIENCE
                && self.unfinished.len() < MOST_UNFINISHED;
            if stop == Walk::Unknown && may_wait {
                self.code.want();
                return false;
            }
            pcs.extend(more);
            kind = walked(stop);
        }
        journal.handler_times.extend(record.handler_ns.map(|ns| (record.frames.len(), ns)));
        if record.flags & flags::UNBOUNDED != 0 {
            self.code.unbounded.push((tid, sp));
        }
        let thread = self.threads.number(tid, self.id, journal);
        let parts = self.memory.parts();
        let locations: Vec<u32> = pcs
            .iter()
            .map(|&pc| self.code.location(pc, time_ns, parts, modules, journal))
            .collect();
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
        self.code.freeze();
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
