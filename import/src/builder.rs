//! Puts a profile together, piece by piece: each distinct piece once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sigspy_model::{
    Accounting, BuildId, Clock, Frame, Language, Life, Location, LocationId, Meta, Module,
    ModuleId, Process, ProcessId, Profile, Sample, Stack, StackId, StackKind, Stop, Symbols,
    Thread, ThreadId,
};

use crate::{Error, Imported};

/// Longer names are cut, bytes.
const LONGEST_NAME: usize = 4096;
/// Of deeper stacks the innermost frames are kept.
pub const DEEPEST: usize = 4096;
/// More frames at one location are left out, the innermost ones first.
pub const MOST_INLINED: usize = 256;
/// What all samples together may stand for, ns: as the reader of recordings has it.
const LONGEST_NS: u64 = 1 << 62;

/// A profile in the making.
pub struct Builder {
    profile: Profile,
    frames: Vec<Vec<Frame>>,
    texts: HashMap<Box<str>, Arc<str>>,
    processes: HashMap<(u32, Arc<str>), ProcessId>,
    threads: HashMap<(ProcessId, u32, Arc<str>), ThreadId>,
    modules: HashMap<(Arc<str>, Option<BuildId>), ModuleId>,
    locations: HashMap<(Option<ModuleId>, u64, Vec<FrameKey>), LocationId>,
    stacks: HashMap<Stack, StackId>,
    total_ns: u64,
    notes: Vec<String>,
}

/// A frame by the addresses of its texts, of which each is there once.
type FrameKey = (usize, usize, Option<u32>, bool);

/// A sample to be.
#[derive(Clone, Copy, Debug)]
pub struct NewSample {
    pub time_ns: u64,
    pub thread: ThreadId,
    pub stack: StackId,
    pub weight_ns: u64,
    pub ticks: u32,
    pub is_waiting: bool,
}

impl Builder {
    /// `name`: what the profile is of.
    pub fn new(name: &str, clock: Clock) -> Self {
        let profile = Profile {
            meta: meta(name, clock),
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
        Self {
            profile,
            frames: Vec::new(),
            texts: HashMap::new(),
            processes: HashMap::new(),
            threads: HashMap::new(),
            modules: HashMap::new(),
            locations: HashMap::new(),
            stacks: HashMap::new(),
            total_ns: 0,
            notes: Vec::new(),
        }
    }

    pub fn meta(&mut self) -> &mut Meta {
        &mut self.profile.meta
    }

    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A text that is there once; the end of a long one is left out.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        let text = shortened(text);
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(text.into(), shared.clone());
        shared
    }

    pub fn process(&mut self, pid: u32, name: &str) -> ProcessId {
        let name = self.text(name);
        let processes = &mut self.profile.processes;
        *self.processes.entry((pid, name.clone())).or_insert_with(|| {
            let (parent, cpu_ns, gap, life) = (None, None, None, Life::default());
            processes.push(Process { pid, parent, name: name.to_string(), cpu_ns, life, gap });
            ProcessId(processes.len() as u32 - 1)
        })
    }

    pub fn thread(&mut self, process: ProcessId, tid: u32, name: &str) -> ThreadId {
        let name = self.text(name);
        let threads = &mut self.profile.threads;
        *self.threads.entry((process, tid, name.clone())).or_insert_with(|| {
            threads.push(Thread { process, tid, name: name.to_string(), life: Life::default() });
            ThreadId(threads.len() as u32 - 1)
        })
    }

    pub fn module(&mut self, path: &str, build_id: Option<BuildId>) -> ModuleId {
        let path = self.text(path);
        let modules = &mut self.profile.modules;
        *self.modules.entry((path.clone(), build_id.clone())).or_insert_with(|| {
            modules.push(Module { path: path.to_string(), build_id, image: None });
            ModuleId(modules.len() as u32 - 1)
        })
    }

    /// A frame whose texts are short and shared. `file`: empty if it is not known.
    pub fn frame(&mut self, function: &str, file: &str, line: Option<u32>) -> Frame {
        Frame {
            function: self.text(if function.is_empty() { "[unknown]" } else { function }),
            file: if file.is_empty() { None } else { Some(self.text(file)) },
            line: line.filter(|line| *line > 0),
            language: Language::Plain,
            inlined: false,
        }
    }

