//! Samples as paths: names of frames, root first, and the time spent there.
//!
//! All formats show the same frames, and this is where they come from:
//! ```text
//! process name          when there are several processes
//! thread                when asked for: name-pid/tid
//! [incomplete: reason]  when the stack is not whole
//! frames                root first, inlined functions expanded
//! [waiting]             when the thread did not run
//! ```
//! Where stacks are to begin at a function, what stands before it in its thread is left out.
//! Time without a stack has one frame in place of the last two: `[lost]`, `[SIGPROF blocked]` or
//! `[unsampled]`.

use std::collections::HashMap;

use sigspy_model::{
    Frame, LocationId, Process, Profile, Sample, Stack, StackKind, Stop, Symbols, Thread,
};

use crate::names::{FrameId, Names};

/// Frames of time without a stack.
pub const LOST: &str = "[lost]";
pub const BLOCKED: &str = "[SIGPROF blocked]";
pub const UNSAMPLED: &str = "[unsampled]";
/// Last frame of a thread that does not run.
pub const WAITING: &str = "[waiting]";
pub const STACKLESS: [&str; 3] = [LOST, BLOCKED, UNSAMPLED];

/// First frames of stacks that are not whole.
pub const INCOMPLETE: [&str; 5] = [
    "[incomplete: no unwind table]",
    "[incomplete: unwind rule]",
    "[incomplete: outside of the stack]",
    "[incomplete: deeper than --max-depth]",
    "[incomplete: modules changed]",
];

/// Why a stack is not whole: what its first frame says.
pub fn reason(stop: Stop) -> &'static str {
    let reason = incomplete(stop).and_then(|frame| frame.strip_prefix("[incomplete: "));
    reason.and_then(|rest| rest.strip_suffix(']')).unwrap_or_default()
}

/// What stands before the frames of a stack.
#[derive(Clone, Copy)]
pub struct Roots {
    pub processes: bool,
    pub threads: bool,
}

impl Roots {
    pub const NONE: Self = Self { processes: false, threads: false };

    /// Processes where there are several, threads on request.
    pub fn of(profile: &Profile, threads: bool) -> Self {
        Self { processes: profile.processes.len() > 1, threads }
    }
}

/// What becomes of stacks before they are added up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape<'o> {
    /// Functions at which stacks begin: the innermost one, where a stack has several.
    pub begin_at: &'o [String],
    /// The function that was running comes first.
    pub reversed: bool,
}

/// What all samples on one path add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub cpu_ns: u64,
    pub ticks: u64,
}

impl Load {
    fn add(&mut self, sample: &Sample) {
        self.cpu_ns += sample.weight_ns;
        self.ticks += u64::from(sample.ticks);
    }
}

/// All samples of a profile, by path.
pub struct Paths<'a> {
    pub names: Names<'a>,
    /// Each path once, none empty, sorted frame by frame as text.
    pub loads: Vec<(Box<[FrameId]>, Load)>,
}

impl<'a> Paths<'a> {
    pub fn new(profile: &'a Profile, symbols: &'a Symbols, roots: Roots) -> Self {
        Self::shaped(profile, symbols, roots, &Shape::default())
    }

    pub fn shaped(
        profile: &'a Profile,
        symbols: &'a Symbols,
        roots: Roots,
        shape: &Shape<'_>,
    ) -> Self {
        let mut frames = Frames::new(profile, symbols, roots, shape);
        let mut loads: HashMap<Box<[FrameId]>, Load> = HashMap::new();
        let mut path = Vec::new();
        for sample in &profile.samples {
            frames.path(sample, profile.stack(sample.stack), &mut path);
            match loads.get_mut(path.as_slice()) {
                Some(load) => load.add(sample),
                None => loads.entry(path.as_slice().into()).or_default().add(sample),
            }
        }
        let mut loads: Vec<_> = loads.into_iter().collect();
        let ranks = frames.names.ranks();
        let rank = |frame: &FrameId| (ranks[frame.name().index()], frame.is_inlined());
        loads.sort_unstable_by(|(a, _), (b, _)| a.iter().map(rank).cmp(b.iter().map(rank)));
        Self { names: frames.names, loads }
    }

    /// Paths in the order of time, one thread after the other; a path is there again whenever
    /// another came between.
    pub fn in_time(
        profile: &'a Profile,
        symbols: &'a Symbols,
        roots: Roots,
        shape: &Shape<'_>,
    ) -> Self {
        let mut frames = Frames::new(profile, symbols, roots, shape);
        let mut samples: Vec<&Sample> = profile.samples.iter().collect();
        samples.sort_by_key(|sample| (sample.thread, sample.time_ns));
        let mut loads: Vec<(Box<[FrameId]>, Load)> = Vec::new();
        let mut path = Vec::new();
        for sample in samples {
            frames.path(sample, profile.stack(sample.stack), &mut path);
            match loads.last_mut() {
                Some((last, load)) if **last == *path => load.add(sample),
                _ => {
                    let mut load = Load::default();
                    load.add(sample);
                    loads.push((path.as_slice().into(), load));
                }
            }
        }
        Self { names: frames.names, loads }
    }

