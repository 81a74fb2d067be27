//! Several profiles as one.
//!
//! Processes are kept apart, also those of one pid. Modules that are the same file by path and
//! build-id are one, and so are locations in them; code without a module is its process's own.
//! Profiles follow one another in time, in the order in which they are given.

use std::collections::HashMap;
use std::{error, fmt};

use crate::{
    Accounting, BuildId, Clock, Frame, Location, LocationId, Meta, ModuleId, ProcessId, Profile,
    Sample, Shortfall, Stack, StackId, Symbols, ThreadId,
};

/// More time than this is not counted, nanoseconds: as in a single recording.
const LONGEST_NS: u64 = 1 << 62;

/// Why profiles cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeError {
    /// There is none.
    Nothing,
    /// Some have wall time and some CPU time, which no sum makes sense of.
    WallAndCpu,
    /// They have more time, or more of anything, than a profile can hold.
    TooMuch,
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "there is nothing to merge; name two recordings",
            Self::WallAndCpu => {
                "some of these have wall time and others CPU time, which cannot be added; merge \
                 those of one kind"
            }
            Self::TooMuch => "these are more than one recording can hold; merge fewer",
        })
    }
}

impl error::Error for MergeError {}

/// Merges profiles with the frames of their locations. Weights are added as they are: nanoseconds
/// mean the same at any rate. The clock is the least exact of all, the period the longest.
pub fn merge(parts: Vec<(Profile, Symbols)>) -> Result<(Profile, Symbols), MergeError> {
    let is_charged = |part: &Profile| part.accounting.cpu_ns.is_some();
    let some_charged = parts.iter().any(|(part, _)| is_charged(part));
    let mut parts = parts.into_iter().map(|(part, symbols)| match is_charged(&part) {
        false if some_charged => (charged(part), symbols),
        _ => (part, symbols),
    });
    let (first, symbols) = parts.next().ok_or(MergeError::Nothing)?;
    let mut merger = Merger::new(&first);
    merger.add(first, &symbols)?;
    for (part, symbols) in parts {
        if (part.meta.clock == Clock::Wall) != (merger.whole.meta.clock == Clock::Wall) {
            return Err(MergeError::WallAndCpu);
        }
        merger.add_meta(&part.meta);
        merger.add(part, &symbols)?;
    }
    Ok((merger.whole, Symbols::new(merger.frames)))
}

/// What makes a module the same: path, build-id and image.
type ModuleKey = (String, Option<BuildId>, Option<Vec<u8>>);

struct Merger {
    whole: Profile,
    /// By location.
    frames: Vec<Vec<Frame>>,
    modules: HashMap<ModuleKey, ModuleId>,
    /// Those at one place of a module: several only where that has no build-id.
    locations: HashMap<(ModuleId, u64), Vec<LocationId>>,
    stacks: HashMap<Stack, StackId>,
    /// When the next profile begins, ns.
    next_ns: u64,
}

impl Merger {
    fn new(first: &Profile) -> Self {
        let whole = Profile {
            meta: Meta { duration_ns: 0, ..first.meta.clone() },
            processes: Vec::new(),
            threads: Vec::new(),
            modules: Vec::new(),
            locations: Vec::new(),
            code_names: <_>::default(),
            stacks: Vec::new(),
            samples: Vec::new(),
            accounting: Accounting::default(),
            shortfalls: Vec::new(),
        };
        let (modules, locations, stacks) = <_>::default();
        Self { whole, frames: Vec::new(), modules, locations, stacks, next_ns: 0 }
    }

