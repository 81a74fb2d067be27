//! The main loop: a program is started, or asks for a recording of itself; its agents are
//! welcomed, their lanes drained, and everything goes into the recording.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sigspy_model::Limits;

use crate::Error;
use crate::arena;
use crate::children::Children;
use crate::journal::{Journal, NewProcess};
use crate::launch::Launch;
use crate::meeting::{Arrival, Meeting};
use crate::memory::{Follow, MemoryPlan};
use crate::module_files::ModuleFiles;
use crate::modules::Modules;
use crate::plan::{self, Plan};
use crate::recording::{Event, Writer};
use crate::system::{self, Ended};
use crate::target::{Newcomer, Target};

/// How long a program is held at its start until the tables of its modules are there.
const HOLD: Duration = Duration::from_millis(50);
/// Lanes are looked at this often: more often when they fill.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// A lane fuller than this is looked at twice as often.
const BUSY: f64 = 0.2;
/// Processes that end so soon after the program are not worth a word.
const A_MOMENT: Duration = Duration::from_millis(300);
/// CPU time of unprofiled descendants below this is not worth a line, ns.
const NEGLIGIBLE_NS: u64 = 1_000_000;

/// What became of it.
#[derive(Debug)]
pub struct Outcome {
    /// As a shell reports it: the exit status, or 128 + the signal. `None`: the program still
    /// runs, as the recording has ended before it, or is not our child.
    pub exit_code: Option<i32>,
    /// Programs into which the agent was loaded.
    pub agents: usize,
    /// Why an agent could not start.
    pub agent_error: Option<io::Error>,
    /// It was paused at its end, and never resumed.
    pub was_paused: bool,
    /// What ran, for whoever looks up names.
    pub files: ModuleFiles,
    /// With [`Settings::timed`](crate::Settings::timed): frames of a record and how long its
    /// handler took, ns.
    pub handler_times: Vec<(usize, u64)>,
}

/// What a user can tell a recorder while it runs; all of it only grows.
pub struct Wishes<'a> {
    /// Two end the recording: the first is the program's own, while that runs.
    pub interrupts: &'a AtomicU32,
    /// Each pauses the recording, or lets it go on.
    pub toggles: &'a AtomicU32,
}

/// Where the recorded processes come from.
enum Root {
    /// We have started the first one.
    Child { pid: u32, pidfd: OwnedFd, ended: Option<Ended> },
    /// It has asked for us.
    Stranger,
}

/// A program that is being recorded.
pub struct Recorder {
    plan: MemoryPlan,
    only: Option<glob::Pattern>,
    root: Root,
    meeting: Meeting,
    modules: Modules,
    journal: Journal,
    writer: Option<Writer<File>>,
    write_error: Option<io::Error>,
    started: Instant,
    arrivals: Vec<Arrival>,
    held: Vec<(Arrival, Target)>,
    targets: Vec<Target>,
    children: Children,
    sleep: Duration,
    is_paused: bool,
    toggles: u32,
    resumes_at: Option<Instant>,
    ends_at: Option<Instant>,
    agents: usize,
    agent_error: Option<io::Error>,
    limits: Limits,
    /// CPU time of processes that are finished, ns.
    finished_cpu_ns: u64,
}

impl Recorder {
    /// Checks the program, then starts it. `output` is only called once it is known that the
    /// program can be profiled.
    pub fn start(
        plan: &Plan<'_>,
        output: impl FnOnce() -> Result<File, Error>,
    ) -> Result<Self, Error> {
        let launch = Launch::new(&plan.argv, plan.place.as_ref())?;
        let (mut recorder, agent) = Self::prepare(plan, output)?;
        let pid = launch.spawn(&agent, &recorder.meeting.path())?.id();
        recorder.modules.files.make_room();
        let pidfd = system::open_pidfd(pid);
        let pidfd = pidfd.map_err(|error| Error::Session("watch the program", error))?;
        recorder.root = Root::Child { pid, pidfd, ended: None };
        Ok(recorder)
    }

    /// Records the process at the other end of `socket`, whose agent has started us.
    pub fn join(
        plan: &Plan<'_>,
        socket: OwnedFd,
        output: impl FnOnce() -> Result<File, Error>,
    ) -> Result<Self, Error> {
        let (mut recorder, _) = Self::prepare(plan, output)?;
        recorder.modules.files.make_room();
        recorder.arrivals.push(Arrival::new(socket));
        Ok(recorder)
    }