    /// A location with these frames, innermost first. Those of other builders are not known here.
    /// All but the last are inlined. Places without an address are told apart by their frames.
    pub fn location(
        &mut self,
        module: Option<ModuleId>,
        address: Option<u64>,
        mut frames: Vec<Frame>,
    ) -> LocationId {
        frames.drain(..frames.len().saturating_sub(MOST_INLINED));
        let physical = frames.len().saturating_sub(1);
        for (place, frame) in frames.iter_mut().enumerate() {
            frame.inlined = place < physical;
        }
        let key = frames.iter().map(key).collect();
        let Self { profile, frames: all, locations, .. } = self;
        *locations.entry((module, address.unwrap_or(0), key)).or_insert_with(|| {
            let id = all.len() as u32;
            let address = address.unwrap_or(u64::from(id) + 1);
            profile.locations.push(Location { module, address });
            all.push(frames);
            LocationId(id)
        })
    }

    /// A stack, leaf first. Deep ones lose their outer frames.
    pub fn stack(&mut self, kind: StackKind, mut locations: Vec<LocationId>) -> StackId {
        let kind = match kind {
            StackKind::Walked(_) if locations.len() > DEEPEST => {
                locations.truncate(DEEPEST);
                StackKind::Walked(Stop::Truncated)
            }
            kind => kind,
        };
        let stack = Stack { kind, locations };
        let stacks = &mut self.profile.stacks;
        *self.stacks.entry(stack).or_insert_with_key(|stack| {
            stacks.push(stack.clone());
            StackId(stacks.len() as u32 - 1)
        })
    }

    /// Adds as many samples as there were ticks, of equal weight: how sure a share is depends on
    /// their number. A file may say any number; from a hundred thousand on, ticks stay together.
    pub fn ticks(&mut self, all: NewSample) -> Result<(), Error> {
        const MOST: usize = 100_000;
        let left = MOST.saturating_sub(self.profile.samples.len());
        if all.ticks < 2 || all.ticks as usize > left {
            return self.sample(all);
        }
        let ticks = u64::from(all.ticks);
        let (each, rest) = (all.weight_ns / ticks, all.weight_ns % ticks);
        self.sample(NewSample { weight_ns: each + rest, ticks: 1, ..all })?;
        (1..ticks).try_for_each(|_| self.sample(NewSample { weight_ns: each, ticks: 1, ..all }))
    }

    pub fn sample(&mut self, sample: NewSample) -> Result<(), Error> {
        let NewSample { time_ns, thread, stack, weight_ns, ticks, is_waiting } = sample;
        let total_ns = self.total_ns.checked_add(weight_ns).filter(|ns| *ns <= LONGEST_NS);
        self.total_ns = total_ns.ok_or(Error::TooMuchTime)?;
        let accounting = &mut self.profile.accounting;
        *match self.profile.stacks[stack.0 as usize].kind {
            StackKind::Walked(_) => &mut accounting.recorded_ns,
            StackKind::Lost => &mut accounting.lost_ns,
            StackKind::Blocked => &mut accounting.blocked_ns,
            StackKind::Unsampled => &mut accounting.unsampled_ns,
        } += weight_ns;
        let sample = Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting };
        self.profile.samples.push(sample);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.profile.samples.is_empty()
    }

    pub fn finish(self) -> Imported {
        let Self { profile, frames, notes, .. } = self;
        Imported { profile, symbols: Symbols::new(frames), notes }
    }
}

/// As much of a text as is kept: whole characters.
pub fn shortened(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_NAME);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn key(frame: &Frame) -> FrameKey {
    let address = |text: &Arc<str>| Arc::as_ptr(text).addr();
    (address(&frame.function), frame.file.as_ref().map_or(0, address), frame.line, frame.inlined)
}

fn meta(name: &str, clock: Clock) -> Meta {
    Meta {
        argv: vec![name.to_owned()],
        host: String::new(),
        kernel: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        git_revision: None,
        started_unix_s: 0,
        duration_ns: 0,
        clock,
        period_ns: 1_000_000,
        exit_code: None,
    }
}
