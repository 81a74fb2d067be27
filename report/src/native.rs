//! A profile as JSON for programs: everything that a recording says, with a schema of its own.
//!
//! `docs/json.md` describes it, `docs/json.schema.json` defines it. Both change with [`VERSION`].

use std::io::Write;

use serde::Serialize;
use sigspy_model::{
    Clock, Gap, Life, Meta, Module, Process, Profile, Sample, Stack, StackKind, Stop, Symbols,
    Thread,
};

use crate::error::Error;
use crate::json::{self, Seq};
use crate::paths::{Roots, reason};
use crate::quality::quality;
use crate::rows::{Detail, Row, Rows};

/// Of the schema. A number changes its meaning or goes only with a new version; others may come.
const VERSION: u32 = 1;

/// Writes it. Fails when the writer does.
pub fn json(profile: &Profile, symbols: &Symbols, out: &mut dyn Write) -> Result<(), Error> {
    let rows = Rows::new(profile, symbols, Roots::NONE, Detail::Lines);
    let frame = |row: &_| FrameObject::of(&rows, row);
    let stack = |stack: &_| StackObject::of(&rows, stack);
    let file = File {
        format: "sigspy",
        version: VERSION,
        meta: MetaObject::from(&profile.meta),
        quality: QualityObject::of(profile),
        processes: Seq(|| profile.processes.iter().map(ProcessObject::from)),
        threads: Seq(|| profile.threads.iter().map(ThreadObject::from)),
        modules: Seq(|| profile.modules.iter().map(ModuleObject::from)),
        frames: Seq(|| rows.rows.iter().map(frame)),
        stacks: Seq(|| profile.stacks.iter().map(stack)),
        samples: Seq(|| profile.samples.iter().map(SampleObject::from)),
    };
    Ok(json::write(&file, out)?)
}

#[derive(Serialize)]
struct File<'a, P, T, M, F, S, W> {
    format: &'static str,
    version: u32,
    meta: MetaObject<'a>,
    quality: QualityObject,
    processes: P,
    threads: T,
    modules: M,
    frames: F,
    stacks: S,
    samples: W,
}

#[derive(Serialize)]
struct MetaObject<'a> {
    argv: &'a [String],
    host: &'a str,
    kernel: &'a str,
    sigspy: &'a str,
    git_revision: Option<&'a str>,
    started_unix_s: u64,
    duration_ns: u64,
    clock: &'static str,
    period_ns: u64,
    exit_code: Option<i32>,
}

impl<'a> From<&'a Meta> for MetaObject<'a> {
    fn from(meta: &'a Meta) -> Self {
        Self {
            argv: &meta.argv,
            host: &meta.host,
            kernel: &meta.kernel,
            sigspy: &meta.version,
            git_revision: meta.git_revision.as_deref(),
            started_unix_s: meta.started_unix_s,
            duration_ns: meta.duration_ns,
            clock: match meta.clock {
                Clock::Thread => "thread",
                Clock::Process => "process",
                Clock::Perf => "perf",
                Clock::Wall => "wall",
            },
            period_ns: meta.period_ns,
            exit_code: meta.exit_code,
        }
    }
}

#[derive(Serialize)]
struct QualityObject {
    summary: String,
    warnings: Vec<String>,
    cpu_ns: Option<u64>,
    total_ns: u64,
    recorded_ns: u64,
    whole_ns: u64,
    lost_ns: u64,
    blocked_ns: u64,
    unsampled_ns: u64,
}

impl QualityObject {
    fn of(profile: &Profile) -> Self {
        let quality = quality(profile);
        Self {
            summary: quality.to_string(),
            warnings: quality.warnings(),
            cpu_ns: profile.accounting.cpu_ns,
            total_ns: quality.total_ns,
            recorded_ns: quality.recorded_ns,
            whole_ns: quality.whole_ns,
            lost_ns: quality.lost_ns,
            blocked_ns: quality.blocked_ns,
            unsampled_ns: quality.unsampled_ns,
        }
    }
}