    /// A recorder of nothing yet, and where the loader finds the agent.
    fn prepare(
        plan: &Plan<'_>,
        output: impl FnOnce() -> Result<File, Error>,
    ) -> Result<(Self, PathBuf), Error> {
        let session = |what| move |error| Error::Session(what, error);
        let meeting = Meeting::new().map_err(session("make a folder for the agent's socket"))?;
        let modules = Modules::new(plan.cache.as_deref())
            .map_err(session("make the shared memory for unwind tables"))?;
        let started_ns = system::monotonic_ns();
        let meta = plan::meta(plan, started_ns);
        let agent = plan::agent_path(plan, &meeting)?;
        let environment = plan::environment(&agent, &meeting.path());
        let writer = Writer::start(output()?, meta).map_err(Error::Write)?;
        let now = Instant::now();
        let recorder = Self {
            plan: MemoryPlan::new(plan.settings, environment),
            only: plan.only.clone(),
            root: Root::Stranger,
            meeting,
            modules,
            journal: Journal::new(started_ns),
            writer: Some(writer),
            write_error: None,
            started: now,
            arrivals: Vec::new(),
            held: Vec::new(),
            targets: Vec::new(),
            children: Children::default(),
            sleep: SHORTEST_SLEEP,
            is_paused: plan.starts_paused || plan.delay.is_some(),
            toggles: 0,
            resumes_at: plan.delay.map(|delay| now + delay),
            ends_at: plan.duration.map(|duration| now + plan.delay.unwrap_or_default() + duration),
            agents: 0,
            agent_error: None,
            limits: Limits::default(),
            finished_cpu_ns: 0,
        };
        Ok((recorder, agent))
    }

    /// The pid of the program that was started.
    pub fn program(&self) -> Option<u32> {
        match &self.root {
            Root::Child { pid, .. } => Some(*pid),
            Root::Stranger => None,
        }
    }

    /// Records until the program and all that it has left behind have ended, or the recording is
    /// to end before. `left_behind` is called when the program has ended and other processes have
    /// not: with their pids.
    pub fn run(
        mut self,
        wishes: &Wishes<'_>,
        left_behind: &mut dyn FnMut(&[u32]),
    ) -> Result<Outcome, Error> {
        let mut interrupts_at_end = None;
        let mut lost_root_at = None;
        loop {
            self.wait()?;
            self.welcome();
            self.keep_time(wishes);
            self.drain();
            self.look_after_child()?;
            let interrupts = wishes.interrupts.load(Relaxed);
            if self.is_over() || interrupts >= 2 || has_come(self.ends_at) {
                break;
            }
            if self.has_lost_its_root()
                && lost_root_at.get_or_insert_with(Instant::now).elapsed() >= A_MOMENT
            {
                let before = *interrupts_at_end.get_or_insert_with(|| {
                    left_behind(&self.pids());
                    interrupts
                });
                if interrupts > before {
                    break; // there is nobody else whom it could be for
                }
            }
        }
        self.finish()
    }

    fn has_lost_its_root(&self) -> bool {
        matches!(self.root, Root::Child { ended: Some(_), .. })
    }

    fn is_over(&self) -> bool {
        let has_root = matches!(self.root, Root::Child { ended: None, .. });
        !has_root && self.targets.is_empty() && self.held.is_empty() && self.arrivals.is_empty()
    }

    fn pids(&self) -> Vec<u32> {
        self.targets.iter().flat_map(Target::pids).collect()
    }

