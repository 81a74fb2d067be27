//! Profiles with known answers, for tests.

use std::collections::BTreeMap;

use sigspy_model::{
    Accounting, Clock, Frame, Language, Life, Location, LocationId, Meta, Process, ProcessId,
    Profile, Sample, Stack, StackId, StackKind, Stop, Symbols, Thread, ThreadId,
};

/// Puts a profile together. It starts with one process, `app` (1), and its thread `app` (1).
pub struct Builder {
    pub profile: Profile,
    frames: Vec<Vec<Frame>>,
}

impl Builder {
    pub fn new() -> Self {
        let profile = Profile {
            meta: meta(),
            processes: Vec::new(),
            threads: Vec::new(),
            modules: Vec::new(),
            locations: Vec::new(),
            code_names: BTreeMap::new(),
            stacks: Vec::new(),
            samples: Vec::new(),
            accounting: Accounting::default(),
            shortfalls: Vec::new(),
        };
        let mut builder = Self { profile, frames: Vec::new() };
        builder.thread("app", 1, "app", 1);
        builder
    }

    pub fn symbols(&self) -> Symbols {
        Symbols::new(self.frames.clone())
    }

    /// A thread, and a process if `pid` is a new one. Samples that follow are its.
    pub fn thread(&mut self, process: &str, pid: u32, name: &str, tid: u32) -> &mut Self {
        let processes = &mut self.profile.processes;
        let index = processes.iter().position(|known| known.pid == pid).unwrap_or_else(|| {
            processes.push(Process {
                pid,
                parent: None,
                name: process.to_owned(),
                cpu_ns: None,
                life: Life::default(),
                gap: None,
            });
            processes.len() - 1
        });
        let process = ProcessId(index as u32);
        let (name, life) = (name.to_owned(), Life::default());
        self.profile.threads.push(Thread { process, tid, name, life });
        self
    }

    /// A whole stack. Functions from the root; `outer => inner` is `inner` inlined into `outer`.
    pub fn sample(&mut self, functions: &[&str], weight_ns: u64) -> &mut Self {
        self.stopped(Stop::End, functions, weight_ns)
    }

    /// A stack whose walk ended for a reason.
    pub fn stopped(&mut self, stop: Stop, functions: &[&str], weight_ns: u64) -> &mut Self {
        let locations = functions.iter().rev().map(|names| self.location(names)).collect();
        self.recorded(stop, locations, weight_ns)
    }

    /// A whole stack of known locations, leaf first.
    pub fn walked(&mut self, locations: Vec<LocationId>, weight_ns: u64) -> &mut Self {
        self.recorded(Stop::End, locations, weight_ns)
    }

    /// A location for each name.
    pub fn locations(&mut self, names: &[String]) -> Vec<LocationId> {
        names.iter().map(|name| self.location(name)).collect()
    }

    fn recorded(&mut self, stop: Stop, locations: Vec<LocationId>, weight_ns: u64) -> &mut Self {
        self.profile.accounting.recorded_ns += weight_ns;
        self.push(Stack { kind: StackKind::Walked(stop), locations }, weight_ns, 1)
    }

    /// Time without a stack.
    pub fn stackless(&mut self, kind: StackKind, weight_ns: u64) -> &mut Self {
        let accounting = &mut self.profile.accounting;
        match kind {
            StackKind::Lost => accounting.lost_ns += weight_ns,
            StackKind::Blocked => accounting.blocked_ns += weight_ns,
            StackKind::Unsampled => accounting.unsampled_ns += weight_ns,
            StackKind::Walked(_) => unreachable!("a walked stack is made by `stopped`"),
        }
        self.push(Stack { kind, locations: Vec::new() }, weight_ns, 0)
    }

    fn location(&mut self, names: &str) -> LocationId {
        let frames = names.rsplit(" => ").map(|name| Frame {
            function: name.into(),
            file: None,
            line: None,
            language: Language::Plain,
            inlined: false,
        });
        let mut frames: Vec<Frame> = frames.collect();
        let physical = frames.len() - 1;
        frames[..physical].iter_mut().for_each(|frame| frame.inlined = true);
        self.frames.push(frames);
        let address = self.frames.len() as u64;
        self.profile.locations.push(Location { module: None, address });
        LocationId(address as u32 - 1)
    }

    fn push(&mut self, stack: Stack, weight_ns: u64, ticks: u32) -> &mut Self {
        let thread = ThreadId(self.profile.threads.len() as u32 - 1);
        let id = StackId(self.profile.stacks.len() as u32);
        self.profile.stacks.push(stack);
        let time_ns = u64::from(id.0);
        let (stack, is_waiting) = (id, false);
        let sample = Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting };
        self.profile.samples.push(sample);
        self
    }
}

fn meta() -> Meta {
    Meta {
        argv: vec!["./app".to_owned(), "--fast".to_owned()],
        host: "host".to_owned(),
        kernel: "6.18".to_owned(),
        version: "0.1.0".to_owned(),
        git_revision: None,
        started_unix_s: 0,
        duration_ns: 1_000_000_000,
        clock: Clock::Thread,
        period_ns: 10_000_000,
        exit_code: Some(0),
    }
}