#[derive(Serialize)]
struct ProcessObject<'a> {
    pid: u32,
    parent: Option<u32>,
    name: &'a str,
    cpu_ns: Option<u64>,
    #[serde(flatten)]
    life: LifeObject,
    not_sampled: Option<&'static str>,
}

impl<'a> From<&'a Process> for ProcessObject<'a> {
    fn from(process: &'a Process) -> Self {
        Self {
            pid: process.pid,
            parent: process.parent,
            name: &process.name,
            cpu_ns: process.cpu_ns,
            life: process.life.into(),
            not_sampled: process.gap.map(gap),
        }
    }
}

fn gap(gap: Gap) -> &'static str {
    match gap {
        Gap::StaticallyLinked => "statically-linked",
        Gap::OtherArchitecture => "other-architecture",
        Gap::SetUserId => "set-user-id",
        Gap::Environment => "environment",
        Gap::BareFork => "bare-fork",
        Gap::NotWanted => "not-wanted",
        Gap::Unknown => "unknown",
    }
}

#[derive(Serialize)]
struct ThreadObject<'a> {
    process: u32,
    tid: u32,
    name: &'a str,
    #[serde(flatten)]
    life: LifeObject,
}

impl<'a> From<&'a Thread> for ThreadObject<'a> {
    fn from(thread: &'a Thread) -> Self {
        let Thread { process, tid, ref name, life } = *thread;
        Self { process: process.0, tid, name, life: life.into() }
    }
}

#[derive(Serialize)]
struct LifeObject {
    start_ns: u64,
    end_ns: Option<u64>,
}

impl From<Life> for LifeObject {
    fn from(life: Life) -> Self {
        Self { start_ns: life.start_ns, end_ns: life.end_ns }
    }
}

#[derive(Serialize)]
struct ModuleObject<'a> {
    path: &'a str,
    build_id: Option<String>,
}

impl<'a> From<&'a Module> for ModuleObject<'a> {
    fn from(module: &'a Module) -> Self {
        let build_id = module.build_id.as_ref().map(ToString::to_string);
        Self { path: &module.path, build_id }
    }
}

#[derive(Serialize)]
struct FrameObject<'a> {
    function: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inlined: bool,
}

impl<'a> FrameObject<'a> {
    fn of(rows: &'a Rows<'_>, row: &Row) -> Self {
        Self {
            function: rows.name(row),
            file: rows.file(row),
            line: row.line,
            module: row.module.map(|module| module.0),
            inlined: row.inlined,
        }
    }
}

#[derive(Serialize)]
struct StackObject {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    frames: Vec<u32>,
}

impl StackObject {
    fn of(rows: &Rows<'_>, stack: &Stack) -> Self {
        let (kind, reason) = match stack.kind {
            StackKind::Walked(Stop::End) => ("whole", None),
            StackKind::Walked(stop) => ("incomplete", Some(reason(stop))),
            StackKind::Lost => ("lost", None),
            StackKind::Blocked => ("blocked", None),
            StackKind::Unsampled => ("unsampled", None),
        };
        let leaf_first = |id| rows.at(id).iter().rev().copied();
        Self {
            kind,
            reason,
            frames: stack.locations.iter().copied().flat_map(leaf_first).collect(),
        }
    }
}

#[derive(Serialize)]
struct SampleObject {
    time_ns: u64,
    thread: u32,
    stack: u32,
    weight_ns: u64,
    ticks: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    waiting: bool,
}

impl From<&Sample> for SampleObject {
    fn from(sample: &Sample) -> Self {
        Self {
            time_ns: sample.time_ns,
            thread: sample.thread.0,
            stack: sample.stack.0,
            weight_ns: sample.weight_ns,
            ticks: sample.ticks,
            waiting: sample.is_waiting,
        }
    }
}
