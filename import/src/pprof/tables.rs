//! What samples refer to, by number.

use std::collections::HashMap;

use sigspy_model::{BuildId, Frame, LocationId, Meta, ModuleId};

use super::message::{Field, Fields};
use crate::Error;
use crate::builder::{Builder, MOST_INLINED, shortened};

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

/// The field of a location that is a line.
const LINE: u64 = 4;
/// More types of values than this are not believed.
const MOST_TYPES: usize = 64;

/// An error if a message did not end where it should.
pub fn finished(fields: &Fields<'_>) -> Result<(), Error> {
    if fields.broken { Err(Error::BadPprof("it is cut, or no profile at all")) } else { Ok(()) }
}

/// The tables of a file. Each message is gone through once, however often it is referred to; of a
/// location, its lines once more.
#[derive(Default)]
pub struct Tables<'a> {
    /// Shortened; none if it is empty or not well-formed.
    strings: Vec<Option<&'a str>>,
    mappings: HashMap<u64, Mapping>,
    locations: HashMap<u64, Location<'a>>,
    functions: HashMap<u64, Function>,
    /// Type and unit, as strings.
    types: Vec<(u64, u64)>,
    period_type: (u64, u64),
    period: u64,
    default_type: u64,
    first_mapping: Option<Mapping>,
    time_ns: u64,
    duration_ns: u64,
}

/// A file in memory. Texts are numbers of strings.
#[derive(Clone, Copy, Debug, Default)]
struct Mapping {
    start: u64,
    offset: u64,
    path: u64,
    build_id: u64,
}

/// Names are numbers of strings.
#[derive(Clone, Copy, Debug, Default)]
struct Function {
    name: u64,
    system_name: u64,
    file: u64,
}

#[derive(Clone, Copy, Debug)]
struct Location<'a> {
    address: u64,
    /// The function of its first line.
    first: Option<u64>,
    message: &'a [u8],
}

/// Pieces of a profile that were made already, by the numbers that the file has for them.
#[derive(Default)]
pub struct Made {
    modules: HashMap<u64, ModuleId>,
    frames: HashMap<u64, Frame>,
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
            field::STRING => self.strings.push(text(bytes)),
            field::MAPPING => {
                let [id, start, _, offset, path, build_id] = numbers(bytes);
                let mapping = Mapping { start, offset, path, build_id };
                self.first_mapping.get_or_insert(mapping);
                self.mappings.insert(id, mapping);
            }
            field::LOCATION => {
                let [id, _, address] = numbers(bytes);
                let line = Fields::new(bytes).find(|one| one.number == LINE);
                let first = line.map(|line| numbers::<1>(line.value.bytes())[0]);
                self.locations.insert(id, Location { address, first, message: bytes });
            }
            field::FUNCTION => {
                let [id, name, system_name, file] = numbers(bytes);
                self.functions.insert(id, Function { name, system_name, file });
            }
            field::SAMPLE_TYPE if self.types.len() < MOST_TYPES => self.types.push(pair(bytes)),
            field::PERIOD_TYPE => self.period_type = pair(bytes),
            field::PERIOD => self.period = value.number(),
            field::DEFAULT_SAMPLE_TYPE => self.default_type = value.number(),
            field::TIME_NS => self.time_ns = value.number(),
            field::DURATION_NS => self.duration_ns = value.number(),
            _ => {}
        }
    }

    /// A string that is well-formed; none for an empty one. The end of a long one is left out.
    pub fn string(&self, index: u64) -> Option<&'a str> {
        *self.strings.get(usize::try_from(index).ok()?)?
    }

    /// The file name of the program.
    pub fn program(&self) -> Option<&'a str> {
        let path = self.string(self.first_mapping?.path)?;
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
        let location = self.locations.get(&id).filter(|location| location.address == 0)?;
        let name = self.string(self.functions.get(&location.first?)?.name)?;
        Some(name).filter(|name| name.starts_with('['))
    }

    /// Makes the location of a number.
    pub fn location(
        &self,
        number: u64,
        made: &mut Made,
        builder: &mut Builder,
    ) -> Result<LocationId, Error> {
        let location = self.locations.get(&number);
        let location = location.ok_or(Error::BadPprof("a location is missing"))?;
        let (mut mapping, address) = (0, location.address);
        let mut lines = Vec::new();
        let mut fields = Fields::new(location.message);
        for one in fields.by_ref() {
            match one.number {
                2 => mapping = one.value.number(),
                LINE if lines.len() < MOST_INLINED => lines.push(numbers(one.value.bytes())),
                _ => {}
            }
        }
        finished(&fields)?;
        let (id, mapping) = (mapping, self.mappings.get(&mapping));
        let relative = mapping.map_or(address, |mapping| mapping.relative(address));
        let module = mapping.map(|mapping| {
            let new = || self.module(mapping, builder);
            *made.modules.entry(id).or_insert_with(new)
        });
        let lines = lines.into_iter();
        let mut frames: Vec<Frame> = lines.map(|line| self.frame(line, made, builder)).collect();
        if frames.is_empty() {
            let path = mapping.and_then(|mapping| self.string(mapping.path));
            let name = path.and_then(|path| path.rsplit('/').next()).unwrap_or("");
            frames.push(builder.frame(&format!("{name}+{relative:#x}"), "", None));
        }
        Ok(builder.location(module, (address > 0).then_some(relative), frames))
    }

    fn module(&self, mapping: &Mapping, builder: &mut Builder) -> ModuleId {
        let build_id = self.string(mapping.build_id).and_then(digits).map(BuildId);
        builder.module(self.string(mapping.path).unwrap_or("[unknown]"), build_id)
    }

    fn frame(&self, [id, line]: [u64; 2], made: &mut Made, builder: &mut Builder) -> Frame {
        let frame = made.frames.entry(id).or_insert_with(|| {
            let function = self.functions.get(&id).copied().unwrap_or_default();
            let name = self.string(function.name).or_else(|| self.string(function.system_name));
            let file = self.string(function.file);
            builder.frame(name.unwrap_or(""), file.unwrap_or(""), None)
        });
        let line = u32::try_from(line).ok().filter(|line| *line > 0);
        Frame { line, ..frame.clone() }
    }
}

impl Mapping {
    /// An address as the file of the mapping has it.
    fn relative(&self, address: u64) -> u64 {
        let inside = address.checked_sub(self.start);
        inside.map_or(address, |inside| inside.saturating_add(self.offset))
    }
}

/// The last numbers of the first fields of a message, from field 1 on; 0 for those that are not there.
fn numbers<const COUNT: usize>(message: &[u8]) -> [u64; COUNT] {
    let mut numbers = [0; COUNT];
    for Field { number, value } in Fields::new(message) {
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        if let Some(number) = place.and_then(|place| numbers.get_mut(place)) {
            *number = value.number();
        }
    }
    numbers
}

fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().map(shortened);
    text.filter(|text| !text.is_empty())
}

fn pair(message: &[u8]) -> (u64, u64) {
    numbers::<2>(message).into()
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
    if text.len() % 2 == 1 || text.len() > 2 * LONGEST {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    text.as_bytes().chunks_exact(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_has_two_digits_a_byte_and_no_signs() {
        assert_eq!(digits("00fF7a"), Some(vec![0, 0xff, 0x7a]));
        for text in ["+f", "-1", "0x", "abc", "é", " 1"] {
            assert_eq!(digits(text), None, "{text}");
        }
        assert_eq!(digits(&"0".repeat(130)), None);
    }
}