    fn add_meta(&mut self, part: &Meta) {
        let meta = &mut self.whole.meta;
        if !meta.host.split(", ").any(|host| host == part.host) {
            meta.host = format!("{}, {}", meta.host, part.host);
        }
        if meta.git_revision != part.git_revision {
            meta.git_revision = None;
        }
        meta.started_unix_s = meta.started_unix_s.min(part.started_unix_s);
        meta.clock = [Clock::Process, Clock::Thread, Clock::Perf, Clock::Wall]
            .into_iter()
            .find(|clock| [meta.clock, part.clock].contains(clock))
            .unwrap_or(meta.clock);
        meta.period_ns = meta.period_ns.max(part.period_ns);
        meta.exit_code = match (meta.exit_code, part.exit_code) {
            (Some(0), code) => code,
            (code, _) => code,
        };
    }

    fn add(&mut self, part: Profile, symbols: &Symbols) -> Result<(), MergeError> {
        let modules = self.add_modules(&part);
        let locations = self.add_locations(&part, &modules, symbols);
        let stacks = self.add_stacks(&part, &locations);
        let start_ns = self.next_ns;
        let later = |ns: u64| start_ns.saturating_add(ns);
        let whole = &mut self.whole;
        let process = |ProcessId(id), before: usize| ProcessId(before as u32 + id);
        let (processes, threads) = (whole.processes.len(), whole.threads.len());
        for mut one in part.processes {
            one.life.start_ns = later(one.life.start_ns);
            one.life.end_ns = one.life.end_ns.map(later);
            whole.processes.push(one);
        }
        for mut one in part.threads {
            one.process = process(one.process, processes);
            one.life.start_ns = later(one.life.start_ns);
            one.life.end_ns = one.life.end_ns.map(later);
            whole.threads.push(one);
        }
        for (LocationId(id), name) in part.code_names {
            whole.code_names.insert(locations[id as usize], name);
        }
        whole.samples.extend(part.samples.iter().map(|sample| Sample {
            time_ns: later(sample.time_ns),
            thread: ThreadId(threads as u32 + sample.thread.0),
            stack: stacks[sample.stack.0 as usize],
            ..*sample
        }));
        self.next_ns = later(part.meta.duration_ns);
        whole.meta.duration_ns = self.next_ns;
        account(&mut whole.accounting, &part.accounting)?;
        part.shortfalls.iter().for_each(|shortfall| fall_short(&mut whole.shortfalls, shortfall));
        self.check()
    }

    /// Everything has a number of 32 bits.
    fn check(&self) -> Result<(), MergeError> {
        let Profile { processes, threads, modules, locations, stacks, .. } = &self.whole;
        let counts = [processes.len(), threads.len(), modules.len(), locations.len(), stacks.len()];
        let fit = counts.iter().all(|count| *count < u32::MAX as usize);
        if fit { Ok(()) } else { Err(MergeError::TooMuch) }
    }

    /// By module of the part: which it is in the whole.
    fn add_modules(&mut self, part: &Profile) -> Vec<ModuleId> {
        let id = |module: &crate::Module| {
            let key = (module.path.clone(), module.build_id.clone(), module.image.clone());
            *self.modules.entry(key).or_insert_with(|| {
                self.whole.modules.push(module.clone());
                ModuleId(self.whole.modules.len() as u32 - 1)
            })
        };
        part.modules.iter().map(id).collect()
    }

    fn add_locations(
        &mut self,
        part: &Profile,
        modules: &[ModuleId],
        symbols: &Symbols,
    ) -> Vec<LocationId> {
        let mut ids = Vec::with_capacity(part.locations.len());
        for (place, location) in (0..).zip(&part.locations) {
            let module = location.module.map(|module| modules[module.0 as usize]);
            let location = Location { module, address: location.address };
            ids.push(self.location(location, symbols.frames(LocationId(place))));
        }
        ids
    }

