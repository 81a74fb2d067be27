//! Profiles of `go tool pprof`, gzipped or not, as Go, many agents and sigspy write them.
//!
//! Tables come in any order and often behind the samples, so the file is gone through twice: first
//! for what samples refer to, then for the samples. Only what a sample refers to becomes part of
//! the profile.
//!
//! Source: google/pprof, proto/profile.proto.

mod message;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use sigspy_model::{Clock, LocationId, StackKind, Stop, ThreadId};

use crate::builder::{Builder, DEEPEST, NewSample};
use crate::pseudo::{WAITING, incomplete, stackless};
use crate::{Error, Format, Imported, Options};
use message::{Fields, Value};
use tables::{Made, Tables, Weighing, field, finished};

/// A file may unpack to so many times its size: real ones do to a tenth of it.
const MOST_TIMES: usize = 100;
/// Any file may unpack to so many bytes.
const ALWAYS: usize = 1 << 20;

/// Reads one.
pub fn read(bytes: &[u8], options: &Options) -> Result<Imported, Error> {
    let unpacked;
    let bytes = match bytes {
        [0x1f, 0x8b, ..] => {
            unpacked = unpack(bytes)?;
            &unpacked
        }
        _ => bytes,
    };
    let tables = Tables::read(bytes)?;
    let weighing = tables.weighing()?;
    let clock = if weighing.is_wall { Clock::Wall } else { Clock::Thread };
    let mut reader = Reader {
        builder: Builder::new(&options.name, clock),
        program: tables.program().unwrap_or(&options.name).to_owned(),
        tables: &tables,
        weighing,
        made: Made::default(),
        locations: HashMap::new(),
        threads: HashMap::new(),
        tids: HashMap::new(),
    };
    for sample in Fields::new(bytes).filter(|one| one.number == field::SAMPLE) {
        reader.sample(sample.value.bytes())?;
    }
    if reader.builder.is_empty() {
        return Err(Error::Empty(Format::Pprof));
    }
    tables.describe(reader.builder.meta());
    Ok(reader.builder.finish())
}

/// Whether bytes are a message with types of values and strings, whatever else is in it.
pub fn is_likely(bytes: &[u8]) -> bool {
    let mut fields = Fields::new(bytes);
    let (mut types, mut strings) = (false, false);
    for one in fields.by_ref() {
        types |= one.number == field::SAMPLE_TYPE;
        strings |= one.number == field::STRING;
    }
    types && strings && !fields.broken
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let limit = bytes.len().saturating_mul(MOST_TIMES).max(ALWAYS);
    let mut unpacked = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    decoder.read_to_end(&mut unpacked).map_err(Error::Gzip)?;
    if unpacked.len() > limit { Err(Error::Bomb { times: MOST_TIMES }) } else { Ok(unpacked) }
}

struct Reader<'a> {
    builder: Builder,
    /// Stands for processes without a name.
    program: String,
    tables: &'a Tables<'a>,
    weighing: Weighing,
    made: Made,
    locations: HashMap<u64, LocationId>,
    threads: HashMap<Labels, ThreadId>,
    /// Of threads without a tid: made up.
    tids: HashMap<(u32, &'a str), u32>,
}

/// Whose a sample is, as far as its labels say so. Names are numbers of strings, 0 without one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Labels {
    process: u64,
    thread: u64,
    pid: Option<u32>,
    tid: Option<u32>,
}

impl<'a> Reader<'a> {
    fn sample(&mut self, message: &'a [u8]) -> Result<(), Error> {
        let mut ids = Vec::new();
        let mut values = Vec::new();
        let mut labels = Labels::default();
        let mut fields = Fields::new(message);
        for one in fields.by_ref() {
            match one.number {
                1 => fill(&mut ids, one.value, usize::MAX),
                2 => fill(&mut values, one.value, self.weighing.values),
                3 => self.label(one.value, &mut labels),
                _ => {}
            }
        }
        finished(&fields)?;
        let (weight_ns, ticks) = self.weighing.weigh(&values)?;
        if weight_ns == 0 {
            return Ok(());
        }
        let thread = self.thread(labels);
        let (kind, ids, is_waiting) = self.kind(&ids);
        let kept = ids.iter().take(DEEPEST + 1);
        let locations: Result<Vec<_>, _> = kept.map(|id| self.location(*id)).collect();
        let stack = self.builder.stack(kind, locations?);
        self.builder.ticks(NewSample { time_ns: 0, thread, stack, weight_ns, ticks, is_waiting })
    }

    fn label(&self, message: Value<'a>, labels: &mut Labels) {
        let (mut key, mut text, mut number) = (0, 0, 0);
        for one in Fields::new(message.bytes()) {
            match one.number {
                1 => key = one.value.number(),
                2 => text = one.value.number(),
                3 => number = one.value.number(),
                _ => {}
            }
        }
        match self.tables.string(key) {
            Some("process") => labels.process = text,
            Some("thread") => labels.thread = text,
            Some("pid") => labels.pid = u32::try_from(number).ok(),
            Some("tid") => labels.tid = u32::try_from(number).ok(),
            _ => {}
        }
    }

    fn thread(&mut self, labels: Labels) -> ThreadId {
        if let Some(known) = self.threads.get(&labels) {
            return *known;
        }
        let pid = labels.pid.unwrap_or(1);
        let name = self.tables.string(labels.process).unwrap_or(&self.program);
        let process = self.builder.process(pid, name);
        let thread = self.tables.string(labels.thread);
        let tid = labels.tid.unwrap_or_else(|| match thread {
            None => pid,
            Some(thread) => {
                let next = self.tids.len() as u32 + 1;
                *self.tids.entry((pid, thread)).or_insert(next)
            }
        });
        let thread = self.builder.thread(process, tid, thread.unwrap_or(name));
        self.threads.insert(labels, thread);
        thread
    }

    /// What the frames of sigspy's own say about a stack, and those that are left, leaf first.
    fn kind<'i>(&self, mut ids: &'i [u64]) -> (StackKind, &'i [u64], bool) {
        let label = |id: Option<&u64>| id.and_then(|id| self.tables.label(*id));
        if let [id] = ids
            && let Some(kind) = label(Some(id)).and_then(stackless)
        {
            return (kind, &[], false);
        }
        let is_waiting = label(ids.first()) == Some(WAITING);
        ids = &ids[usize::from(is_waiting)..];
        let stop = label(ids.last()).and_then(incomplete);
        ids = &ids[..ids.len() - usize::from(stop.is_some())];
        (StackKind::Walked(stop.unwrap_or(Stop::End)), ids, is_waiting)
    }

    fn location(&mut self, id: u64) -> Result<LocationId, Error> {
        if let Some(known) = self.locations.get(&id) {
            return Ok(*known);
        }
        let location = self.tables.location(id, &mut self.made, &mut self.builder)?;
        self.locations.insert(id, location);
        Ok(location)
    }
}

/// Adds the numbers of a field, up to so many.
fn fill(numbers: &mut Vec<u64>, value: Value<'_>, most: usize) {
    numbers.extend(value.numbers().take(most.saturating_sub(numbers.len())));
}
