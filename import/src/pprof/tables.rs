//! What samples refer to, by number.

use std::collections::HashMap;

use sigspy_model::{BuildId, Frame, LocationId, Meta};

use super::message::{Field, Fields};
use crate::Error;
use crate::builder::{Builder, MOST_INLINED};

/// Fields of `Profile`, by what is in them.
pub mod field {
    pub const SAMPLE_TYPE: u64 = 1;
    pub const SAMPLE: u64 = 2;
    pub const MAPPING: u64 = 3;
    pub const LOCATION: u64 = 4;
    pub const FUNCTION: u64 = 5;
    pub const STRING: u64 = 6;
    pub const TIME_NS: u64 = 9;
    pub const DURATION_NS: u64 = 10;
    pub const PERIOD_TYPE: u64 = 11;
    pub const PERIOD: u64 = 12;
    pub const DEFAULT_SAMPLE_TYPE: u64 = 14;
}

/// More types of values than this are not believed.
const MOST_TYPES: usize = 64;

/// An error if a message did not end where it should.
pub fn finished(fields: &Fields<'_>) -> Result<(), Error> {
    if fields.broken { Err(Error::BadPprof("it is cut, or no profile at all")) } else { Ok(()) }
}

/// The tables of a file. Messages are looked into when they are needed.
#[derive(Default)]
pub struct Tables<'a> {
    strings: Vec<&'a [u8]>,
    mappings: HashMap<u64, &'a [u8]>,
    locations: HashMap<u64, &'a [u8]>,
    functions: HashMap<u64, &'a [u8]>,
    /// Type and unit, as strings.
    types: Vec<(u64, u64)>,
    period_type: (u64, u64),
    period: u64,
    default_type: u64,
    first_mapping: Option<&'a [u8]>,
    time_ns: u64,
    duration_ns: u64,
}

/// How values become time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighing {
    /// The place of the value that is taken, among this many.
    place: usize,
    pub values: usize,
    /// Nanoseconds that one stands for.
    unit_ns: u64,
    /// The place of the number of ticks.
    ticks: Option<usize>,
    pub is_wall: bool,
}

impl Weighing {
    /// Weight and ticks of a sample.
    pub fn weigh(&self, values: &[u64]) -> Result<(u64, u32), Error> {
        if values.len() < self.values {
            return Err(Error::BadPprof("a sample has too few values"));
        }
        let value = values[self.place];
        if value > i64::MAX as u64 {
            return Err(Error::Negative);
        }
        let weight_ns = value.checked_mul(self.unit_ns).ok_or(Error::TooMuchTime)?;
        let ticks = self.ticks.map_or(1, |place| values[place].min(u32::MAX.into()) as u32);
        Ok((weight_ns, ticks))
    }
}

