//! The tables of one thread. Each has its columns as lists of one length.

use std::collections::HashMap;

use serde::Serialize;
use sigspy_model::{ModuleId, Profile, Sample};

use super::milliseconds;
use crate::names::NameId;
use crate::paths::WAITING;
use crate::rows::{Row, Rows};

/// Categories, as `meta` lists them.
const OTHER: u32 = 0;
const USER: u32 = 1;
const IDLE: u32 = 2;
/// The type of a resource that is a library.
const LIBRARY: u32 = 1;
/// There is none.
const NONE: i64 = -1;

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tables<'a> {
    samples: Samples,
    stack_table: Stacks,
    frame_table: Frames,
    func_table: Functions,
    resource_table: Resources,
    native_symbols: NoSymbols,
    string_array: Vec<&'a str>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    length: usize,
    weight_type: &'static str,
    stack: Vec<Option<u32>>,
    time: Vec<f64>,
    weight: Vec<f64>,
    #[serde(rename = "threadCPUDelta")]
    thread_cpu_delta: Vec<u64>,
}

#[derive(Default, Serialize)]
struct Stacks {
    length: usize,
    prefix: Vec<Option<u32>>,
    frame: Vec<u32>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Frames {
    length: usize,
    address: Vec<i64>,
    inline_depth: Vec<u32>,
    category: Vec<u32>,
    subcategory: Vec<u32>,
    func: Vec<u32>,
    native_symbol: Vec<Option<u32>>,
    #[serde(rename = "innerWindowID")]
    inner_window_id: Vec<u32>,
    line: Vec<Option<u32>>,
    column: Vec<Option<u32>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Functions {
    length: usize,
    name: Vec<u32>,
    #[serde(rename = "isJS")]
    is_js: Vec<bool>,
    #[serde(rename = "relevantForJS")]
    relevant_for_js: Vec<bool>,
    resource: Vec<i64>,
    file_name: Vec<Option<u32>>,
    line_number: Vec<Option<u32>>,
    column_number: Vec<Option<u32>>,
}

#[derive(Default, Serialize)]
struct Resources {
    length: usize,
    lib: Vec<u32>,
    name: Vec<u32>,
    host: Vec<Option<u32>>,
    r#type: Vec<u32>,
}

/// Names are looked up already.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoSymbols {
    length: usize,
    address: [u64; 0],
    function_size: [u64; 0],
    lib_index: [u32; 0],
    name: [u32; 0],
}

impl<'a> Tables<'a> {
    pub fn new(profile: &'a Profile, rows: &'a Rows<'_>, samples: &[&Sample]) -> Self {
        let mut builder =
            Builder { profile, rows, tables: Self::default(), numbers: <_>::default() };
        let mut path = Vec::new();
        for sample in samples {
            rows.path(profile, sample, &mut path);
            builder.add(sample, &path);
        }
        builder.tables.samples.weight_type = "tracing-ms";
        builder.tables
    }
}

/// What has a number already.
#[derive(Default)]
struct Numbers<'a> {
    strings: HashMap<&'a str, u32>,
    modules: HashMap<ModuleId, u32>,
    functions: HashMap<(NameId, Option<NameId>, Option<ModuleId>), u32>,
    /// By row, and how deep it is inlined.
    frames: HashMap<(u32, u32), u32>,
    /// By caller and frame.
    stacks: HashMap<(Option<u32>, u32), u32>,
}

struct Builder<'a, 'n> {
    profile: &'a Profile,
    rows: &'a Rows<'n>,
    tables: Tables<'a>,
    numbers: Numbers<'a>,
}

impl<'a> Builder<'a, '_> {
    fn add(&mut self, sample: &Sample, path: &[u32]) {
        let (mut stack, mut depth) = (None, 0);
        for row in path {
            depth = if self.rows.rows[*row as usize].inlined { depth + 1 } else { 0 };
            let frame = self.frame(*row, depth);
            stack = Some(self.stack(stack, frame));
        }
        let samples = &mut self.tables.samples;
        samples.length += 1;
        samples.stack.push(stack);
        samples.time.push(milliseconds(sample.time_ns));
        samples.weight.push(milliseconds(sample.weight_ns));
        samples.thread_cpu_delta.push(if sample.is_waiting { 0 } else { sample.weight_ns });
    }

    fn stack(&mut self, prefix: Option<u32>, frame: u32) -> u32 {
        let stacks = &mut self.tables.stack_table;
        *self.numbers.stacks.entry((prefix, frame)).or_insert_with(|| {
            stacks.length += 1;
            stacks.prefix.push(prefix);
            stacks.frame.push(frame);
            stacks.length as u32 - 1
        })
    }

    fn frame(&mut self, number: u32, depth: u32) -> u32 {
        if let Some(frame) = self.numbers.frames.get(&(number, depth)) {
            return *frame;
        }
        let row = self.rows.rows[number as usize];
        let func = self.function(row);
        let category = match self.rows.name(&row) {
            WAITING => IDLE,
            name if name.starts_with('[') => OTHER,
            _ => USER,
        };
        let frames = &mut self.tables.frame_table;
        frames.length += 1;
        frames.address.push(NONE);
        frames.inline_depth.push(depth);
        frames.category.push(category);
        frames.subcategory.push(0);
        frames.func.push(func);
        frames.native_symbol.push(None);
        frames.inner_window_id.push(0);
        frames.line.push(row.line);
        frames.column.push(None);
        let frame = frames.length as u32 - 1;
        self.numbers.frames.insert((number, depth), frame);
        frame
    }

    fn function(&mut self, row: Row) -> u32 {
        let key = (row.function, row.file, row.module);
        if let Some(function) = self.numbers.functions.get(&key) {
            return *function;
        }
        let rows = self.rows;
        let name = self.string(rows.names.get(row.function));
        let file = row.file.map(|file| self.string(rows.names.get(file)));
        let resource = row.module.map_or(NONE, |module| self.resource(module).into());
        let functions = &mut self.tables.func_table;
        functions.length += 1;
        functions.name.push(name);
        functions.is_js.push(false);
        functions.relevant_for_js.push(false);
        functions.resource.push(resource);
        functions.file_name.push(file);
        functions.line_number.push(None);
        functions.column_number.push(None);
        let function = functions.length as u32 - 1;
        self.numbers.functions.insert(key, function);
        function
    }

    fn string(&mut self, text: &'a str) -> u32 {
        let strings = &mut self.tables.string_array;
        *self.numbers.strings.entry(text).or_insert_with(|| {
            strings.push(text);
            strings.len() as u32 - 1
        })
    }

    fn resource(&mut self, module: ModuleId) -> u32 {
        if let Some(resource) = self.numbers.modules.get(&module) {
            return *resource;
        }
        let profile = self.profile;
        let name = self.string(profile.modules[module.0 as usize].name());
        let resources = &mut self.tables.resource_table;
        resources.length += 1;
        resources.lib.push(module.0);
        resources.name.push(name);
        resources.host.push(None);
        resources.r#type.push(LIBRARY);
        let resource = resources.length as u32 - 1;
        self.numbers.modules.insert(module, resource);
        resource
    }
}
