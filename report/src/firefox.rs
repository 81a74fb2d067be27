//! For <https://profiler.firefox.com>, as a processed profile.
//!
//! Weights are milliseconds (`tracing-ms`), so that times are CPU time and no counts.
//!
//! Source: firefox-devtools/profiler, src/types/profile.ts and docs-developer/CHANGELOG-formats.md.

mod tables;

use std::borrow::Cow;
use std::io::Write;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::{Value, json};
use sigspy_model::{BuildId, Module, Profile, Symbols};

use crate::error::Error;
use crate::json::{self, Seq};
use crate::names::presentable;
use crate::paths::Roots;
use crate::rows::{Detail, Rows};
use crate::timeline::{Lane, lanes};
use tables::Tables;

/// Of the format. The profiler reads this and all older ones.
const VERSION: u32 = 55;

/// Writes each thread with its samples in the order of time. Fails when the writer does.
pub fn firefox(profile: &Profile, symbols: &Symbols, out: &mut dyn Write) -> Result<(), Error> {
    let rows = Rows::new(profile, symbols, Roots::NONE, Detail::Lines);
    let lanes = lanes(profile);
    let thread = |lane| ThreadInFile { profile, rows: &rows, lane };
    let file = File {
        meta: meta(profile, &lanes),
        libs: Seq(|| profile.modules.iter().map(library)),
        threads: Seq(|| lanes.iter().map(thread)),
        pages: [],
        profiler_overhead: [],
        counters: [],
    };
    Ok(json::write(&file, out)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<L, T> {
    meta: Value,
    libs: L,
    threads: T,
    pages: [(); 0],
    profiler_overhead: [(); 0],
    counters: [(); 0],
}

fn meta(profile: &Profile, lanes: &[Lane<'_>]) -> Value {
    let meta = &profile.meta;
    let weight_ns = |lane: &Lane<'_>| lane.samples.iter().map(|sample| sample.weight_ns).sum();
    let loads: Vec<u64> = lanes.iter().map(weight_ns).collect();
    let heaviest: Vec<usize> =
        (0..loads.len()).max_by_key(|index| loads[*index]).into_iter().collect();
    json!({
        "version": 24,
        "preprocessedProfileVersion": VERSION,
        "product": presentable(meta.argv.join(" ")),
        "interval": milliseconds(meta.period_ns),
        "startTime": meta.started_unix_s as f64 * 1000.0,
        "profilingStartTime": 0,
        "profilingEndTime": milliseconds(meta.duration_ns),
        "processType": 0,
        "oscpu": presentable(&*meta.kernel),
        "platform": "Linux",
        "categories": [
            { "name": "Other", "color": "grey", "subcategories": ["Other"] },
            { "name": "User", "color": "yellow", "subcategories": ["Other"] },
            { "name": "Idle", "color": "transparent", "subcategories": ["Other"] },
        ],
        "sampleUnits": { "time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns" },
        "initialSelectedThreads": heaviest,
        "symbolicated": true,
        "usesOnlyOneStackType": true,
        "doesNotUseFrameImplementation": true,
        "sourceCodeIsNotOnSearchfox": true,
        "importedFrom": concat!("sigspy ", env!("CARGO_PKG_VERSION")),
        "debug": false,
        "extensions": { "length": 0, "baseURL": [], "id": [], "name": [] },
        "markerSchema": [],
        "pausedRanges": [],
    })
}

fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Library<'a> {
    name: &'a str,
    path: &'a str,
    debug_name: &'a str,
    debug_path: &'a str,
    breakpad_id: String,
    code_id: Option<String>,
    arch: Option<&'static str>,
}

fn library(module: &Module) -> Library<'_> {
    Library {
        name: module.name(),
        path: &module.path,
        debug_name: module.name(),
        debug_path: &module.path,
        breakpad_id: module.build_id.as_ref().map(breakpad_id).unwrap_or_default(),
        code_id: module.build_id.as_ref().map(ToString::to_string),
        arch: None,
    }
}

/// The first 16 bytes of a build-id as a GUID, whose first three fields are little-endian, and an
/// age of 0.
///
/// Source: Breakpad, src/common/linux/file_id.cc.
fn breakpad_id(build_id: &BuildId) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let byte = |place: usize| build_id.0.get(place).copied().unwrap_or(0);
    let digits = ORDER.map(|place| format!("{:02X}", byte(place)));
    format!("{}0", digits.concat())
}

struct ThreadInFile<'a> {
    profile: &'a Profile,
    rows: &'a Rows<'a>,
    lane: &'a Lane<'a>,
}

impl Serialize for ThreadInFile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { profile, rows, lane } = *self;
        let last = lane.samples.last().map(|sample| profile.thread(sample.thread));
        let process = last.map(|thread| profile.process(thread.process));
        let life = last.map(|thread| thread.life).unwrap_or_default();
        let process_life = process.map(|process| process.life).unwrap_or_default();
        let thread = Thread {
            name: presentable(last.map_or("", |thread| &*thread.name)),
            process_name: presentable(process.map_or("", |process| &*process.name)),
            process_type: "default",
            is_main_thread: lane.tid == lane.distinct_pid,
            pid: lane.distinct_pid.to_string(),
            tid: lane.tid,
            register_time: milliseconds(life.start_ns),
            unregister_time: life.end_ns.map(milliseconds),
            process_startup_time: milliseconds(process_life.start_ns),
            process_shutdown_time: process_life.end_ns.map(milliseconds),
            paused_ranges: [],
            markers: json!({
                "length": 0, "category": [], "data": [], "endTime": [], "name": [], "phase": [],
                "startTime": [],
            }),
            tables: Tables::new(profile, rows, &lane.samples),
        };
        thread.serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Thread<'a> {
    name: Cow<'a, str>,
    process_name: Cow<'a, str>,
    process_type: &'static str,
    is_main_thread: bool,
    /// A text in this format.
    pid: String,
    tid: u32,
    register_time: f64,
    unregister_time: Option<f64>,
    process_startup_time: f64,
    process_shutdown_time: Option<f64>,
    paused_ranges: [(); 0],
    markers: Value,
    #[serde(flatten)]
    tables: Tables<'a>,
}
