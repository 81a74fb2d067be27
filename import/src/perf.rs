//! The text of `perf script`, with or without call chains.
//!
//! ```text
//! comm 100/101 [002] 13688.292207:    1003009 cpu-clock:u:
//!                 55d0 inner+0x15 (inlined)
//!                 55d0 outer+0x15 (/usr/bin/app)
//!   app.c:28
//! ```
//! Process and CPU may be missing, and so may the period, in nanoseconds for events that count
//! time. Lines of source (`-F +srcline`) stand below their frames.
//!
//! Source: Linux, tools/perf/Documentation/perf-script.txt and builtin-script.c.

use std::collections::HashMap;

use sigspy_model::{Clock, Frame, LocationId, StackKind, Stop};

use crate::builder::{Builder, DEEPEST, MOST_INLINED, NewSample};
use crate::{Error, Format, Imported, Options};

/// Stands for the module of a function that was inlined into the next one.
const INLINED: &str = "inlined";
const UNKNOWN: &str = "[unknown]";

/// Reads it.
pub fn read(bytes: &[u8], options: &Options) -> Result<Imported, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::new(options);
    for line in text.lines().map(str::trim_end).filter(|line| !line.starts_with('#')) {
        if let Some(header) = header(line) {
            reader.flush()?;
            let rest = header.rest;
            reader.header = Some(header);
            frame(rest).into_iter().for_each(|frame| reader.push(&frame));
        } else if line.is_empty() {
            reader.flush()?;
        } else if let Some(frame) = frame(line) {
            reader.push(&frame);
        } else if let Some((file, line, is_inlined)) = source_line(line) {
            reader.place(file, line, is_inlined);
        }
    }
    reader.flush()?;
    if reader.builder.is_empty() {
        return Err(Error::Empty(Format::Perf));
    }
    Ok(reader.finish())
}

/// The first line of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Header<'a> {
    comm: &'a str,
    pid: Option<u32>,
    tid: u32,
    time_ns: u64,
    /// How much of the event the sample stands for.
    period: Option<u64>,
    event: &'a str,
    rest: &'a str,
}

/// A first line: words of the name, one or two numbers, maybe the CPU, and the time.
fn header(line: &str) -> Option<Header<'_>> {
    let line = line.trim_start();
    // Only where a word ends: a line of nothing but spaces is gone through once.
    let ends = line.match_indices(char::is_whitespace).map(|(place, _)| line.split_at(place));
    let mut ends = ends.filter(|(before, _)| !before.ends_with(char::is_whitespace));
    ends.find_map(|(comm, rest)| after_name(comm, rest))
}

fn after_name<'a>(comm: &'a str, rest: &'a str) -> Option<Header<'a>> {
    let (ids, rest) = word(rest)?;
    let (pid, tid) = match ids.split_once('/') {
        Some((pid, tid)) => (Some(pid.parse().ok()?), tid.parse().ok()?),
        None => (None, ids.parse().ok()?),
    };
    let (mut time, mut rest) = word(rest)?;
    if time.starts_with('[') {
        (time, rest) = word(rest)?;
    }
    let time_ns = nanoseconds(time.strip_suffix(':')?)?;
    let (mut event, mut behind) = word(rest).unwrap_or(("", ""));
    let period = event.parse().ok();
    if period.is_some() {
        (event, behind) = word(behind).unwrap_or(("", ""));
    }
    let event = event.trim_end_matches(':');
    Some(Header { comm, pid, tid, time_ns, period, event, rest: behind })
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `13688.292207`, in seconds with any number of decimals.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, decimals) = text.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(decimals) {
        return None;
    }
    let nanoseconds: u64 = format!("{decimals:0<9.9}").parse().ok()?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// A line of a call chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerfFrame<'a> {
    address: u64,
    function: &'a str,
    module: Option<&'a str>,
    is_inlined: bool,
}

/// `address function+0xoffset (module)`, indented.
pub fn frame(line: &str) -> Option<PerfFrame<'_>> {
    if !line.starts_with([' ', '\t']) {
        return None;
    }
    let (address, rest) = word(line)?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let (function, module) = split_module(rest.trim());
    let is_inlined = module == Some(INLINED);
    let module = module.filter(|module| !matches!(*module, INLINED | UNKNOWN | ""));
    Some(PerfFrame { address, function: without_offset(function), module, is_inlined })
}

/// What stands in the last parentheses, in which there may be others.
fn split_module(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0;
    for (place, c) in text.char_indices().rev() {
        depth += match c {
            ')' => 1,
            '(' => -1,
            _ if depth == 0 => return (text, None),
            _ => 0,
        };
        if depth == 0 {
            let module = &text[place + 1..text.len() - 1];
            return (text[..place].trim_end(), Some(module));
        }
    }
    (text, None)
}

