//! For `go tool pprof` and all that reads its format, gzipped.
//!
//! Each sample is written as it is met; what samples refer to, and all texts, come behind them.
//! Readers do not mind the order.
//!
//! Source: google/pprof, proto/profile.proto, and what profile/profile.go (CheckValid) accepts.

mod message;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use sigspy_model::{
    Clock, Frame, LocationId, ModuleId, Process, Profile, StackId, StackKind, Symbols, ThreadId,
};

use crate::error::Error;
use crate::names::presentable;
use crate::paths::{WAITING, marker};
use crate::quality::quality;
use message::Message;

/// Fields of `Profile`, by what is in them.
mod field {
    pub const SAMPLE_TYPE: u32 = 1;
    pub const SAMPLE: u32 = 2;
    pub const MAPPING: u32 = 3;
    pub const LOCATION: u32 = 4;
    pub const FUNCTION: u32 = 5;
    pub const STRING: u32 = 6;
    pub const TIME_NS: u32 = 9;
    pub const DURATION_NS: u32 = 10;
    pub const PERIOD_TYPE: u32 = 11;
    pub const PERIOD: u32 = 12;
    pub const COMMENT: u32 = 13;
    pub const DEFAULT_SAMPLE_TYPE: u32 = 14;
}

/// The size of a page: mappings end at one.
const PAGE: u64 = 4096;

/// Writes each distinct stack of each thread with two values, the number of its ticks and its
/// nanoseconds. The labels `thread`, `process`, `tid` and `pid` say whose it is. Addresses are
/// those of the files, so that equal code of several processes is the same location. Fails when
/// the writer does.
pub fn pprof(profile: &Profile, symbols: &Symbols, out: &mut dyn Write) -> Result<(), Error> {
    let mut writer = Writer::new(profile, symbols, out);
    writer.head()?;
    writer.samples()?;
    writer.mappings()?;
    writer.locations()?;
    writer.tables()?;
    writer.out.finish()?.flush()?;
    Ok(())
}

struct Writer<'a> {
    profile: &'a Profile,
    symbols: &'a Symbols,
    out: GzEncoder<&'a mut dyn Write>,
    strings: Strings,
    /// By name and file; numbered from 1.
    functions: Vec<(u64, u64)>,
    function_ids: HashMap<(u64, u64), u64>,
    /// Names of locations that are no code, numbered behind those of the profile.
    labels: Vec<&'static str>,
    /// By module: the id of its mapping.
    mapping_ids: Vec<u64>,
}

/// Each distinct text once. The first is empty, as the format wants it.
struct Strings {
    texts: Vec<String>,
    ids: HashMap<String, u64>,
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }
}

impl<'a> Writer<'a> {
    fn new(profile: &'a Profile, symbols: &'a Symbols, out: &'a mut dyn Write) -> Self {
        Self {
            profile,
            symbols,
            out: GzEncoder::new(out, Compression::default()),
            strings: Strings { texts: vec![String::new()], ids: [(String::new(), 0)].into() },
            functions: Vec::new(),
            function_ids: HashMap::new(),
            labels: Vec::new(),
            mapping_ids: mapping_ids(profile),
        }
    }

    fn field(&mut self, field: u32, message: &Message) -> io::Result<()> {
        let mut outer = Message::default();
        outer.bytes(field, &message.0);
        self.out.write_all(&outer.0)
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        let mut message = Message::default();
        message.number(1, self.strings.id(kind)).number(2, self.strings.id(unit));
        message
    }

    fn head(&mut self) -> io::Result<()> {
        let meta = &self.profile.meta;
        let time = if meta.clock == Clock::Wall { "wall" } else { "cpu" };
        let ticks = self.value_type("samples", "count");
        let time_type = self.value_type(time, "nanoseconds");
        self.field(field::SAMPLE_TYPE, &ticks)?;
        self.field(field::SAMPLE_TYPE, &time_type)?;
        self.field(field::PERIOD_TYPE, &time_type)?;
        let comment = quality(self.profile).to_string();
        let mut rest = Message::default();
        rest.number(field::PERIOD, meta.period_ns)
            .number(field::TIME_NS, meta.started_unix_s.saturating_mul(1_000_000_000))
            .number(field::DURATION_NS, meta.duration_ns)
            .number(field::DEFAULT_SAMPLE_TYPE, self.strings.id(time))
            .packed(field::COMMENT, [self.strings.id(&comment)]);
        self.out.write_all(&rest.0)
    }

    fn samples(&mut self) -> io::Result<()> {
        let mut loads: BTreeMap<(ThreadId, StackId, bool), (u64, u64)> = BTreeMap::new();
        for sample in &self.profile.samples {
            let key = (sample.thread, sample.stack, sample.is_waiting);
            let (ticks, weight_ns) = loads.entry(key).or_default();
            *ticks += u64::from(sample.ticks);
            *weight_ns += sample.weight_ns;
        }
        for ((thread, stack, is_waiting), (ticks, weight_ns)) in loads {
            let locations = self.location_ids(stack, is_waiting);
            let mut message = Message::default();
            message.packed(1, locations).packed(2, [ticks, weight_ns]);
            self.labels_of(thread, &mut message);
            self.field(field::SAMPLE, &message)?;
        }
        Ok(())
    }