    fn wait(&self) -> Result<(), Error> {
        let (socket, ready) = (self.meeting.socket(), self.modules.tables.ready());
        let arrivals: Vec<_> = self.arrivals.iter().map(Arrival::socket).collect();
        let child = match &self.root {
            Root::Child { pidfd, ended: None, .. } => Some(pidfd.as_fd()),
            _ => None,
        };
        let held = (!self.held.is_empty()).then_some(ready.as_fd());
        let descriptors = std::iter::once(socket.as_fd())
            .chain(child)
            .chain(held)
            .chain(arrivals.iter().map(AsFd::as_fd))
            .chain(self.targets.iter().flat_map(Target::pidfds))
            .chain(self.children.pidfds());
        let mut polled: Vec<_> =
            descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        let until = |time: Option<Instant>| {
            time.map_or(self.sleep, |time| time.saturating_duration_since(Instant::now()))
        };
        let sleep = self.sleep.min(until(self.resumes_at)).min(until(self.ends_at));
        let timeout = PollTimeout::try_from(sleep).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(Error::Session("wait for the program", error.into())),
        }
    }

    /// Takes in agents that have come, and lets those go whose tables are ready.
    fn welcome(&mut self) {
        while let Some(arrival) = self.meeting.next() {
            self.arrivals.push(arrival);
        }
        for arrival in std::mem::take(&mut self.arrivals) {
            match arrival.hello() {
                Ok(Some((pid, own_pid))) => self.admit(arrival, pid, own_pid),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.arrivals.push(arrival);
                }
                Err(_) => {}
            }
        }
        if self.modules.place_finished() {
            self.targets.iter().for_each(|target| target.publish_modules(&self.modules));
        }
        for (arrival, target) in std::mem::take(&mut self.held) {
            let waits = target.waits_for_tables(&self.modules) && arrival.since().elapsed() < HOLD;
            if waits {
                self.held.push((arrival, target));
            } else {
                self.let_go(arrival, target);
            }
        }
    }

    fn admit(&mut self, arrival: Arrival, pid: u32, own_pid: u32) {
        if self.writer.is_none() {
            return; // nobody would write down what it samples
        }
        let mut cpu_before_ns = self.leave(pid);
        if !self.is_wanted(pid) {
            self.children.decline(pid, &mut self.journal);
            return;
        }
        let without_agent_ns = self.children.arrive(pid, &mut self.journal);
        self.finished_cpu_ns += without_agent_ns;
        cpu_before_ns = cpu_before_ns.max(without_agent_ns);
        let newcomer = Newcomer { pid, own_pid, cpu_before_ns };
        let target = Target::new(newcomer, &self.plan, &mut self.modules, &mut self.journal);
        match target {
            Ok(mut target) => {
                if self.is_paused {
                    target.set_paused(true);
                }
                self.held.push((arrival, target));
            }
            Err(error) => self.agent_error = Some(error),
        }
    }

    /// Whether a process is to be profiled.
    fn is_wanted(&self, pid: u32) -> bool {
        let is_first = self.program() == Some(pid) || self.program().is_none() && self.agents == 0;
        let is_followed = is_first || self.plan.settings.follow != Follow::Nothing;
        let is_named = |only: &glob::Pattern| only.matches(&system::process_name(pid));
        is_followed && self.only.as_ref().is_none_or(is_named)
    }

    /// A process has become another program. Returns the CPU time that it has used so far, ns.
    fn leave(&mut self, pid: u32) -> u64 {
        let before = self.targets.iter_mut().find(|target| target.pids().any(|one| one == pid));
        let Some(before) = before else { return 0 };
        let left = before.leave(pid, &mut self.modules, &mut self.journal);
        let (cpu_ns, as_this_ns) = left.unwrap_or_default();
        self.finished_cpu_ns += as_this_ns;
        self.take_leave_of_targets();
        cpu_ns
    }

    fn let_go(&mut self, arrival: Arrival, target: Target) {
        target.publish_modules(&self.modules);
        let (memory, arena) = (target.memory.descriptor(), self.modules.arena.descriptor());
        let sent = arrival.welcome(target.memory.most_lanes(), arena::LENGTH, memory, arena);
        if sent.is_ok() {
            self.agents += 1;
            self.targets.push(target);
        }
    }

    /// Pauses and goes on, as the plan, the user or a program wants.
    fn keep_time(&mut self, wishes: &Wishes<'_>) {
        let toggles = wishes.toggles.load(Relaxed);
        let by_user = toggles.wrapping_sub(self.toggles) % 2 == 1;
        self.toggles = toggles;
        let by_program = self.targets.iter().any(|target| target.is_paused() != self.is_paused);
        let by_plan = self.is_paused && has_come(self.resumes_at);
        if by_plan || by_user || self.writer.is_some() && by_program {
            self.resumes_at = None;
            self.is_paused = !self.is_paused;
            let held = self.held.iter_mut().map(|(_, target)| target);
            self.targets.iter_mut().chain(held).for_each(|one| one.set_paused(self.is_paused));
        }
    }

    fn drain(&mut self) {
        let fill = self.targets.iter().map(Target::fill).fold(0.0, f64::max);
        self.sleep = if fill > BUSY { self.sleep / 2 } else { self.sleep * 5 / 4 }
            .clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        for target in &mut self.targets {
            self.finished_cpu_ns += target.drain(&mut self.modules, &mut self.journal);
        }
        self.take_leave_of_targets();
        let targets = || self.targets.iter().chain(self.held.iter().map(|(_, target)| target));
        let known: Vec<u32> = targets().flat_map(Target::pids).collect();
        let certain: Vec<u32> = targets().flat_map(Target::certain_pids).collect();
        self.finished_cpu_ns += self.children.look(&known, &certain, &mut self.journal);
        for pid in std::mem::take(&mut self.children.left) {
            self.leave(pid);
        }
        self.write();
    }

    /// Of those that are over; and hears what the others have to tell.
    fn take_leave_of_targets(&mut self) {
        for target in &mut self.targets {
            target.executions.drain(..).for_each(|execution| self.children.execute(execution));
        }
        for target in self.targets.extract_if(.., |target| target.is_over()) {
            self.limits += target.limits();
            self.agent_error = target.agent_error().or_else(|| self.agent_error.take());
        }
    }

    /// Writes what is in the journal. On an error the program runs on, unprofiled.
    fn write(&mut self) {
        let Some(writer) = &mut self.writer else {
            self.journal.events.clear();
            return;
        };
        let written = self
            .journal
            .events
            .drain(..)
            .try_for_each(|event| writer.push(&event))
            .and_then(|()| writer.tick());
        if let Err(error) = written {
            self.writer = None;
            self.write_error = Some(error);
            self.targets.iter().for_each(Target::stop);
        }
    }

    fn look_after_child(&mut self) -> Result<(), Error> {
        // Until it is waited for, its CPU time can be read: drain() has done that, or will.
        let Root::Child { pid, pidfd, ended: None } = &self.root else { return Ok(()) };
        let pid = *pid;
        if !system::is_readable(pidfd) || self.pids().contains(&pid) {
            return Ok(());
        }
        let waited = system::try_wait(pid);
        let waited = waited.map_err(|error| Error::Session("wait for the program", error))?;
        if let (Some(ended_now), Root::Child { ended, .. }) = (waited, &mut self.root) {
            *ended = Some(ended_now);
            self.add_other_processes(ended_now.cpu_ns);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Outcome, Error> {
        self.targets.iter().for_each(Target::stop);
        self.drain();
        for target in &mut self.targets {
            target.finish(&mut self.modules, &mut self.journal);
        }
        self.take_leave_of_targets();
        self.children.finish(&mut self.journal);
        self.journal.events.push(self.limits.into());
        self.write();
        let exit_code = match &self.root {
            Root::Child { ended, .. } => ended.map(|ended| ended.exit_code),
            Root::Stranger => None,
        };
        if let Some(writer) = self.writer {
            let duration_ns = self.started.elapsed().as_nanos() as u64;
            writer.finish(duration_ns, exit_code).map_err(Error::Write)?;
        }
        match self.write_error {
            Some(error) => Err(Error::Write(error)),
            None => Ok(Outcome {
                exit_code,
                agents: self.agents,
                agent_error: self.agent_error,
                was_paused: self.is_paused,
                files: self.modules.files,
                handler_times: self.journal.handler_times,
            }),
        }
    }

    /// CPU time of descendants that have ended and were never seen: time that nobody has sampled.
    fn add_other_processes(&mut self, all_ns: u64) {
        let cpu_ns = all_ns.saturating_sub(self.finished_cpu_ns);
        if self.agents > 0 && cpu_ns > NEGLIGIBLE_NS {
            let (name, time_ns) = ("[other processes]".into(), system::monotonic_ns());
            let process = self.journal.process(NewProcess { pid: 0, parent: None, name, time_ns });
            self.journal.events.push(Event::ProcessCpu { process, cpu_ns });
        }
    }
}

fn has_come(time: Option<Instant>) -> bool {
    time.is_some_and(|time| time <= Instant::now())
}

/// Waits for the end of a program that was started by a recorder. Returns what a shell reports.
pub fn wait_for_program(pid: u32) -> Option<i32> {
    loop {
        match system::wait(pid) {
            Ok(ended) => return Some(ended.exit_code),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
