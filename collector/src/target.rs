//! The processes that share one memory: one that came to us, and those that it has forked.
//!
//! Everything in shared memory is untrusted: a process may scribble over it. Records that make
//! no sense are counted and left out.

mod code;
mod code_names;
mod knock;
mod losses;
mod member;
mod records;
mod resume;
mod threads;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::{Duration, Instant};

use sigspy_model::{Limits, StackKind};
use sigspy_wire::control::{agent, state};

use crate::children::Execution;
use crate::journal::{Journal, Weight};
use crate::memory::{MemoryPlan, TargetMemory};
use crate::modules::Modules;
use crate::system;

use losses::Losses;
use member::Member;

/// So long the last records of a process hold up everything else.
const LAST_WAIT: Duration = Duration::from_millis(500);
/// Housekeeping that need not be done with each drain.
const SELDOM: Duration = Duration::from_secs(1);
/// So long a child may take to enter itself after its parent has ended.
const STRAGGLERS: Duration = Duration::from_millis(200);
/// A process that lives for so long gets all of its lanes.
const LANES_LATER: Duration = Duration::from_millis(20);

pub struct Target {
    pub memory: TargetMemory,
    losses: Losses,
    members: Vec<Member>,
    /// When a process last ended.
    last_end: Option<Instant>,
    /// Children that have entered themselves so far.
    forks: u64,
    started: Instant,
    seldom: Instant,
    is_closing: bool,
    words: Vec<u64>,
    /// Records whose walk cannot go on yet, and since when.
    unfinished: Vec<(Instant, Vec<u64>)>,
    /// What processes became since somebody took this.
    pub executions: Vec<Execution>,
}

/// A process that has just said hello.
#[derive(Clone, Copy)]
pub struct Newcomer {
    pub pid: u32,
    /// As it knows itself.
    pub own_pid: u32,
    /// CPU time that it had used as another program, ns.
    pub cpu_before_ns: u64,
}

impl Target {
    pub fn new(
        newcomer: Newcomer,
        plan: &MemoryPlan,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> io::Result<Self> {
        let memory = TargetMemory::new(plan)?;
        let parts = memory.parts();
        if newcomer.pid != newcomer.own_pid {
            // Its children are in its namespace, and are not to be found by their numbers.
            parts.control.follow_forks.store(0, Relaxed);
        }
        if let [first, ..] = parts.processes {
            first.set_pid(newcomer.own_pid);
        }
        let mut member = Member::newcomer(newcomer, journal)?;
        member.read_code(parts, modules, journal);
        Ok(Self {
            memory,
            losses: Losses::new(),
            members: vec![member],
            last_end: None,
            forks: 0,
            started: Instant::now(),
            seldom: Instant::now(),
            is_closing: false,
            words: Vec::new(),
            unfinished: Vec::new(),
            executions: Vec::new(),
        })
    }

    /// Poll as readable when a process has ended.
    pub fn pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.members.iter().filter_map(Member::pidfd)
    }