    pub fn total_ns(&self) -> u64 {
        self.loads.iter().map(|(_, load)| load.cpu_ns).sum()
    }
}

/// The frames of threads and of locations, looked up once.
struct Frames<'a> {
    names: Names<'a>,
    /// By thread: process and thread, as far as they are wanted.
    roots: Vec<Vec<FrameId>>,
    /// By location, outermost function first.
    locations: Vec<Vec<FrameId>>,
    /// By name: whether stacks begin there.
    begins: Vec<bool>,
    reversed: bool,
}

impl<'a> Frames<'a> {
    fn new(profile: &'a Profile, symbols: &'a Symbols, roots: Roots, shape: &Shape<'_>) -> Self {
        let mut names = Names::default();
        let root = |thread| root(&mut names, profile, thread, roots);
        let roots = profile.threads.iter().map(root).collect();
        let ids = (0..profile.locations.len()).map(|index| LocationId(index as u32));
        let locations = ids.map(|id| functions(&mut names, symbols, id)).collect();
        let is_begin = |name: &str| shape.begin_at.iter().any(|begin| *begin == name);
        let begins = names.iter().map(is_begin).collect();
        Self { names, roots, locations, begins, reversed: shape.reversed }
    }

    /// Replaces `path` by the frames of a sample.
    fn path(&mut self, sample: &Sample, stack: &Stack, path: &mut Vec<FrameId>) {
        path.clear();
        path.extend(&self.roots[sample.thread.0 as usize]);
        let root = path.len();
        path.extend(marker(stack.kind).map(|marker| FrameId::from(self.names.id(marker))));
        if matches!(stack.kind, StackKind::Walked(_)) {
            let locations = stack.locations.iter().rev();
            path.extend(locations.flat_map(|id| &self.locations[id.0 as usize]));
            if stack.locations.is_empty() {
                path.push(self.names.unknown().into());
            }
            let begins = |frame: &FrameId| self.begins.get(frame.name().index()) == Some(&true);
            if let Some(begin) = path[root..].iter().rposition(begins) {
                path.drain(root..root + begin);
            }
            path.extend(sample.is_waiting.then(|| FrameId::from(self.names.id(WAITING))));
        }
        if self.reversed {
            path.reverse();
        }
    }
}

fn root<'a>(
    names: &mut Names<'a>,
    profile: &'a Profile,
    thread: &'a Thread,
    roots: Roots,
) -> Vec<FrameId> {
    let process = profile.process(thread.process);
    let of_process = roots.processes.then(|| names.id(&process.name));
    let of_thread = roots.threads.then(|| names.id(thread_name(process, thread)));
    of_process.into_iter().chain(of_thread).map(FrameId::from).collect()
}

/// As in the output of `stackcollapse-perf.pl --all`.
pub fn thread_name(process: &Process, thread: &Thread) -> String {
    format!("{}-{}/{}", thread.name, process.pid, thread.tid)
}

fn functions<'a>(names: &mut Names<'a>, symbols: &'a Symbols, id: LocationId) -> Vec<FrameId> {
    let frame = |frame: &'a Frame| match names.id(&*frame.function) {
        name if frame.inlined => FrameId::inlined(name),
        name => name.into(),
    };
    match symbols.frames(id) {
        [] => vec![names.unknown().into()],
        frames => frames.iter().rev().map(frame).collect(),
    }
}

/// The frame that stands before the frames of a stack, or in their place.
pub fn marker(kind: StackKind) -> Option<&'static str> {
    match kind {
        StackKind::Lost => Some(LOST),
        StackKind::Blocked => Some(BLOCKED),
        StackKind::Unsampled => Some(UNSAMPLED),
        StackKind::Walked(stop) => incomplete(stop),
    }
}

fn incomplete(stop: Stop) -> Option<&'static str> {
    let [no_table, bad_rule, out_of_stack, truncated, stale] = INCOMPLETE;
    match stop {
        Stop::End => None,
        Stop::NoTable => Some(no_table),
        Stop::BadRule => Some(bad_rule),
        Stop::OutOfStack => Some(out_of_stack),
        Stop::Truncated => Some(truncated),
        Stop::Stale => Some(stale),
    }
}
