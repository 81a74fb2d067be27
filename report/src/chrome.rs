//! Trace events, for Perfetto, `chrome://tracing` and the performance panel of browsers.
//!
//! Calls are pairs of a begin and an end, on a track for each thread. A sample covers as much of
//! the track as it has weight: durations are CPU time, and gaps are when the thread did not run.
//!
//! Source: Trace Event Format, Google, <https://perfetto.dev/docs/getting-started/other-formats>.

use std::collections::BTreeSet;
use std::io::Write;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use sigspy_model::{Profile, Sample, Symbols};

use crate::error::Error;
use crate::json;
use crate::names::presentable;
use crate::paths::Roots;
use crate::quality::quality;
use crate::rows::{Detail, Rows};
use crate::timeline::{Lane, lanes};

/// Writes the calls of each thread. Fails when the writer does.
pub fn chrome(profile: &Profile, symbols: &Symbols, out: &mut dyn Write) -> Result<(), Error> {
    let rows = Rows::new(profile, symbols, Roots::NONE, Detail::Functions);
    let file = File {
        trace_events: Events { profile, rows: &rows },
        display_time_unit: "ms",
        other_data: Other { quality: quality(profile).to_string() },
    };
    Ok(json::write(&file, out)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    trace_events: Events<'a>,
    display_time_unit: &'static str,
    other_data: Other,
}

#[derive(Serialize)]
struct Other {
    quality: String,
}

#[derive(Serialize)]
struct Event<'a> {
    ph: &'static str,
    pid: u32,
    tid: u32,
    /// Microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Args<'a>>,
}

#[derive(Serialize)]
struct Args<'a> {
    name: std::borrow::Cow<'a, str>,
}

struct Events<'a> {
    profile: &'a Profile,
    rows: &'a Rows<'a>,
}

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut events = serializer.serialize_seq(None)?;
        let mut named = BTreeSet::new();
        for lane in lanes(self.profile) {
            for (what, name) in names(self.profile, &lane) {
                if what == "thread_name" || named.insert(lane.distinct_pid) {
                    let args = Some(Args { name: presentable(name) });
                    let (pid, tid) = (lane.distinct_pid, lane.tid);
                    let name = Some(what);
                    events.serialize_element(&Event { ph: "M", pid, tid, ts: None, name, args })?;
                }
            }
            Track::new(self, &lane).write(&lane, &mut events)?;
        }
        events.end()
    }
}

/// What a lane is called: after what its thread was in the end.
fn names<'a>(profile: &'a Profile, lane: &Lane<'_>) -> [(&'static str, &'a str); 2] {
    let last = lane.samples.last().map(|sample| profile.thread(sample.thread));
    let thread = last.map_or("", |thread| &*thread.name);
    let process = last.map_or("", |thread| &*profile.process(thread.process).name);
    [("process_name", process), ("thread_name", thread)]
}

/// One thread while its calls are written.
struct Track<'a> {
    profile: &'a Profile,
    rows: &'a Rows<'a>,
    pid: u32,
    tid: u32,
    /// Calls that have begun, root first.
    open: Vec<u32>,
    /// The end of what is written, ns.
    end_ns: u64,
}

impl<'a> Track<'a> {
    fn new(events: &Events<'a>, lane: &Lane<'_>) -> Self {
        let Events { profile, rows } = *events;
        let (pid, tid) = (lane.distinct_pid, lane.tid);
        Self { profile, rows, pid, tid, open: Vec::new(), end_ns: 0 }
    }

    fn write<S: SerializeSeq>(&mut self, lane: &Lane<'_>, events: &mut S) -> Result<(), S::Error> {
        let mut path = Vec::new();
        for sample in &lane.samples {
            self.rows.path(self.profile, sample, &mut path);
            let start_ns = self.start(sample);
            let same = self.open.iter().zip(&path).take_while(|(a, b)| a == b).count();
            self.close(if start_ns > self.end_ns { 0 } else { same }, events)?;
            for row in &path[self.open.len()..] {
                events.serialize_element(&self.event("B", start_ns, Some(*row)))?;
            }
            self.open.clone_from(&path);
            self.end_ns = start_ns.saturating_add(sample.weight_ns);
        }
        self.close(0, events)
    }

    /// When a sample begins. Ticks come a little early or late: one that would begin less than its
    /// weight after the end of the last one begins there, or calls would be cut into pieces. None
    /// begins before, so that all time is shown.
    fn start(&self, sample: &Sample) -> u64 {
        let own_ns = sample.time_ns.saturating_sub(sample.weight_ns);
        let gap_ns = own_ns.saturating_sub(self.end_ns);
        if self.end_ns > 0 && gap_ns < sample.weight_ns { self.end_ns } else { own_ns }
    }

    /// Ends calls from depth `keep` on.
    fn close<S: SerializeSeq>(&mut self, keep: usize, events: &mut S) -> Result<(), S::Error> {
        while self.open.len() > keep {
            self.open.pop();
            events.serialize_element(&self.event("E", self.end_ns, None))?;
        }
        Ok(())
    }

    fn event(&self, ph: &'static str, time_ns: u64, row: Option<u32>) -> Event<'a> {
        let name = row.map(|row| self.rows.name(&self.rows.rows[row as usize]));
        let ts = Some(time_ns as f64 / 1000.0);
        Event { ph, pid: self.pid, tid: self.tid, ts, name, args: None }
    }
}