impl<'a> Tables<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut tables = Self::default();
        let mut fields = Fields::new(bytes);
        fields.by_ref().for_each(|one| tables.add(one));
        finished(&fields)?;
        Ok(tables)
    }

    fn add(&mut self, Field { number, value }: Field<'a>) {
        let bytes = value.bytes();
        match number {
            field::STRING => self.strings.push(bytes),
            field::MAPPING => {
                self.first_mapping.get_or_insert(bytes);
                self.mappings.insert(id(bytes), bytes);
            }
            field::LOCATION => _ = self.locations.insert(id(bytes), bytes),
            field::FUNCTION => _ = self.functions.insert(id(bytes), bytes),
            field::SAMPLE_TYPE if self.types.len() < MOST_TYPES => self.types.push(pair(bytes)),
            field::PERIOD_TYPE => self.period_type = pair(bytes),
            field::PERIOD => self.period = value.number(),
            field::DEFAULT_SAMPLE_TYPE => self.default_type = value.number(),
            field::TIME_NS => self.time_ns = value.number(),
            field::DURATION_NS => self.duration_ns = value.number(),
            _ => {}
        }
    }

    /// A string that is well-formed; none for an empty one.
    pub fn string(&self, index: u64) -> Option<&'a str> {
        let bytes = self.strings.get(usize::try_from(index).ok()?)?;
        std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
    }

    /// The file name of the program.
    pub fn program(&self) -> Option<&'a str> {
        let path = self.string(get(self.first_mapping?, 5))?;
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Which values are taken: the default, or else the last, if it is a time, or else any that is,
    /// or else counts of something that comes once in a known time.
    pub fn weighing(&self) -> Result<Weighing, Error> {
        let types = &self.types;
        let unit = |(_, unit): &(u64, u64)| self.string(*unit).and_then(nanoseconds);
        let default = types.iter().position(|(kind, _)| *kind == self.default_type);
        let preferred = default.filter(|_| self.default_type != 0).or(types.len().checked_sub(1));
        let is_time = |place: &usize| types.get(*place).and_then(unit).is_some();
        let place = preferred.filter(is_time).or_else(|| (0..types.len()).rev().find(is_time));
        let is_count = |(_, unit): &(u64, u64)| self.string(*unit) == Some("count");
        let ticks = types.iter().position(is_count);
        let values = types.len();
        if let Some((place, unit_ns)) = place.and_then(|place| Some((place, unit(&types[place])?)))
        {
            let is_wall = self.string(types[place].0) == Some("wall");
            return Ok(Weighing { place, values, unit_ns, ticks, is_wall });
        }
        let period_ns = unit(&self.period_type).and_then(|ns| ns.checked_mul(self.period));
        match (ticks, period_ns.filter(|ns| *ns > 0)) {
            (Some(place), Some(unit_ns)) => {
                Ok(Weighing { place, values, unit_ns, ticks, is_wall: false })
            }
            _ if types.is_empty() => Err(Error::BadPprof("it does not say what its values are")),
            _ => Err(Error::NoTime(
                types.iter().map(|(kind, unit)| self.kind(*kind, *unit)).collect(),
            )),
        }
    }

    fn kind(&self, kind: u64, unit: u64) -> String {
        let text = |index| self.string(index).unwrap_or("?").chars().take(40).collect::<String>();
        format!("{} ({})", text(kind), text(unit))
    }

    /// What the file says about itself.
    pub fn describe(&self, meta: &mut Meta) {
        const LONGEST_NS: u64 = 1_000_000_000;
        let valid = |ns: u64| ns <= i64::MAX as u64;
        meta.started_unix_s =
            Some(self.time_ns).filter(|ns| valid(*ns)).unwrap_or(0) / 1_000_000_000;
        meta.duration_ns = Some(self.duration_ns).filter(|ns| valid(*ns)).unwrap_or(0);
        let unit = self.string(self.period_type.1).and_then(nanoseconds);
        if let Some(period_ns) = unit.and_then(|ns| ns.checked_mul(self.period)) {
            meta.period_ns = period_ns.clamp(1, LONGEST_NS);
        }
    }

    /// The name of a location that is no code.
    pub fn label(&self, id: u64) -> Option<&'a str> {
        let location = self.locations.get(&id).filter(|bytes| get(bytes, 3) == 0)?;
        let line = Fields::new(location).find(|one| one.number == 4)?.value.bytes();
        let name = self.string(get(self.functions.get(&get(line, 1))?, 2))?;
        Some(name).filter(|name| name.starts_with('['))
    }

    /// Makes the location of a number.
    pub fn location(&self, number: u64, builder: &mut Builder) -> Result<LocationId, Error> {
        let bytes = self.locations.get(&number).ok_or(Error::BadPprof("a location is missing"))?;
        let (mut mapping, mut address) = (0, 0);
        let mut lines = Vec::new();
        let mut fields = Fields::new(bytes);
        for one in fields.by_ref() {
            match one.number {
                2 => mapping = one.value.number(),
                3 => address = one.value.number(),
                4 if lines.len() < MOST_INLINED => lines.push(one.value.bytes()),
                _ => {}
            }
        }
        finished(&fields)?;
        let mapping = self.mappings.get(&mapping);
        let relative = mapping.map_or(address, |mapping| relative(mapping, address));
        let module = mapping.map(|mapping| self.module(mapping, builder));
        let mut frames: Vec<Frame> = lines.iter().map(|line| self.frame(line, builder)).collect();
        if frames.is_empty() {
            let path = mapping.and_then(|mapping| self.string(get(mapping, 5)));
            let name = path.and_then(|path| path.rsplit('/').next()).unwrap_or("");
            frames.push(builder.frame(&format!("{name}+{relative:#x}"), "", None));
        }
        Ok(builder.location(module, (address > 0).then_some(relative), frames))
    }

    fn module(&self, mapping: &[u8], builder: &mut Builder) -> sigspy_model::ModuleId {
        let build_id = self.string(get(mapping, 6)).and_then(digits).map(BuildId);
        builder.module(self.string(get(mapping, 5)).unwrap_or("[unknown]"), build_id)
    }

    fn frame(&self, line: &[u8], builder: &mut Builder) -> Frame {
        let function = self.functions.get(&get(line, 1)).copied().unwrap_or_default();
        let name = self.string(get(function, 2)).or_else(|| self.string(get(function, 3)));
        let file = self.string(get(function, 4));
        let line = u32::try_from(get(line, 2)).ok();
        builder.frame(name.unwrap_or(""), file.unwrap_or(""), line)
    }
}

/// The last number of a field in a message; 0 if it is not there.
fn get(message: &[u8], number: u64) -> u64 {
    let found = Fields::new(message).filter(|one| one.number == number).last();
    found.map_or(0, |one| one.value.number())
}

fn id(message: &[u8]) -> u64 {
    get(message, 1)
}

fn pair(message: &[u8]) -> (u64, u64) {
    (get(message, 1), get(message, 2))
}

/// An address as the file of a mapping has it.
fn relative(mapping: &[u8], address: u64) -> u64 {
    let (start, offset) = (get(mapping, 2), get(mapping, 4));
    address.checked_sub(start).map_or(address, |inside| inside.saturating_add(offset))
}

/// What one of a unit stands for.
fn nanoseconds(unit: &str) -> Option<u64> {
    match unit {
        "nanoseconds" | "nanosecond" | "ns" => Some(1),
        "microseconds" | "microsecond" | "us" => Some(1_000),
        "milliseconds" | "millisecond" | "ms" => Some(1_000_000),
        "seconds" | "second" | "s" => Some(1_000_000_000),
        _ => None,
    }
}

/// The bytes of a build-id in hexadecimal digits, if it is one.
fn digits(text: &str) -> Option<Vec<u8>> {
    const LONGEST: usize = 64;
    if text.len() % 2 == 1 || text.len() > 2 * LONGEST || !text.is_ascii() {
        return None;
    }
    let byte = |pair: usize| u8::from_str_radix(&text[pair..pair + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