    /// Leaf first.
    fn location_ids(&mut self, stack: StackId, is_waiting: bool) -> Vec<u64> {
        let stack = self.profile.stack(stack);
        let is_walked = matches!(stack.kind, StackKind::Walked(_));
        let waiting = (is_walked && is_waiting).then(|| self.label(WAITING));
        let unknown = (is_walked && stack.locations.is_empty()).then(|| self.label("[unknown]"));
        let marker = marker(stack.kind).map(|marker| self.label(marker));
        let code = stack.locations.iter().map(|id| u64::from(id.0) + 1);
        waiting.into_iter().chain(unknown).chain(code).chain(marker).collect()
    }

    /// The id of a location that is no code.
    fn label(&mut self, name: &'static str) -> u64 {
        let known = self.labels.iter().position(|label| *label == name);
        let place = known.unwrap_or_else(|| {
            self.labels.push(name);
            self.labels.len() - 1
        });
        (self.profile.locations.len() + place) as u64 + 1
    }

    fn labels_of(&mut self, thread: ThreadId, sample: &mut Message) {
        let thread = self.profile.thread(thread);
        let process = self.profile.process(thread.process);
        for (key, text) in [("thread", &thread.name), ("process", &process.name)] {
            let mut label = Message::default();
            label.number(1, self.strings.id(key)).number(2, self.strings.id(&presentable(text)));
            sample.bytes(3, &label.0);
        }
        for (key, number) in [("tid", thread.tid), ("pid", process.pid)] {
            let mut label = Message::default();
            label.number(1, self.strings.id(key)).number(3, number.into());
            sample.bytes(3, &label.0);
        }
    }

    /// A mapping for each module, as if it began at address 0.
    fn mappings(&mut self) -> io::Result<()> {
        let mut ends = vec![PAGE; self.profile.modules.len()];
        for location in &self.profile.locations {
            if let Some(ModuleId(module)) = location.module {
                let end = &mut ends[module as usize];
                *end = (*end).max(location.address.saturating_add(PAGE) / PAGE * PAGE);
            }
        }
        let mut modules: Vec<_> = self.mapping_ids.iter().copied().zip(0..ends.len()).collect();
        modules.sort_unstable();
        for (id, index) in modules {
            let module = &self.profile.modules[index];
            let build_id = module.build_id.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut message = Message::default();
            message.number(1, id).number(3, ends[index]);
            message.number(5, self.strings.id(&presentable(&*module.path)));
            message.number(6, self.strings.id(&build_id));
            // All of these are known: pprof looks nothing up.
            (7..=10).for_each(|has| _ = message.flag(has, true));
            self.field(field::MAPPING, &message)?;
        }
        Ok(())
    }

    fn locations(&mut self) -> io::Result<()> {
        for (index, location) in self.profile.locations.iter().enumerate() {
            let mapping = location.module.map_or(0, |module| self.mapping_ids[module.0 as usize]);
            let mut message = Message::default();
            message.number(1, index as u64 + 1).number(2, mapping).number(3, location.address);
            for frame in self.symbols.frames(LocationId(index as u32)) {
                let function = self.function_of(frame);
                line(&mut message, function, frame.line);
            }
            self.field(field::LOCATION, &message)?;
        }
        for (place, label) in self.labels.clone().into_iter().enumerate() {
            let mut message = Message::default();
            message.number(1, (self.profile.locations.len() + place) as u64 + 1);
            let function = self.function(label, "");
            line(&mut message, function, None);
            self.field(field::LOCATION, &message)?;
        }
        Ok(())
    }

    fn function_of(&mut self, frame: &Frame) -> u64 {
        let file = frame.file.as_deref().map(presentable).unwrap_or_default();
        self.function(&presentable(&*frame.function), &file)
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let key = (self.strings.id(name), self.strings.id(file));
        let next = self.functions.len() as u64 + 1;
        let id = *self.function_ids.entry(key).or_insert(next);
        if id == next {
            self.functions.push(key);
        }
        id
    }

    /// Functions and texts, which all of the above refers to.
    fn tables(&mut self) -> io::Result<()> {
        for (id, (name, file)) in (1..).zip(std::mem::take(&mut self.functions)) {
            let mut message = Message::default();
            message.number(1, id).number(2, name).number(3, name).number(4, file);
            self.field(field::FUNCTION, &message)?;
        }
        for text in std::mem::take(&mut self.strings.texts) {
            self.field(field::STRING, &Message(text.into_bytes()))?;
        }
        Ok(())
    }
}

/// Ids of mappings, by module. The main program has the first, as pprof expects it.
fn mapping_ids(profile: &Profile) -> Vec<u64> {
    let modules = &profile.modules;
    let program = profile.processes.first().map(|Process { name, .. }| name.as_str());
    let main = modules.iter().position(|module| Some(module.name()) == program).unwrap_or(0);
    let id = |index| match index {
        _ if index == main => 1,
        _ if index < main => index as u64 + 2,
        _ => index as u64 + 1,
    };
    (0..modules.len()).map(id).collect()
}

fn line(location: &mut Message, function: u64, line: Option<u32>) {
    let mut message = Message::default();
    message.number(1, function).number(2, line.unwrap_or(0).into());
    location.bytes(4, &message.0);
}
