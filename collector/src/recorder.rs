//! The main loop: one program is started, its agents are welcomed, their lanes drained, and
//! everything goes into the recording.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Error;
use crate::arena;
use crate::journal::Journal;
use crate::launch::Launch;
use crate::meeting::{Arrival, Meeting};
use crate::memory::Settings;
use crate::modules::Modules;
use crate::plan::{self, Plan};
use crate::recording::{Event, Writer};
use crate::system::{self, Ended};
use crate::target::Target;

/// How long a program is held at its start until the tables of its modules are there.
const HOLD: Duration = Duration::from_millis(50);
/// Lanes are looked at this often: more often when they fill.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// A lane fuller than this is looked at twice as often.
const BUSY: f64 = 0.2;
/// CPU time of unprofiled descendants below this is not worth a line, ns.
const NEGLIGIBLE_NS: u64 = 10_000_000;

/// What became of it.
#[derive(Debug)]
pub struct Outcome {
    /// As a shell reports it: the exit status, or 128 + the signal. `None`: the program still
    /// runs, as the recording was ended by hand.
    pub exit_code: Option<i32>,
    /// Programs into which the agent was loaded.
    pub agents: usize,
    /// Why an agent could not start.
    pub agent_error: Option<io::Error>,
    /// With [`Settings::timed`]: frames of a record and how long its handler took, ns.
    pub handler_times: Vec<(usize, u64)>,
}

