//! Profiles with known samples, for tests.

use std::collections::BTreeMap;

use sigspy_model::{
    Accounting, Clock, Frame, Language, Life, Location, LocationId, Meta, Module, ModuleId,
    Process, ProcessId, Profile, Sample, Stack, StackId, StackKind, Stop, Symbols, Thread,
    ThreadId,
};

use crate::functions::Input;

/// A run of a program, at 100 Hz.
pub struct Run {
    pub profile: Profile,
    frames: Vec<Vec<Frame>>,
}

const PERIOD_NS: u64 = 10_000_000;

impl Run {
    pub fn of(program: &str) -> Self {
        let process = Process {
            pid: 1,
            parent: None,
            name: program.to_owned(),
            cpu_ns: None,
            life: Life::default(),
            gap: None,
        };
        let name = program.to_owned();
        let thread = Thread { process: ProcessId(0), tid: 1, name, life: Life::default() };
        let profile = Profile {
            meta: meta(),
            processes: vec![process],
            threads: vec![thread],
            modules: Vec::new(),
            locations: Vec::new(),
            code_names: BTreeMap::new(),
            stacks: Vec::new(),
            samples: Vec::new(),
            accounting: Accounting::default(),
            shortfalls: Vec::new(),
        };
        Self { profile, frames: Vec::new() }
    }

    /// Started by something else, which has no samples.
    pub fn started_by(mut self, wrapper: &str) -> Self {
        let started = self.profile.processes[0].clone();
        let wrapper = Process { name: wrapper.to_owned(), ..started.clone() };
        self.profile.processes = vec![wrapper, started];
        self.profile.threads[0].process = ProcessId(1);
        self
    }

    /// So many samples of one stack, root first. A function is `name`, or `module!name`, or
    /// `name@file:line`, in any combination; `outer => inner` is `inner` inlined into `outer`.
    pub fn samples(mut self, functions: &[&str], count: u32) -> Self {
        let locations = functions.iter().rev().map(|names| self.location(names)).collect();
        let stack = StackId(self.profile.stacks.len() as u32);
        self.profile.stacks.push(Stack { kind: StackKind::Walked(Stop::End), locations });
        let weight_ns = u64::from(count) * PERIOD_NS;
        let (time_ns, thread, is_waiting) = (0, ThreadId(0), false);
        let sample = Sample { time_ns, thread, stack, weight_ns, ticks: count, is_waiting };
        self.profile.samples.push(sample);
        self.profile.accounting.recorded_ns += weight_ns;
        self
    }

    fn location(&mut self, names: &str) -> LocationId {
        let program = self.profile.processes[0].name.clone();
        let (module, names) = names.split_once('!').unwrap_or((&program, names));
        let module = self.module(module);
        let mut frames: Vec<Frame> = names.rsplit(" => ").map(frame).collect();
        let physical = frames.len() - 1;
        frames[..physical].iter_mut().for_each(|frame| frame.inlined = true);
        self.frames.push(frames);
        let address = self.frames.len() as u64;
        self.profile.locations.push(Location { module: Some(module), address });
        LocationId(address as u32 - 1)
    }

    fn module(&mut self, path: &str) -> ModuleId {
        let modules = &mut self.profile.modules;
        let index = modules.iter().position(|module| module.path == path).unwrap_or_else(|| {
            modules.push(Module { path: path.to_owned(), build_id: None, image: None });
            modules.len() - 1
        });
        ModuleId(index as u32)
    }
}

/// Several runs, as what a comparison takes.
pub struct Side(Vec<(Profile, Symbols)>);

impl Side {
    pub fn of(runs: impl IntoIterator<Item = Run>) -> Self {
        Self(runs.into_iter().map(|run| (run.profile, Symbols::new(run.frames))).collect())
    }

    pub fn inputs(&self) -> Vec<Input<'_>> {
        self.0.iter().map(|(profile, symbols)| Input { profile, symbols, work: 1.0 }).collect()
    }
}

fn frame(text: &str) -> Frame {
    let (function, place) = text.split_once('@').unwrap_or((text, ""));
    let (file, line) = place.split_once(':').unwrap_or((place, ""));
    Frame {
        function: function.into(),
        file: (!file.is_empty()).then(|| file.into()),
        line: line.parse().ok(),
        language: Language::Plain,
        inlined: false,
    }
}

fn meta() -> Meta {
    Meta {
        argv: vec!["./app".to_owned()],
        host: String::new(),
        kernel: String::new(),
        version: String::new(),
        git_revision: None,
        started_unix_s: 0,
        duration_ns: 0,
        clock: Clock::Thread,
        period_ns: PERIOD_NS,
        exit_code: Some(0),
    }
}