fn without_offset(function: &str) -> &str {
    match function.rsplit_once("+0x") {
        Some((name, offset)) if offset.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => function,
    }
}

/// `file:line`, indented, and whether the function there was inlined.
fn source_line(line: &str) -> Option<(&str, u32, bool)> {
    let place = line.trim_start();
    let inlined = place.strip_suffix(" (inlined)");
    let (file, number) = inlined.unwrap_or(place).rsplit_once(':')?;
    let number = number.parse().ok().filter(|_| place.len() < line.len() && file != "??")?;
    Some((file, number, inlined.is_some()))
}

struct Reader<'a> {
    builder: Builder,
    unit_ns: u64,
    header: Option<Header<'a>>,
    /// Leaf first.
    frames: Vec<Place>,
    /// By name, where the file has no pids: the first thread of that name.
    pids: HashMap<&'a str, u32>,
    first_ns: Option<u64>,
    last_ns: u64,
    /// Samples by period, of events that count time.
    periods: HashMap<u64, usize>,
    /// An event that counts something else.
    other_event: Option<String>,
}

/// A frame that was read.
struct Place {
    frame: Frame,
    address: u64,
    module: Option<sigspy_model::ModuleId>,
    is_inlined: bool,
}

impl<'a> Reader<'a> {
    fn new(options: &Options) -> Self {
        Self {
            builder: Builder::new(&options.name, Clock::Perf),
            unit_ns: options.unit.0,
            header: None,
            frames: Vec::new(),
            pids: HashMap::new(),
            first_ns: None,
            last_ns: 0,
            periods: HashMap::new(),
            other_event: None,
        }
    }

    /// Of a deep stack no more than will be kept.
    fn push(&mut self, frame: &PerfFrame<'_>) {
        if self.header.is_some() && self.frames.len() <= DEEPEST + MOST_INLINED {
            let module = frame.module.map(|path| self.builder.module(path, None));
            let PerfFrame { address, function, is_inlined, .. } = *frame;
            let frame = self.builder.frame(function, "", None);
            self.frames.push(Place { frame, address, module, is_inlined });
        }
    }

    /// Says where the last frame is.
    fn place(&mut self, file: &str, line: u32, is_inlined: bool) {
        let file = self.builder.text(file);
        if let Some(last) = self.frames.last_mut() {
            last.frame.file = Some(file);
            last.frame.line = Some(line).filter(|line| *line > 0);
            last.is_inlined |= is_inlined;
        }
    }

    /// Ends a sample.
    fn flush(&mut self) -> Result<(), Error> {
        let frames = std::mem::take(&mut self.frames);
        let Some(header) = self.header.take() else { return Ok(()) };
        let pid = header.pid.unwrap_or_else(|| *self.pids.entry(header.comm).or_insert(header.tid));
        let process = self.builder.process(pid, header.comm);
        let thread = self.builder.thread(process, header.tid, header.comm);
        let locations = self.locations(frames);
        let stack = self.builder.stack(StackKind::Walked(Stop::End), locations);
        let first_ns = *self.first_ns.get_or_insert(header.time_ns);
        let time_ns = header.time_ns.saturating_sub(first_ns);
        self.last_ns = self.last_ns.max(time_ns);
        let weight_ns = self.weight(&header)?;
        let (ticks, is_waiting) = (1, false);
        self.builder.sample(NewSample { time_ns, thread, stack, weight_ns, ticks, is_waiting })
    }

    fn weight(&mut self, header: &Header<'_>) -> Result<u64, Error> {
        let is_time =
            ["cpu-clock", "task-clock"].iter().any(|clock| header.event.starts_with(clock));
        match header.period {
            Some(period) if is_time => {
                *self.periods.entry(period).or_default() += 1;
                Ok(period)
            }
            period => {
                self.other_event.get_or_insert_with(|| header.event.to_owned());
                period.unwrap_or(1).checked_mul(self.unit_ns).ok_or(Error::TooMuchTime)
            }
        }
    }

    /// Functions that were inlined, and the one that they were inlined into, are one location.
    fn locations(&mut self, frames: Vec<Place>) -> Vec<LocationId> {
        let mut locations = Vec::new();
        let mut inlined = Vec::new();
        let last = frames.len();
        for (place, Place { frame, address, module, is_inlined }) in (1..).zip(frames) {
            inlined.push(frame);
            if !is_inlined || place == last {
                let frames = std::mem::take(&mut inlined);
                locations.push(self.builder.location(module, Some(address), frames));
            }
        }
        locations
    }

