//! Reads a recording, whatever is left of it.
//!
//! The file is untrusted: every number is checked, nothing is allocated because a number says
//! so beyond [`MAX_RAW`](super::chunk::MAX_RAW), and what makes no sense is left out and counted.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use sigspy_model::{
    Accounting, BuildId, Clock, Life, Limits, Location, LocationId, Meta, Module, ModuleId,
    Process, ProcessId, Profile, Sample, Shortfall, Stack, StackId, StackKind, Thread, ThreadId,
};
use sigspy_wire::record::MAX_FRAMES;

use super::Recording;
use super::chunk::{self, Chunks, FILE_HEADER, Kind};
use super::event::{Event, MetaEvent, gap_of, kind_of};
use super::symbols::Names;
use crate::Error;

/// Reads the recording at `path`. A damaged one is read as far as it goes; the profile's
/// shortfalls say what is missing.
pub fn read(path: &Path) -> Result<Recording, Error> {
    let unreadable = |error| Error::OpenRecording(path.into(), error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::NotARecording(path.into()));
    }
    let bytes = read_all(&file, metadata.len()).map_err(unreadable)?;
    parse(&bytes).map_err(|problem| match problem {
        Problem::Foreign => Error::NotARecording(path.into()),
        Problem::Empty => Error::EmptyRecording(path.into()),
        Problem::OtherVersion(version) => Error::OtherVersion(path.into(), version),
    })
}

/// A copy, not a mapping: a file that shrinks while it is read would kill us with SIGBUS.
fn read_all(mut file: &File, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    std::io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

/// Why bytes are no recording at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Foreign,
    /// It ends before it says what was recorded.
    Empty,
    OtherVersion(u32),
}

/// What the bytes of a recording hold.
pub fn parse(file: &[u8]) -> Result<Recording, Problem> {
    match chunk::kind(file) {
        Kind::Ours => {}
        Kind::Foreign if file.is_empty() => return Err(Problem::Empty),
        Kind::Foreign => return Err(Problem::Foreign),
        Kind::OtherVersion(version) => return Err(Problem::OtherVersion(version)),
    }
    let mut chunks = Chunks::new(file.get(FILE_HEADER..).unwrap_or_default());
    let mut builder = Builder::default();
    for raw in chunks.by_ref() {
        let mut rest = raw.as_slice();
        while let Ok((event, behind)) = postcard::take_from_bytes::<Event>(rest) {
            builder.add(event);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        builder.unread_bytes += rest.len() as u64;
    }
    builder.finish(chunks.damaged, chunks.cut).ok_or(Problem::Empty)
}

/// Values that the file refers to by number.
struct Numbered<T> {
    values: Vec<T>,
    places: HashMap<u32, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { values: Vec::new(), places: HashMap::new() }
    }
}

impl<T> Numbered<T> {
    /// Enters a value; a second one with the same number replaces the first.
    fn define(&mut self, id: u32, value: T) {
        match self.places.get(&id) {
            Some(&place) => self.values[place as usize] = value,
            None => {
                let place = self.push(value);
                self.places.insert(id, place);
            }
        }
    }

    /// Enters a value that has no number in the file.
    fn push(&mut self, value: T) -> u32 {
        self.values.push(value);
        self.values.len() as u32 - 1
    }

    fn place(&self, id: u32) -> Option<u32> {
        self.places.get(&id).copied()
    }

    /// The place of a value, made up if its definition is lost.
    fn place_or(&mut self, id: u32, lost: impl FnOnce() -> T) -> u32 {
        if let Some(place) = self.place(id) {
            return place;
        }
        let place = self.push(lost());
        self.places.insert(id, place);
        place
    }
}

/// What the events so far amount to.
#[derive(Default)]
struct Builder {
    meta: Option<MetaEvent>,
    ended: bool,
    unread_bytes: u64,
    last_ns: u64,
    processes: Numbered<Process>,
    threads: Numbered<Thread>,
    modules: Numbered<Module>,
    locations: Numbered<Location>,
    code_names: BTreeMap<LocationId, String>,
    stacks: Numbered<Stack>,
    frameless: HashMap<StackKind, StackId>,
    samples: Vec<Sample>,
    unbalanced_ticks: u64,
    bad_records: u64,
    limits: Limits,
    shortfalls: Vec<Shortfall>,
    names: Names,
}

/// All samples together stand for no more time than this, ns, and no more is charged to all
/// processes: 146 years, and both together fit into 64 bits, so that nobody who adds has to ask.
const LONGEST_NS: u64 = 1 << 62;
/// Deeper stacks are not believed: recorders write a quarter of it at most. In a few megabytes a
/// file could say a million times that a million frames were seen.
const DEEPEST: usize = 4 * MAX_FRAMES;
/// Longer names of code are not believed, bytes.
const LONGEST_NAME: usize = 4096;
const UNKNOWN: &str = "[unknown]";
/// Stands for the process of threads whose definition is lost.
const LOST_PROCESS: u32 = u32::MAX;

