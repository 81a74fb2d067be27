//! Folded stacks, as `stackcollapse-perf.pl`, sigspy and many others write them.
//!
//! Those of sigspy have the thread of a stack before it (`name-pid/tid`), and before that its
//! process, where that was asked for. Without threads the process can only be told from a function
//! by `process;[lost]` and the like: where such a line is, all first frames are processes.
//!
//! Source: `report/src/paths.rs`; Brendan Gregg, FlameGraph, stackcollapse-perf.pl.

use std::collections::HashMap;

use sigspy_model::{Clock, LocationId, ProcessId, StackKind, Stop, ThreadId};

use crate::builder::{Builder, DEEPEST, NewSample};
use crate::pseudo::{WAITING, incomplete, stackless};
use crate::{Error, Format, Imported, Options};

/// Ends the name of an inlined function.
const INLINED: &str = "_[i]";

/// Reads them.
pub fn read(bytes: &[u8], options: &Options) -> Result<Imported, Error> {
    let text = String::from_utf8_lossy(bytes);
    let lines = || {
        let lines = (1..).zip(text.lines().map(str::trim_end));
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with("# "))
    };
    let mut reader = Reader {
        builder: Builder::new(&options.name, Clock::Thread),
        first_is_process: lines().any(|(_, line)| is_stackless_process(line)),
        name: &options.name,
        pids: HashMap::new(),
        unnamed: HashMap::new(),
    };
    for (number, line) in lines() {
        let (stack, count) = split(line).ok_or(Error::BadLine {
            line: number,
            problem: "is no folded stack: it does not end with a space and a number",
        })?;
        let weight_ns = count.checked_mul(options.unit.0).ok_or(Error::TooMuchTime)?;
        reader.add(stack, weight_ns)?;
    }
    if reader.builder.is_empty() {
        return Err(Error::Empty(Format::Folded));
    }
    Ok(reader.builder.finish())
}

/// The stack and the count of a line.
fn split(line: &str) -> Option<(&str, u64)> {
    let (stack, count) = line.rsplit_once(' ')?;
    Some((stack, count.parse().ok()?))
}

/// `process;[lost]`
fn is_stackless_process(line: &str) -> bool {
    let Some((stack, _)) = split(line) else { return false };
    let mut frames = stack.split(';');
    let [first, second] = [frames.next(), frames.next()];
    second.is_some_and(|frame| stackless(frame).is_some())
        && frames.next().is_none()
        && first.is_some_and(|frame| thread(frame).is_none())
}

/// Name, pid and tid of a thread in `name-pid/tid`.
fn thread(frame: &str) -> Option<(&str, u32, u32)> {
    let (rest, tid) = frame.rsplit_once('/')?;
    let (name, pid) = rest.rsplit_once('-')?;
    Some((name, pid.parse().ok()?, tid.parse().ok()?))
}

struct Reader<'a> {
    builder: Builder,
    first_is_process: bool,
    name: &'a str,
    /// Of processes whose pid is not in the file: made up.
    pids: HashMap<&'a str, u32>,
    /// Of processes whose name is not in the file, by pid: they have that of their first thread.
    unnamed: HashMap<u32, ProcessId>,
}

impl<'a> Reader<'a> {
    fn add<'t: 'a>(&mut self, stack: &'t str, weight_ns: u64) -> Result<(), Error> {
        let (thread, stack) = self.whose(stack);
        let (is_waiting, stack) = match stack.strip_suffix(WAITING) {
            Some(rest) if rest.is_empty() || rest.ends_with(';') => {
                (true, rest.strip_suffix(';').unwrap_or(rest))
            }
            _ => (false, stack),
        };
        let first = stack.split(';').next().unwrap_or_default();
        let (kind, frames) = match (stackless(stack), incomplete(first)) {
            (Some(kind), _) if !is_waiting => (kind, ""),
            (_, Some(stop)) => {
                let rest = stack[first.len()..].strip_prefix(';').unwrap_or_default();
                (StackKind::Walked(stop), rest)
            }
            _ => (StackKind::Walked(Stop::End), stack),
        };
        let locations = self.locations(frames);
        let ticks = u32::from(matches!(kind, StackKind::Walked(_)));
        let stack = self.builder.stack(kind, locations);
        self.builder.sample(NewSample { time_ns: 0, thread, stack, weight_ns, ticks, is_waiting })
    }

    /// The thread of a stack, and its frames.
    fn whose<'t: 'a>(&mut self, stack: &'t str) -> (ThreadId, &'t str) {
        let (first, rest) = stack.split_once(';').unwrap_or((stack, ""));
        if let Some((name, pid, tid)) = thread(first) {
            let new = || self.builder.process(pid, name);
            let process = *self.unnamed.entry(pid).or_insert_with(new);
            return (self.builder.thread(process, tid, name), rest);
        }
        let (second, behind) = rest.split_once(';').unwrap_or((rest, ""));
        if let Some((name, pid, tid)) = thread(second) {
            let process = self.builder.process(pid, first);
            return (self.builder.thread(process, tid, name), behind);
        }
        let (name, frames) = if self.first_is_process { (first, rest) } else { (self.name, stack) };
        let (process, pid) = self.made_up(name);
        (self.builder.thread(process, pid, name), frames)
    }

    fn made_up<'t: 'a>(&mut self, name: &'t str) -> (ProcessId, u32) {
        let next = self.pids.len() as u32 + 1;
        let pid = *self.pids.entry(name).or_insert(next);
        (self.builder.process(pid, name), pid)
    }

    /// The locations of frames, root first, leaf first. Of a deep stack no more than will be kept.
    fn locations(&mut self, frames: &str) -> Vec<LocationId> {
        let mut locations = Vec::new();
        let mut inlined = Vec::new();
        let names = frames.rsplit(';').filter(|_| !frames.is_empty());
        let last = names.clone().count();
        for (place, name) in (1..).zip(names) {
            if locations.len() > DEEPEST {
                break;
            }
            match name.strip_suffix(INLINED) {
                Some(function) if place < last => {
                    inlined.push(self.builder.frame(function, "", None));
                }
                _ => {
                    let mut frames = std::mem::take(&mut inlined);
                    frames.push(self.builder.frame(name, "", None));
                    locations.push(self.builder.location(None, None, frames));
                }
            }
        }
        locations
    }
}
