//! A recording that nobody made: the same in each run, with something of everything in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use sigspy_model::{
    Accounting, Clock, Frame, Language, Life, Location, LocationId, Meta, Module, ModuleId,
    Process, ProcessId, Profile, Sample, Stack, StackId, StackKind, Stop, Symbols, Thread,
    ThreadId,
};

const PERIOD_NS: u64 = 10_000_000;
/// Functions by location: module, name, whether there is an inlined one in it.
const FUNCTIONS: [(u32, &str, Option<&str>); 5] = [
    (0, "_start", None),
    (0, "main", None),
    (0, "parse", Some("skip_blanks")),
    (0, "render", None),
    (1, "memcpy", None),
];
/// Ticks, thread, why the walk ended, and locations with the leaf first.
const STACKS: [(u32, u32, StackKind, &[u32]); 6] = [
    (40, 0, StackKind::Walked(Stop::End), &[2, 1, 0]),
    (25, 0, StackKind::Walked(Stop::End), &[4, 3, 1, 0]),
    (15, 1, StackKind::Walked(Stop::End), &[3, 1, 0]),
    (10, 1, StackKind::Walked(Stop::NoTable), &[4]),
    (6, 0, StackKind::Unsampled, &[]),
    (4, 1, StackKind::Lost, &[]),
];

/// Writes the recording to `path`.
pub fn recording(path: &Path) -> PathBuf {
    let file = File::create(path).expect("the folder is ours");
    sigspy_collector::write(&profile(), Some(&symbols()), file).expect("there is room");
    path.to_owned()
}

fn profile() -> Profile {
    let thread = |tid, name: &str| Thread {
        process: ProcessId(0),
        tid,
        name: name.to_owned(),
        life: Life::default(),
    };
    let module = |path: &str| Module { path: path.to_owned(), build_id: None, image: None };
    Profile {
        meta: meta(),
        processes: vec![process()],
        threads: vec![thread(100, "app"), thread(101, "worker")],
        modules: vec![module("/opt/app/app"), module("/usr/lib/libc.so.6")],
        locations: (0..)
            .zip(FUNCTIONS)
            .map(|(place, function)| location(place, function.0))
            .collect(),
        code_names: BTreeMap::new(),
        stacks: STACKS.iter().map(|(_, _, kind, leaf_first)| stack(*kind, leaf_first)).collect(),
        samples: samples(),
        accounting: accounting(),
        shortfalls: Vec::new(),
    }
}

fn meta() -> Meta {
    Meta {
        argv: ["/opt/app/app", "--all"].map(str::to_owned).to_vec(),
        host: "host".to_owned(),
        kernel: "6.8.0".to_owned(),
        version: "0.1.0".to_owned(),
        git_revision: None,
        started_unix_s: 1_700_000_000,
        duration_ns: 700_000_000,
        clock: Clock::Thread,
        period_ns: PERIOD_NS,
        exit_code: Some(0),
    }
}

fn process() -> Process {
    Process {
        pid: 100,
        parent: None,
        name: "app".to_owned(),
        cpu_ns: Some(100 * PERIOD_NS),
        life: Life::default(),
        gap: None,
    }
}

fn location(place: u64, module: u32) -> Location {
    Location { module: Some(ModuleId(module)), address: 0x1000 + 0x40 * place }
}

fn stack(kind: StackKind, leaf_first: &[u32]) -> Stack {
    Stack { kind, locations: leaf_first.iter().map(|&location| LocationId(location)).collect() }
}

/// A tick each, one after the other; time without a stack has no ticks.
fn samples() -> Vec<Sample> {
    let ticks = (0..).zip(STACKS).flat_map(|(stack, (ticks, thread, kind, _))| {
        (0..ticks).map(move |_| (stack, thread, matches!(kind, StackKind::Walked(_))))
    });
    let sample = |(time, (stack, thread, is_walked)): (u64, (u32, u32, bool))| Sample {
        time_ns: time * PERIOD_NS,
        thread: ThreadId(thread),
        stack: StackId(stack),
        weight_ns: PERIOD_NS,
        ticks: u32::from(is_walked),
        is_waiting: false,
    };
    (1..).zip(ticks).map(sample).collect()
}

fn accounting() -> Accounting {
    let of = |wanted: fn(StackKind) -> bool| {
        let ticks = STACKS.iter().filter(|(_, _, kind, _)| wanted(*kind)).map(|(ticks, ..)| *ticks);
        PERIOD_NS * u64::from(ticks.sum::<u32>())
    };
    Accounting {
        cpu_ns: Some(100 * PERIOD_NS),
        recorded_ns: of(|kind| matches!(kind, StackKind::Walked(_))),
        lost_ns: of(|kind| kind == StackKind::Lost),
        unsampled_ns: of(|kind| kind == StackKind::Unsampled),
        ..Accounting::default()
    }
}

fn symbols() -> Symbols {
    let frame = |name: &str, inlined, line| Frame {
        function: name.into(),
        file: Some("/src/app.c".into()),
        line: Some(line),
        language: Language::Plain,
        inlined,
    };
    let frames = (1..).zip(FUNCTIONS).map(|(line, (_, function, inlined))| {
        let inlined = inlined.into_iter().map(|name| frame(name, true, 10 * line));
        inlined.chain([frame(function, false, line)]).collect()
    });
    Symbols::new(frames.collect())
}