    /// The location in the whole. Where the file is the same, the frames are, but one may have
    /// been looked up with more debug information than the other.
    fn location(&mut self, location: Location, frames: &[Frame]) -> LocationId {
        let Some(module) = location.module else { return self.new_location(location, frames) };
        let is_known = self.whole.modules[module.0 as usize].build_id.is_some();
        let there = self.locations.get(&(module, location.address));
        let same = |id: &&LocationId| is_known || self.frames[id.0 as usize] == frames;
        if let Some(&id) = there.into_iter().flatten().find(same) {
            let known = &mut self.frames[id.0 as usize];
            if detail(frames) > detail(known) {
                *known = frames.to_vec();
            }
            return id;
        }
        let id = self.new_location(location, frames);
        self.locations.entry((module, location.address)).or_default().push(id);
        id
    }

    fn new_location(&mut self, location: Location, frames: &[Frame]) -> LocationId {
        self.whole.locations.push(location);
        self.frames.push(frames.to_vec());
        LocationId(self.frames.len() as u32 - 1)
    }

    fn add_stacks(&mut self, part: &Profile, locations: &[LocationId]) -> Vec<StackId> {
        let id = |stack: &Stack| {
            let place = |LocationId(id): &LocationId| locations[*id as usize];
            let stack =
                Stack { kind: stack.kind, locations: stack.locations.iter().map(place).collect() };
            *self.stacks.entry(stack).or_insert_with_key(|stack| {
                self.whole.stacks.push(stack.clone());
                StackId(self.whole.stacks.len() as u32 - 1)
            })
        };
        part.stacks.iter().map(id).collect()
    }
}

/// A profile of which nobody knows the CPU time, with that of its samples: or else it would be left
/// out of the CPU time of all.
fn charged(mut part: Profile) -> Profile {
    for sample in &part.samples {
        let ProcessId(process) = part.thread(sample.thread).process;
        let cpu_ns = part.processes[process as usize].cpu_ns.get_or_insert(0);
        *cpu_ns = cpu_ns.saturating_add(sample.weight_ns);
    }
    part.accounting.cpu_ns = Some(part.accounting.total_ns());
    part
}

/// How much frames tell.
fn detail(frames: &[Frame]) -> (usize, usize) {
    (frames.iter().filter(|frame| frame.file.is_some()).count(), frames.len())
}

fn account(whole: &mut Accounting, part: &Accounting) -> Result<(), MergeError> {
    let time = |whole: &mut u64, part: u64| {
        let sum = whole.checked_add(part).filter(|ns| *ns <= LONGEST_NS);
        sum.map(|sum| *whole = sum).ok_or(MergeError::TooMuch)
    };
    time(&mut whole.recorded_ns, part.recorded_ns)?;
    time(&mut whole.lost_ns, part.lost_ns)?;
    time(&mut whole.blocked_ns, part.blocked_ns)?;
    time(&mut whole.unsampled_ns, part.unsampled_ns)?;
    if let Some(cpu_ns) = part.cpu_ns {
        time(whole.cpu_ns.get_or_insert(0), cpu_ns)?;
    }
    whole.unbalanced_ticks = whole.unbalanced_ticks.saturating_add(part.unbalanced_ticks);
    whole.bad_records = whole.bad_records.saturating_add(part.bad_records);
    whole.limits += part.limits;
    let all = [whole.recorded_ns, whole.lost_ns, whole.blocked_ns, whole.unsampled_ns];
    let total_ns = all.iter().fold(0, |sum: u64, ns| sum.saturating_add(*ns));
    if total_ns <= LONGEST_NS { Ok(()) } else { Err(MergeError::TooMuch) }
}

/// Each kind once.
fn fall_short(whole: &mut Vec<Shortfall>, part: &Shortfall) {
    let same =
        whole.iter_mut().find(|one| std::mem::discriminant(*one) == std::mem::discriminant(part));
    match (same, part) {
        (Some(Shortfall::Damaged { bytes }), Shortfall::Damaged { bytes: more }) => {
            *bytes = bytes.saturating_add(*more);
        }
        (Some(_), _) => {}
        (None, _) => whole.push(part.clone()),
    }
}

#[cfg(test)]
mod tests;