    fn finish(mut self) -> Imported {
        const LONGEST_NS: u64 = 1_000_000_000;
        let usual = self.periods.iter().max_by_key(|(period, count)| (**count, **period));
        let meta = self.builder.meta();
        meta.duration_ns = self.last_ns;
        if let Some((period_ns, _)) = usual {
            meta.period_ns = (*period_ns).clamp(1, LONGEST_NS);
        }
        if let Some(event) = self.other_event {
            let event = if event.is_empty() { "the event" } else { &event };
            self.builder.note(format!(
                "counts of {event} are no time: shares are right, seconds are not \
                 (--unit says what one stands for)"
            ));
        }
        self.builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { format: None, unit: crate::Unit::default(), name: "perf.txt".into() }
    }

    fn folded(text: &str) -> String {
        let imported = crate::import(text.as_bytes(), &options()).unwrap();
        let mut out = Vec::new();
        let options = sigspy_report::FoldedOptions { threads: true, ..Default::default() };
        sigspy_report::folded(&imported.profile, &imported.symbols, &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Of perf 6.1, with `--call-graph dwarf` and `-F +srcline`.
    const CHAINS: &str = "\
inl 26912 13688.292207:    1003009 cpu-clock: 
\t            1255 innermost+0x15
  inlined.c:10 (inlined)
\t            1255 outer+0x15 (/tmp/inl)
  inlined.c:21
\t            10ef main+0x7f (/tmp/inl)
  ??:0

inl 26912 13688.293207:    1003009 cpu-clock: 
\t            10ef main+0x7f (/tmp/inl)
\t ffffffff8100 [unknown] ([unknown])

";

    #[test]
    fn chains_are_stacks_with_inlined_functions_and_lines() {
        let expected = "inl-26912/26912;[unknown];main 1003\n\
                        inl-26912/26912;main;outer;innermost_[i] 1003\n";
        assert_eq!(folded(CHAINS), expected);
        let imported = crate::import(CHAINS.as_bytes(), &options()).unwrap();
        let frames = imported.symbols.frames(LocationId(0));
        assert_eq!((frames[0].file.as_deref(), frames[0].line), (Some("inlined.c"), Some(10)));
        assert_eq!(imported.profile.meta.period_ns, 1_003_009);
        assert_eq!(imported.profile.samples[1].time_ns, 1_000_000);
        assert_eq!(imported.notes, [""; 0]);
    }

    #[test]
    fn samples_without_chains_are_one_line() {
        let text = "   dd 26942/26943 [001] 13689.825640: 1003009 task-clock:u:  5564c9255 outer+0x15 (/tmp/a b (deleted))\n";
        assert_eq!(folded(text), "dd-26942/26943;outer 1003\n");
        let imported =
            crate::import(text.as_bytes(), &Options { format: Some(Format::Perf), ..options() });
        assert_eq!(imported.unwrap().profile.modules[0].path, "/tmp/a b (deleted)");
    }

    #[test]
    fn names_may_have_spaces_and_parentheses() {
        let text = "Web Content 7/8 1.5: 2000 cpu-clock: \n\
                    \t 10 operator new(unsigned long) (/lib/libstdc++.so.6)\n\
                    \t 20 <a::B as c::D<(u8, u8)>>::e+0x1f (/bin/app)\n";
        let expected =
            "Web Content-7/8;<a::B as c::D<(u8, u8)>>::e;operator new(unsigned long) 2\n";
        assert_eq!(folded(text), expected);
    }

    #[test]
    fn long_lines_of_spaces_do_not_take_long() {
        let spaces = " ".repeat(300_000);
        let text = format!("{CHAINS}a{spaces}b\na{}b\n", " \t".repeat(150_000));
        assert_eq!(folded(&text).lines().count(), 2);
    }

    #[test]
    fn counts_that_are_no_time_are_told() {
        let text = "app 7 1.5: 250 cycles:u: \n\t 10 f (/bin/app)\n\napp 7 1.6: cycles:u: \n\t 10 f (/bin/app)\n";
        assert_eq!(folded(text), "app-7/7;f 251\n");
        let imported = crate::import(text.as_bytes(), &options()).unwrap();
        assert!(imported.notes[0].contains("cycles:u"), "{:?}", imported.notes);
    }

    #[test]
    fn text_without_samples_is_an_error() {
        let options = Options { format: Some(Format::Perf), ..options() };
        assert!(matches!(crate::import(b"no sample\n", &options), Err(Error::Empty(Format::Perf))));
        assert!(matches!(crate::import(b"", &options), Err(Error::Empty(_))));
    }
}