impl Builder {
    fn add(&mut self, event: Event) {
        match event {
            Event::Meta(meta) => self.meta = Some(meta),
            Event::Process { id, pid, parent, name, start_ns } => {
                let parent = Some(parent).filter(|&pid| pid != 0);
                let life = Life { start_ns, end_ns: None };
                let process = Process { pid, parent, name, cpu_ns: None, life, gap: None };
                self.processes.define(id, process);
            }
            Event::ProcessEnd { process, time_ns } => {
                self.process_value(process).life.end_ns = Some(time_ns);
            }
            Event::Gap { process, reason } => {
                self.process_value(process).gap = Some(gap_of(reason));
            }
            Event::ProcessCpu { process, cpu_ns } => {
                self.process_value(process).cpu_ns = Some(cpu_ns);
            }
            Event::Thread { id, process, tid, name, start_ns } => {
                let process = self.process(process);
                let known =
                    self.threads.place(id).map(|place| &self.threads.values[place as usize]);
                let end_ns = known.and_then(|thread| thread.life.end_ns); // it has another name now
                let life = Life { start_ns, end_ns };
                self.threads.define(id, Thread { process, tid, name, life });
            }
            Event::ThreadEnd { thread, time_ns } => {
                let ThreadId(place) = self.thread(thread);
                self.threads.values[place as usize].life.end_ns = Some(time_ns);
            }
            Event::Module { id, path, build_id, image } => {
                self.modules.define(id, Module { path, build_id: build_id.map(BuildId), image });
            }
            Event::Location { id, module, address } => {
                // Without its module a location is an address in no module.
                let module = module.and_then(|id| self.modules.place(id)).map(ModuleId);
                self.locations.define(id, Location { module, address });
            }
            Event::Stack { id, kind, locations } => self.add_stack(id, kind, &locations),
            Event::Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting } => {
                let (thread, stack) = (self.thread(thread), self.stack(stack));
                let sample = Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting };
                self.samples.push(sample);
                self.last_ns = self.last_ns.max(time_ns);
            }
            Event::Defects { unbalanced_ticks, bad_records } => {
                self.unbalanced_ticks = self.unbalanced_ticks.saturating_add(unbalanced_ticks);
                self.bad_records = self.bad_records.saturating_add(bad_records);
            }
            Event::Limits { timer_failures, perf_failures, without_kernel, unentered_forks } => {
                self.limits =
                    Limits { timer_failures, perf_failures, without_kernel, unentered_forks };
            }
            Event::End => self.ended = true,
            Event::CodeName { location, name } => self.name_code(location, name),
            Event::Text { id, text } => self.names.add_text(id, text),
            Event::Frames { location, frames } => {
                if let Some(place) = self.locations.place(location) {
                    self.names.add_frames(place, frames);
                }
            }
            Event::SymbolsEnd => self.names.end(),
            Event::Shortfall { damaged } => self.shortfalls.push(match damaged {
                Some(bytes) => Shortfall::Damaged { bytes },
                None => Shortfall::CutShort,
            }),
        }
    }

    fn name_code(&mut self, location: u32, name: String) {
        let place = self.locations.place(location).filter(|_| name.len() <= LONGEST_NAME);
        if let Some(place) = place {
            self.code_names.insert(LocationId(place), name);
        }
    }

    fn add_stack(&mut self, id: u32, kind: u8, locations: &[u32]) {
        let place = |&id: &u32| self.locations.place(id).map(LocationId);
        let locations = locations.iter().map(place).collect();
        let (Some(kind), Some(locations)) = (kind_of(kind), locations) else { return };
        let stack = Stack { kind, locations };
        let is_walked = matches!(kind, StackKind::Walked(_));
        if is_walked && stack.locations.len() <= DEEPEST || stack.locations.is_empty() {
            self.stacks.define(id, stack);
        }
    }

    fn process(&mut self, id: u32) -> ProcessId {
        let lost = || Process {
            pid: 0,
            parent: None,
            name: UNKNOWN.into(),
            cpu_ns: None,
            life: Life::default(),
            gap: None,
        };
        ProcessId(self.processes.place_or(id, lost))
    }

    fn process_value(&mut self, id: u32) -> &mut Process {
        let ProcessId(place) = self.process(id);
        &mut self.processes.values[place as usize]
    }

    fn thread(&mut self, id: u32) -> ThreadId {
        if let Some(place) = self.threads.place(id) {
            return ThreadId(place);
        }
        let process = self.process(LOST_PROCESS);
        let lost = || Thread { process, tid: 0, name: UNKNOWN.into(), life: Life::default() };
        ThreadId(self.threads.place_or(id, lost))
    }

    /// A stack whose definition is lost is lost itself; its weight is not.
    fn stack(&mut self, id: u32) -> StackId {
        match self.stacks.place(id) {
            Some(place) => StackId(place),
            None => self.frameless(StackKind::Lost),
        }
    }

    fn frameless(&mut self, kind: StackKind) -> StackId {
        let stacks = &mut self.stacks;
        let new = || StackId(stacks.push(Stack { kind, locations: Vec::new() }));
        *self.frameless.entry(kind).or_insert_with(new)
    }

    fn finish(mut self, damaged: u64, cut: u64) -> Option<Recording> {
        let meta = self.meta.take()?;
        limit_sum(self.samples.iter_mut().map(|sample| &mut sample.weight_ns));
        limit_sum(self.processes.values.iter_mut().filter_map(|process| process.cpu_ns.as_mut()));
        if Meta::from(meta.clone()).clock != Clock::Wall {
            self.add_unsampled_time();
        }
        // Behind the end come names. What was cut off of those is looked up again.
        let is_damage = self.ended && self.names.are_complete();
        let bytes = damaged + self.unread_bytes + if is_damage { cut } else { 0 };
        if bytes > 0 {
            self.shortfalls.push(Shortfall::Damaged { bytes });
        }
        if !self.ended && !self.shortfalls.contains(&Shortfall::CutShort) {
            self.shortfalls.push(Shortfall::CutShort);
        }
        let accounting = self.accounting();
        let duration_ns = meta.duration_ns.max(self.last_ns);
        let meta = MetaEvent { duration_ns, ..meta }.into();
        let symbols = self.names.finish(self.locations.values.len());
        let profile = Profile {
            meta,
            processes: self.processes.values,
            threads: self.threads.values,
            modules: self.modules.values,
            locations: self.locations.values,
            code_names: self.code_names,
            stacks: self.stacks.values,
            samples: self.samples,
            accounting,
            shortfalls: self.shortfalls,
        };
        Some(Recording { profile, symbols })
    }

    /// CPU time of each process that no sample stands for, as one sample of its main thread. What
    /// samples of other processes stand for too much is taken off: in the mean, the one makes up
    /// for the other.
    fn add_unsampled_time(&mut self) {
        let mut sampled = vec![0u64; self.processes.values.len()];
        for sample in &self.samples {
            let ProcessId(process) = self.threads.values[sample.thread.0 as usize].process;
            sampled[process as usize] += sample.weight_ns;
        }
        let known = |process: &Process| process.cpu_ns.unwrap_or(0);
        let both = self.processes.values.iter().map(known).zip(sampled);
        let missing: Vec<u64> =
            both.clone().map(|(cpu, sampled)| cpu.saturating_sub(sampled)).collect();
        let total: u64 = missing.iter().sum();
        let surplus = both.map(|(cpu, sampled)| sampled.saturating_sub(cpu)).sum();
        let kept = total.saturating_sub(surplus);
        let main_threads = self.main_threads();
        for (place, missing) in (0..).zip(missing) {
            let share = u128::from(missing) * u128::from(kept) / u128::from(total.max(1));
            let weight_ns = share as u64;
            if weight_ns == 0 {
                continue;
            }
            let main = main_threads.get(place as usize).copied().flatten();
            let thread = main.unwrap_or_else(|| self.add_main_thread(ProcessId(place)));
            let stack = self.frameless(StackKind::Unsampled);
            let time_ns = self.last_ns;
            let (ticks, is_waiting) = (0, false);
            self.samples.push(Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting });
        }
    }

    /// By process, where it is known.
    fn main_threads(&self) -> Vec<Option<ThreadId>> {
        let processes = &self.processes.values;
        let mut main_threads = vec![None; processes.len()];
        for (place, thread) in (0..).zip(&self.threads.values) {
            let process = thread.process.0 as usize;
            if processes[process].pid == thread.tid {
                main_threads[process].get_or_insert(ThreadId(place));
            }
        }
        main_threads
    }

    fn add_main_thread(&mut self, process: ProcessId) -> ThreadId {
        let Process { pid, name, life, .. } = self.processes.values[process.0 as usize].clone();
        ThreadId(self.threads.push(Thread { process, tid: pid, name, life }))
    }

    fn accounting(&self) -> Accounting {
        let weight_of = |wanted: fn(StackKind) -> bool| {
            let kind = |sample: &Sample| self.stacks.values[sample.stack.0 as usize].kind;
            let weights = self.samples.iter().filter(|sample| wanted(kind(sample)));
            weights.map(|sample| sample.weight_ns).sum()
        };
        let known = self.processes.values.iter().filter_map(|process| process.cpu_ns);
        Accounting {
            cpu_ns: known.reduce(|sum, cpu_ns| sum + cpu_ns),
            recorded_ns: weight_of(|kind| matches!(kind, StackKind::Walked(_))),
            lost_ns: weight_of(|kind| kind == StackKind::Lost),
            blocked_ns: weight_of(|kind| kind == StackKind::Blocked),
            unsampled_ns: weight_of(|kind| kind == StackKind::Unsampled),
            unbalanced_ticks: self.unbalanced_ticks,
            bad_records: self.bad_records,
            limits: self.limits,
        }
    }
}

/// Makes times shorter, from the first on that would bring their sum above [`LONGEST_NS`].
fn limit_sum<'a>(times_ns: impl Iterator<Item = &'a mut u64>) {
    let mut left_ns = LONGEST_NS;
    for time_ns in times_ns {
        *time_ns = left_ns.min(*time_ns);
        left_ns -= *time_ns;
    }
}
