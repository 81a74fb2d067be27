//! One process: its code, its threads, its CPU time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use sigspy_wire::layout::Parts;
use sigspy_wire::process::Process;
use sigspy_wire::record::{Exec, Header};

use super::Newcomer;
use super::code::Code;
use super::knock::Knocker;
use super::threads::Threads;
use crate::journal::{Journal, NewProcess};
use crate::maps::{self, FileId};
use crate::modules::Modules;
use crate::recording::Event;
use crate::system;

/// CPU time of a process, and when that was, both in ns.
#[derive(Clone, Copy, Default)]
struct Look {
    time_ns: u64,
    cpu_ns: u64,
}

pub struct Member {
    /// In the shared table of processes.
    pub index: u32,
    /// In the recording.
    pub id: u32,
    pub pid: u32,
    /// As it knows itself, and as slots name it.
    pub own_pid: u32,
    /// `None`: it had ended before we could look.
    pidfd: Option<OwnedFd>,
    pub code: Code,
    pub threads: Threads,
    knocker: Knocker,
    /// CPU time of this process before it became this program by exec, ns.
    pub cpu_before_ns: u64,
    /// CPU time as this program, that of pauses included, ns.
    cpu_ns: u64,
    /// The last two looks at it.
    looks: [Look; 2],
    /// CPU time within pauses, and at the beginning of this one, ns.
    paused_ns: u64,
    paused_at_ns: Option<u64>,
    started_ns: u64,
    /// There were records since the last look.
    pub is_active: bool,
    /// It is about to become another program: its CPU time then, ns.
    executes_at_ns: Option<u64>,
}

impl Member {
    /// A process that has just said hello.
    pub fn newcomer(newcomer: Newcomer, journal: &mut Journal) -> io::Result<Self> {
        let pidfd = system::open_pidfd(newcomer.pid)?;
        let process = NewProcess {
            pid: newcomer.pid,
            parent: system::parent_of(newcomer.pid),
            name: system::process_name(newcomer.pid),
            time_ns: system::monotonic_ns(),
        };
        let code = Code::new(newcomer.pid, newcomer.own_pid);
        let threads = Threads::new(newcomer.pid);
        let mut member = Self::new(0, process, code, threads, journal);
        member.own_pid = newcomer.own_pid;
        member.pidfd = Some(pidfd);
        member.cpu_before_ns = newcomer.cpu_before_ns;
        Ok(member)
    }

    /// A process that was forked, and may be gone by now. Its code is where that of its parent was.
    pub fn child(
        index: u32,
        pid: u32,
        entry: &Process,
        parent: Option<&Self>,
        memory: FileId,
        journal: &mut Journal,
    ) -> Self {
        let name = parent.map(|parent| journal.name_of(parent.id));
        let process = NewProcess {
            pid,
            parent: Some(entry.parent.load(Relaxed)),
            name: name.unwrap_or_else(|| system::process_name(pid)),
            time_ns: entry.started_ns.load(Relaxed),
        };
        let started_ns = process.time_ns;
        let code = parent
            .map_or_else(|| Code::new(pid, pid), |parent| parent.code.of_child(pid, started_ns));
        let threads =
            parent.map_or_else(|| Threads::new(pid), |parent| parent.threads.of_child(pid));
        let mut member = Self::new(index, process, code, threads, journal);
        // The table is in the hands of the processes: only who has mapped it is one of them.
        if maps::read(pid).is_ok_and(|maps| maps.iter().any(|one| one.file == memory)) {
            member.pidfd = system::open_pidfd(pid).ok();
        }
        member
    }

    fn new(
        index: u32,
        process: NewProcess,
        code: Code,
        threads: Threads,
        journal: &mut Journal,
    ) -> Self {
        let (pid, started_ns) = (process.pid, process.time_ns);
        Self {
            index,
            id: journal.process(process),
            pid,
            own_pid: pid,
            pidfd: None,
            code,
            threads,
            knocker: Knocker::default(),
            cpu_before_ns: 0,
            cpu_ns: 0,
            looks: [Look::default(); 2],
            paused_ns: 0,
            paused_at_ns: None,
            started_ns,
            is_active: false,
            executes_at_ns: None,
        }
    }

    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    pub fn has_ended(&self) -> bool {
        self.pidfd.as_ref().is_none_or(system::is_readable)
    }

    /// Whether thread ids mean the same to us and to it.
    pub fn is_in_our_namespace(&self) -> bool {
        self.own_pid == self.pid
    }

    /// Whether its id is certain to be the one that we know it by.
    pub fn is_certain(&self) -> bool {
        self.pidfd.is_some()
    }

    /// Our id of a process that the program has one for, itself or a child. `None`: it is of another
    /// namespace, where it may be the id of any process here.
    pub fn id_for_us(&self, pid: u32, journal: &Journal) -> Option<u32> {
        if pid == self.own_pid && self.is_certain() {
            return Some(self.pid);
        }
        let started_ns = system::thread_start_ns(pid, pid);
        started_ns.is_none_or(|started_ns| !journal.is_before_start(started_ns)).then_some(pid)
    }

    /// Reads its CPU time, while that can be read.
    pub fn measure(&mut self) {
        if self.pidfd.is_some()
            && let Some(cpu_ns) = system::cpu_ns(self.pid)
        {
            self.cpu_ns = cpu_ns.saturating_sub(self.cpu_before_ns).max(self.cpu_ns);
            let look = Look { time_ns: system::monotonic_ns(), cpu_ns: self.cpu_ns };
            self.looks = [self.looks[1], look];
        }
    }

