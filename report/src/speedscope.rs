//! For <https://www.speedscope.app>, in its own format.
//!
//! Source: speedscope, src/lib/file-format-spec.ts.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use sigspy_model::{Profile, Sample, Symbols, ThreadId};

use crate::error::Error;
use crate::json::{self, Seq};
use crate::paths::{Roots, thread_name};
use crate::rows::{Detail, Row, Rows};
use crate::timeline::{in_time, runs};

/// Writes one profile for all, or one for each thread, the heaviest first. Samples are in the order
/// of time, weights in nanoseconds of CPU time. Frames have no lines: a function at two lines would
/// be two boxes. Fails when the writer does.
pub fn speedscope(
    profile: &Profile,
    symbols: &Symbols,
    threads: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let roots = if threads { Roots::NONE } else { Roots::of(profile, false) };
    let rows = Rows::new(profile, symbols, roots, Detail::Functions);
    let parts = if threads { by_thread(profile) } else { vec![whole(profile)] };
    let frame = |row: &Row| Frame { name: rows.name(row), file: rows.file(row) };
    let part = |part| PartInFile { part, profile, rows: &rows };
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("sigspy ", env!("CARGO_PKG_VERSION")),
        name: profile.meta.argv.join(" "),
        active_profile_index: 0,
        shared: Shared { frames: Seq(|| rows.rows.iter().map(frame)) },
        profiles: Seq(|| parts.iter().map(part)),
    };
    Ok(json::write(&file, out)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<F, P> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    name: String,
    active_profile_index: usize,
    shared: Shared<F>,
    profiles: P,
}

#[derive(Serialize)]
struct Shared<F> {
    frames: F,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

/// What becomes one profile of the file.
struct Part<'a> {
    name: String,
    samples: Vec<&'a Sample>,
}

impl Part<'_> {
    fn weight_ns(&self) -> u64 {
        self.samples.iter().map(|sample| sample.weight_ns).sum()
    }
}

fn whole(profile: &Profile) -> Part<'_> {
    Part { name: profile.meta.argv.join(" "), samples: in_time(profile) }
}

fn by_thread(profile: &Profile) -> Vec<Part<'_>> {
    let mut samples: BTreeMap<ThreadId, Vec<&Sample>> = BTreeMap::new();
    for sample in in_time(profile) {
        samples.entry(sample.thread).or_default().push(sample);
    }
    let name = |id| {
        let thread = profile.thread(id);
        let process = profile.process(thread.process);
        let name = thread_name(process, thread);
        if profile.processes.len() > 1 { format!("{} {name}", process.name) } else { name }
    };
    let part = |(thread, samples)| Part { name: name(thread), samples };
    let mut parts: Vec<Part> = samples.into_iter().map(part).collect();
    parts.sort_by_cached_key(|part| std::cmp::Reverse(part.weight_ns()));
    parts
}

struct PartInFile<'a> {
    part: &'a Part<'a>,
    profile: &'a Profile,
    rows: &'a Rows<'a>,
}

impl Serialize for PartInFile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { part, profile, rows } = *self;
        let runs = runs(profile, rows, part.samples.iter().copied());
        let path = |(sample, _): &(&Sample, u64)| {
            let mut path = Vec::new();
            rows.path(profile, sample, &mut path);
            path
        };
        let mut file = serializer.serialize_map(None)?;
        file.serialize_entry("type", "sampled")?;
        file.serialize_entry("name", &part.name)?;
        file.serialize_entry("unit", "nanoseconds")?;
        file.serialize_entry("startValue", &0)?;
        file.serialize_entry("endValue", &part.weight_ns())?;
        file.serialize_entry("samples", &Seq(|| runs.iter().map(path)))?;
        file.serialize_entry("weights", &Seq(|| runs.iter().map(|(_, weight_ns)| weight_ns)))?;
        file.end()
    }
}