/// A program that has been started.
pub struct Recorder {
    settings: Settings,
    child: u32,
    child_pidfd: OwnedFd,
    meeting: Meeting,
    modules: Modules,
    journal: Journal,
    writer: Option<Writer<File>>,
    write_error: Option<io::Error>,
    started: Instant,
    arrivals: Vec<Arrival>,
    held: Vec<(Arrival, Target)>,
    targets: Vec<Target>,
    sleep: Duration,
    agents: usize,
    agent_error: Option<io::Error>,
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
        let session = |what| move |error| Error::Session(what, error);
        let launch = Launch::new(&plan.argv)?;
        let meeting = Meeting::new().map_err(session("make a folder for the agent's socket"))?;
        let modules = Modules::new(plan.cache.as_deref())
            .map_err(session("make the shared memory for unwind tables"))?;
        let started_ns = system::monotonic_ns();
        let meta = plan::meta(plan, started_ns);
        let writer = Writer::start(output()?, meta).map_err(Error::Write)?;
        let child = launch.spawn(&plan::agent_path(plan, &meeting)?, &meeting.path())?.id();
        let child_pidfd = system::open_pidfd(child).map_err(session("watch the program"))?;
        Ok(Self {
            settings: plan.settings,
            child,
            child_pidfd,
            meeting,
            modules,
            journal: Journal::new(started_ns),
            writer: Some(writer),
            write_error: None,
            started: Instant::now(),
            arrivals: Vec::new(),
            held: Vec::new(),
            targets: Vec::new(),
            sleep: SHORTEST_SLEEP,
            agents: 0,
            agent_error: None,
            finished_cpu_ns: 0,
        })
    }

    /// The pid of the program.
    pub fn program(&self) -> u32 {
        self.child
    }

    /// Records until the program ends, or until `interrupts` is 2 or more: the first interrupt is
    /// the program's own.
    pub fn run(mut self, interrupts: &AtomicU32) -> Result<Outcome, Error> {
        let ended = loop {
            self.wait()?;
            self.welcome();
            self.drain();
            if let Some(ended) = self.child_ended()? {
                break Some(ended);
            }
            if interrupts.load(Relaxed) >= 2 {
                break None;
            }
        };
        self.finish(ended)
    }

    fn wait(&self) -> Result<(), Error> {
        let (socket, ready) = (self.meeting.socket(), self.modules.tables.ready());
        let arrivals: Vec<_> = self.arrivals.iter().map(Arrival::socket).collect();
        let listened = [socket.as_fd(), self.child_pidfd.as_fd()].into_iter();
        let held = (!self.held.is_empty()).then_some(ready.as_fd());
        let descriptors = listened
            .chain(held)
            .chain(arrivals.iter().map(AsFd::as_fd))
            .chain(self.targets.iter().map(Target::pidfd));
        let mut polled: Vec<_> =
            descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(self.sleep).unwrap_or(PollTimeout::MAX);
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
                Ok(Some(pid)) => self.admit(arrival, pid),
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

    fn admit(&mut self, arrival: Arrival, pid: u32) {
        if self.writer.is_none() {
            return; // nobody would write down what it samples
        }
        let before = self.targets.iter().position(|target| target.pid == pid);
        let mut cpu_before_ns = 0;
        if let Some(before) = before {
            let before = self.targets.remove(before);
            cpu_before_ns = system::cpu_ns(pid).unwrap_or_else(|| before.cpu_with_before_ns());
            self.finish_target(before);
        }
        let target =
            Target::new(pid, &self.settings, cpu_before_ns, &mut self.modules, &mut self.journal);
        match target {
            Ok(target) => self.held.push((arrival, target)),
            Err(error) => self.agent_error = Some(error),
        }
    }

    fn let_go(&mut self, arrival: Arrival, target: Target) {
        target.publish_modules(&self.modules);
        let (memory, arena) = (target.memory.descriptor(), self.modules.arena.descriptor());
        let sent = arrival.welcome(target.memory.lanes(), arena::LENGTH, memory, arena);
        if sent.is_ok() {
            self.agents += 1;
            self.targets.push(target);
        }
    }

    fn drain(&mut self) {
        let fill = self.targets.iter().map(Target::fill).fold(0.0, f64::max);
        self.sleep = if fill > BUSY { self.sleep / 2 } else { self.sleep * 5 / 4 }
            .clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        for target in &mut self.targets {
            target.drain(&mut self.modules, &mut self.journal);
        }
        let ended = self.targets.extract_if(.., |target| has_ended(target)).collect::<Vec<_>>();
        ended.into_iter().for_each(|target| self.finish_target(target));
        self.write();
    }

    fn finish_target(&mut self, target: Target) {
        let error = target.agent_error();
        self.agent_error = error.or_else(|| self.agent_error.take());
        self.finished_cpu_ns += target.finish(&mut self.modules, &mut self.journal);
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

    fn child_ended(&mut self) -> Result<Option<Ended>, Error> {
        // Until it is waited for, its CPU time can be read.
        if !is_readable(&self.child_pidfd) {
            return Ok(None);
        }
        let child = self.targets.iter().position(|target| target.pid == self.child);
        if let Some(child) = child {
            let child = self.targets.remove(child);
            self.finish_target(child);
        }
        system::try_wait(self.child).map_err(|error| Error::Session("wait for the program", error))
    }

    fn finish(mut self, ended: Option<Ended>) -> Result<Outcome, Error> {
        let targets = std::mem::take(&mut self.targets);
        targets.iter().for_each(Target::stop);
        targets.into_iter().for_each(|target| self.finish_target(target));
        if let Some(ended) = ended {
            self.add_other_processes(ended.cpu_ns);
        }
        self.write();
        let exit_code = ended.map(|ended| ended.exit_code);
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
                handler_times: self.journal.handler_times,
            }),
        }
    }

    /// CPU time of descendants without an agent: time that nobody has sampled.
    fn add_other_processes(&mut self, all_ns: u64) {
        let cpu_ns = all_ns.saturating_sub(self.finished_cpu_ns);
        if self.agents > 0 && cpu_ns > NEGLIGIBLE_NS {
            let process = self.journal.process(0, "[other processes]".into());
            self.journal.events.push(Event::ProcessCpu { process, cpu_ns });
        }
    }
}

fn has_ended(target: &Target) -> bool {
    is_readable(&target.pidfd())
}

fn is_readable(descriptor: &impl AsFd) -> bool {
    let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