    /// The processes that live.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.members.iter().map(|member| member.pid)
    }

    /// Of processes whose ids are certain.
    pub fn certain_pids(&self) -> impl Iterator<Item = u32> {
        self.members.iter().filter(|member| member.is_certain()).map(|member| member.pid)
    }

    /// None of its processes is left, nor can one be on its way that the last of them has forked.
    pub fn is_over(&self) -> bool {
        let control = self.memory.parts().control;
        // Not `control.forks`: a child that has entered itself since we looked is not known yet.
        let entered = self.forks + control.unentered_forks.load(Relaxed);
        let is_awaited = control.forks_begun.load(Relaxed) > entered;
        let is_late = self.last_end.is_none_or(|last_end| last_end.elapsed() >= STRAGGLERS);
        self.members.is_empty() && (!is_awaited || is_late)
    }

    /// Whether tables of its modules are still in the making.
    pub fn waits_for_tables(&self, modules: &Modules) -> bool {
        self.members.iter().any(|member| member.code.space.waits_for_tables(modules))
    }

    /// Tells the agents what is where.
    pub fn publish_modules(&self, modules: &Modules) {
        self.members.iter().for_each(|member| member.publish_modules(self.memory.parts(), modules));
    }

    /// Why the agent could not start, if so.
    pub fn agent_error(&self) -> Option<io::Error> {
        let control = self.memory.parts().control;
        let failed = control.agent.load(Relaxed) == agent::FAILED;
        failed.then(|| io::Error::from_raw_os_error(control.errno.load(Relaxed) as i32))
    }

    /// What the system did not let its agents do.
    pub fn limits(&self) -> Limits {
        let control = self.memory.parts().control;
        Limits {
            timer_failures: control.timer_failures.load(Relaxed),
            perf_failures: control.perf_failures.load(Relaxed),
            without_kernel: control.without_kernel.load(Relaxed),
            unentered_forks: control.unentered_forks.load(Relaxed),
        }
    }

    /// Asks the agents to take no more samples.
    pub fn stop(&self) {
        self.memory.parts().control.state.store(state::DRAINING, Relaxed);
    }

    /// Whether its agents take no samples for now: we told them, or a signal did.
    pub fn is_paused(&self) -> bool {
        self.memory.parts().control.state.load(Relaxed) == state::PAUSED
    }

    /// Pauses or goes on. What is used meanwhile is left out of the CPU time.
    pub fn set_paused(&mut self, paused: bool) {
        let state = if paused { state::PAUSED } else { state::RUNNING };
        let control = self.memory.parts().control;
        let is_so_already = control.state.load(Acquire) == state;
        let since_ns =
            if is_so_already { control.toggled_ns.load(Relaxed) } else { system::monotonic_ns() };
        control.resumes.fetch_add(u64::from(!paused), Relaxed);
        control.state.store(state, Relaxed);
        self.members.iter_mut().for_each(|member| member.set_paused(paused, since_ns));
    }

    /// Share of its fullest lane that waits to be drained, from 0 to 1.
    pub fn fill(&self) -> f64 {
        self.memory.lanes().iter().map(|lane| lane.fill()).fold(0.0, f64::max)
    }

    /// Takes what is in the lanes, and looks what else is new. Returns the CPU time of processes
    /// that have ended, ns.
    pub fn drain(&mut self, modules: &mut Modules, journal: &mut Journal) -> u64 {
        let ended: Vec<u32> =
            self.members.iter().filter(|member| member.has_ended()).map(|m| m.index).collect();
        self.members.iter_mut().for_each(Member::measure);
        self.enter_children(journal);
        let parts = self.memory.parts();
        for member in &mut self.members {
            member.code.names.follow(journal);
            member.follow_unloads(parts, modules, journal);
        }
        self.take_records(modules, journal);
        let parts = self.memory.parts();
        for member in &mut self.members {
            member.follow(parts, modules, journal);
        }
        self.retry_unfinished(modules, journal);
        if self.started.elapsed() >= LANES_LATER {
            self.memory.add_lanes();
        }
        if self.seldom.elapsed() >= SELDOM {
            self.seldom = Instant::now();
            self.do_seldom(journal);
        }
        ended.into_iter().map(|index| self.finish_member(index, modules, journal)).sum()
    }

    /// Processes that were forked and have entered themselves.
    fn enter_children(&mut self, journal: &mut Journal) {
        let forks = self.memory.parts().control.forks.load(Relaxed);
        if forks == self.forks {
            return;
        }
        self.forks = forks;
        for index in self.memory.used_processes().into_iter().flatten() {
            self.enter(index as u32, journal);
        }
    }

    /// The place of the member with an index, entered if it is new. `None`: there is none.
    fn enter(&mut self, index: u32, journal: &mut Journal) -> Option<usize> {
        let known = self.members.iter().position(|member| member.index == index);
        if known.is_some() || index == 0 {
            return known;
        }
        let entry = self.memory.parts().processes.get(index as usize)?;
        let pid = entry.pid()?;
        let parent_pid = entry.parent.load(Relaxed);
        let parent = self.members.iter().position(|member| member.pid == parent_pid);
        let parent = self.members.get_mut(parent.unwrap_or(0));
        let parent = parent.map(|parent| {
            parent.code.names.read(journal); // what it has told before the fork
            &*parent
        });
        let mut member = Member::child(index, pid, entry, parent, self.memory.file_id(), journal);
        member.set_paused(self.is_paused(), system::monotonic_ns());
        self.members.push(member);
        Some(self.members.len() - 1)
    }

    fn do_seldom(&mut self, journal: &mut Journal) {
        self.members.iter_mut().for_each(|member| member.do_seldom(journal));
        self.losses.check_balances(&self.memory);
        self.look_for_losses(journal);
        self.free_lanes_of_the_dead();
    }

    fn look_for_losses(&mut self, journal: &mut Journal) {
        for (tid, pid, ns) in self.losses.look(&self.memory) {
            let of_its_process = self.members.iter().position(|member| member.own_pid == pid);
            let Some(member) = self.members.get_mut(of_its_process.unwrap_or(0)) else { continue };
            let thread = member.threads.number(tid, None, member.id, journal);
            let stack = journal.stack(StackKind::Lost, &[]);
            let time_ns = system::monotonic_ns();
            journal.sample(thread, stack, Weight { time_ns, ns, ticks: 0, is_waiting: false });
        }
    }

    /// A thread that was killed inside of its handler leaves its lane claimed.
    fn free_lanes_of_the_dead(&self) {
        if !self.members.iter().all(Member::is_in_our_namespace) {
            return;
        }
        for lane in self.memory.lanes() {
            if let Some(tid) = lane.owner()
                && std::fs::metadata(format!("/proc/{tid}")).is_err()
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
        self.is_closing = false;
    }

    /// A process has become another program: its maps are no longer what its records mean. Returns
    /// the CPU time that it has used until then, ns, and what of it was used as this program.
    pub fn leave(
        &mut self,
        pid: u32,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> Option<(u64, u64)> {
        let member = self.members.iter_mut().find(|member| member.pid == pid)?;
        member.freeze();
        let (index, before_ns) = (member.index, member.cpu_before_ns);
        self.take_records(modules, journal);
        let as_this_ns = self.finish_member(index, modules, journal);
        Some((before_ns + as_this_ns, as_this_ns))
    }

    /// The last look at a process that has ended, or has become another program. Returns its CPU
    /// time, ns.
    fn finish_member(&mut self, index: u32, modules: &mut Modules, journal: &mut Journal) -> u64 {
        let Some(place) = self.members.iter().position(|member| member.index == index) else {
            return 0;
        };
        self.members[place].freeze();
        if !self.unfinished.is_empty() {
            self.wait_for_tables(modules, journal);
        }
        self.look_for_losses(journal);
        let parts = self.memory.parts();
        let member = self.members.remove(place);
        self.last_end = Some(Instant::now());
        let entry = parts.processes.get(index as usize);
        let cpu_ns = member.finish(entry, journal);
        if let Some(entry) = entry {
            let pid = entry.pid();
            entry.free();
            self.reclaim_slots(pid);
        }
        if self.members.is_empty() {
            self.losses.report(journal);
        }
        cpu_ns
    }

    fn reclaim_slots(&self, pid: Option<u32>) {
        let slots = self.memory.parts().slots;
        let used = self.memory.used_slots().into_iter().flatten();
        used.filter_map(|index| slots.get(index))
            .for_each(|slot| pid.into_iter().for_each(|pid| slot.reclaim_of(pid)));
    }

    /// The last look at all processes.
    pub fn finish(&mut self, modules: &mut Modules, journal: &mut Journal) {
        let indices: Vec<u32> = self.members.iter().map(|member| member.index).collect();
        for index in indices {
            self.finish_member(index, modules, journal);
        }
    }
}
