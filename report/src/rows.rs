//! Frames as rows of a table, for formats that say each frame once and refer to it by number.
//!
//! They are the frames of [`paths`](crate::paths), with where they are.

use std::collections::HashMap;

use sigspy_model::{
    Frame, Location, LocationId, ModuleId, Profile, Sample, StackKind, Symbols, Thread,
};

use crate::names::{NameId, Names};
use crate::paths::{Roots, WAITING, marker, thread_name};

/// What tells one row from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A function in a file.
    Functions,
    /// A function at a line, inlined or not.
    Lines,
}

/// A frame and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub function: NameId,
    pub file: Option<NameId>,
    /// From 1; `None` where functions are all that counts.
    pub line: Option<u32>,
    /// Of the code; `None` also for what is no function, such as `[lost]`.
    pub module: Option<ModuleId>,
    /// The compiler had put it into its caller; never where functions are all that counts.
    pub inlined: bool,
}

impl Row {
    fn label(function: NameId) -> Self {
        Self { function, file: None, line: None, module: None, inlined: false }
    }
}

/// Each distinct frame of a profile once.
pub struct Rows<'a> {
    /// Of functions and of files.
    pub names: Names<'a>,
    pub rows: Vec<Row>,
    /// By location, root first.
    locations: Vec<Vec<u32>>,
    /// By thread.
    roots: Vec<Vec<u32>>,
    /// By stack: what stands before its frames, or in their place.
    markers: Vec<Option<u32>>,
    unknown: u32,
    waiting: u32,
}

impl<'a> Rows<'a> {
    pub fn new(profile: &'a Profile, symbols: &'a Symbols, roots: Roots, detail: Detail) -> Self {
        let mut table = Table::default();
        let of_thread = |thread: &'a Thread| {
            let process = profile.process(thread.process);
            let of_process = roots.processes.then(|| table.label(&process.name));
            let of_thread = roots.threads.then(|| table.label(thread_name(process, thread)));
            of_process.into_iter().chain(of_thread).collect()
        };
        let roots: Vec<Vec<u32>> = profile.threads.iter().map(of_thread).collect();
        let mut frames = |(index, location): (usize, &Location)| {
            let frames = symbols.frames(LocationId(index as u32)).iter().rev();
            frames.map(|frame| table.frame(frame, location.module, detail)).collect()
        };
        let locations = profile.locations.iter().enumerate().map(&mut frames).collect();
        let marker = |kind| marker(kind).map(|marker| table.label(marker));
        let markers = profile.stacks.iter().map(|stack| stack.kind).map(marker).collect();
        let unknown = table.names.unknown();
        let unknown = table.row(Row::label(unknown));
        let waiting = table.label(WAITING);
        let Table { names, rows, .. } = table;
        Self { names, rows, locations, roots, markers, unknown, waiting }
    }

    /// Replaces `path` by the frames of a sample, root first; never empty.
    pub fn path(&self, profile: &Profile, sample: &Sample, path: &mut Vec<u32>) {
        path.clear();
        let stack = profile.stack(sample.stack);
        path.extend(&self.roots[sample.thread.0 as usize]);
        path.extend(self.markers[sample.stack.0 as usize]);
        if !matches!(stack.kind, StackKind::Walked(_)) {
            return;
        }
        for location in stack.locations.iter().rev() {
            path.extend(self.at(*location));
        }
        if stack.locations.is_empty() {
            path.push(self.unknown);
        }
        path.extend(sample.is_waiting.then_some(self.waiting));
    }

    /// The frames at a location, root first; never empty.
    pub fn at(&self, location: LocationId) -> &[u32] {
        match self.locations[location.0 as usize].as_slice() {
            [] => std::slice::from_ref(&self.unknown),
            frames => frames,
        }
    }

    pub fn name(&self, row: &Row) -> &str {
        self.names.get(row.function)
    }

    pub fn file(&self, row: &Row) -> Option<&str> {
        row.file.map(|file| self.names.get(file))
    }
}

/// Rows while they are numbered.
#[derive(Default)]
struct Table<'a> {
    names: Names<'a>,
    rows: Vec<Row>,
    numbers: HashMap<Row, u32>,
}

impl<'a> Table<'a> {
    fn label(&mut self, name: impl Into<std::borrow::Cow<'a, str>>) -> u32 {
        let function = self.names.id(name);
        self.row(Row::label(function))
    }

    fn frame(&mut self, frame: &'a Frame, module: Option<ModuleId>, detail: Detail) -> u32 {
        let function = self.names.id(&*frame.function);
        let file = frame.file.as_deref().map(|file| self.names.id(file));
        let (line, inlined) = match detail {
            Detail::Functions => (None, false),
            Detail::Lines => (frame.line, frame.inlined),
        };
        self.row(Row { function, file, line, module, inlined })
    }

    fn row(&mut self, row: Row) -> u32 {
        let next = self.rows.len() as u32;
        let number = *self.numbers.entry(row).or_insert(next);
        if number == next {
            self.rows.push(row);
        }
        number
    }
}