    /// Remembers which CPU time is used while nobody samples: since `time_ns`, or until then.
    pub fn set_paused(&mut self, paused: bool, time_ns: u64) {
        self.measure();
        let cpu_ns = cpu_between(self.looks, time_ns);
        match (paused, self.paused_at_ns) {
            (true, None) => self.paused_at_ns = Some(cpu_ns),
            (false, Some(since_ns)) => {
                self.paused_ns += cpu_ns.saturating_sub(since_ns);
                self.paused_at_ns = None;
            }
            _ => {}
        }
    }

    /// CPU time without that of pauses, ns.
    fn sampled_cpu_ns(&self) -> u64 {
        let since_pause = self.paused_at_ns.map_or(0, |since| self.cpu_ns.saturating_sub(since));
        self.cpu_ns.saturating_sub(self.paused_ns + since_pause)
    }

    pub fn read_code(&mut self, parts: Parts<'_>, modules: &mut Modules, journal: &mut Journal) {
        if let Some(entry) = parts.processes.get(self.index as usize) {
            self.code.read(parts.slots, entry, modules, journal);
        }
    }

    pub fn publish_modules(&self, parts: Parts<'_>, modules: &Modules) {
        if let Some(entry) = parts.processes.get(self.index as usize) {
            self.code.publish_modules(&entry.module_map, modules);
        }
    }

    /// Reads the maps again if libraries were unloaded: before the records of what is in their place.
    pub fn follow_unloads(
        &mut self,
        parts: Parts<'_>,
        modules: &mut Modules,
        journal: &mut Journal,
    ) {
        let Some(entry) = parts.processes.get(self.index as usize) else { return };
        if entry.unloads().settled() != self.code.space.unloads() && self.pidfd.is_some() {
            self.code.read(parts.slots, entry, modules, journal);
        }
    }

    /// Looks whether code has moved, if something has happened there, and for threads that nobody
    /// samples.
    pub fn follow(&mut self, parts: Parts<'_>, modules: &mut Modules, journal: &mut Journal) {
        let Some(entry) = parts.processes.get(self.index as usize) else { return };
        if self.pidfd.is_none() {
            return;
        }
        if std::mem::take(&mut self.is_active) || self.code.is_wanted() {
            self.code.follow(parts.slots, entry, modules, journal);
        }
        if self.is_in_our_namespace() && self.executes_at_ns.is_none() {
            self.knocker.look(self.pid, parts);
        }
    }

    /// It will become another program, or could not.
    pub fn executes(&mut self, exec: &Exec<'_>) {
        if exec.pid == self.own_pid {
            self.executes_at_ns = exec.cpu_ns.filter(|_| !exec.failed);
        }
    }

    /// No thread has used more CPU time than has passed since the process began, nor later than
    /// now. A lane stands for less than a CPU.
    pub fn could_have_used(&self, header: &Header, lanes: usize) -> bool {
        const SLACK_NS: u64 = 1_000_000_000;
        let now = system::monotonic_ns();
        let passed = now.saturating_sub(self.started_ns.min(now)) + SLACK_NS;
        let most = passed.saturating_mul(lanes as u64);
        let weight = header.weight_ns.saturating_add(header.blocked_ns);
        weight <= most && header.time_ns <= now + SLACK_NS
    }

    pub fn do_seldom(&mut self, journal: &mut Journal) {
        if self.is_in_our_namespace() {
            self.threads.look(self.id, journal);
        }
        let cpu_ns = self.sampled_cpu_ns();
        journal.events.push(Event::ProcessCpu { process: self.id, cpu_ns });
    }

    /// It is another program from now on, or none: what is known about its code stays as it is.
    pub fn freeze(&mut self) {
        self.code.freeze();
    }

    /// Enters its end. Returns its CPU time, that of pauses included, ns.
    pub fn finish(mut self, entry: Option<&Process>, journal: &mut Journal) -> u64 {
        let told_ns = entry.map_or(0, |entry| entry.cpu_ns.load(Relaxed));
        let told_ns = self.executes_at_ns.unwrap_or(told_ns).saturating_sub(self.cpu_before_ns);
        // What it said as it went is exact; but it may have scribbled.
        let passed_ns = system::monotonic_ns().saturating_sub(self.started_ns);
        let most = passed_ns.saturating_mul(1024);
        if told_ns != 0 && told_ns <= most {
            self.cpu_ns =
                if self.executes_at_ns.is_some() { told_ns } else { told_ns.max(self.cpu_ns) };
        }
        self.code.names.finish(journal);
        let cpu_ns = self.sampled_cpu_ns();
        journal.events.push(Event::ProcessCpu { process: self.id, cpu_ns });
        let time_ns = journal.since_start(system::monotonic_ns());
        self.threads.end(time_ns, journal);
        journal.events.push(Event::ProcessEnd { process: self.id, time_ns });
        self.cpu_ns
    }
}

/// CPU time at a moment between two looks, as if it had been used evenly, ns.
fn cpu_between([before, after]: [Look; 2], time_ns: u64) -> u64 {
    let passed_ns =
        time_ns.clamp(before.time_ns, after.time_ns.max(before.time_ns)) - before.time_ns;
    let share = passed_ns as f64 / (after.time_ns.saturating_sub(before.time_ns)).max(1) as f64;
    before.cpu_ns + (after.cpu_ns.saturating_sub(before.cpu_ns) as f64 * share) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_used_evenly_between_two_looks() {
        let looks = [(100, 40), (200, 60)].map(|(time_ns, cpu_ns)| Look { time_ns, cpu_ns });
        for (time_ns, cpu_ns) in [(0, 40), (100, 40), (150, 50), (200, 60), (u64::MAX, 60)] {
            assert_eq!(cpu_between(looks, time_ns), cpu_ns, "{time_ns}");
        }
        assert_eq!(cpu_between([Look::default(); 2], 7), 0);
    }
}
