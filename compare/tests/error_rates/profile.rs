//! Profiles whose samples are known.

use std::collections::BTreeMap;

use sigspy_model::{
    Accounting, Clock, Frame, Language, Life, Location, LocationId, Meta, Process, ProcessId,
    Profile, Sample, Stack, StackId, StackKind, Stop, Symbols, Thread, ThreadId,
};

use crate::world::{CALLER, CHANGED};

/// A profile with so many samples of each function: one is called by another, the others by nobody.
pub fn of_samples(samples: &[u32], rate: f64, cpu_s: f64) -> (Profile, Symbols) {
    let period_ns = (1e9 / rate) as u64;
    let ids = 0..samples.len() as u32;
    let stack = |id| {
        let caller = (id == CHANGED as u32).then_some(LocationId(CALLER as u32));
        let locations = [LocationId(id)].into_iter().chain(caller).collect();
        Stack { kind: StackKind::Walked(Stop::End), locations }
    };
    let sample = |(id, ticks): (u32, &u32)| Sample {
        time_ns: 0,
        thread: ThreadId(0),
        stack: StackId(id),
        weight_ns: u64::from(*ticks) * period_ns,
        ticks: *ticks,
        is_waiting: false,
    };
    let samples: Vec<Sample> = ids.clone().zip(samples).map(sample).collect();
    let recorded_ns = samples.iter().map(|sample| sample.weight_ns).sum();
    let cpu_ns = Some((cpu_s * 1e9) as u64);
    let profile = Profile {
        meta: meta(period_ns),
        processes: vec![process(cpu_ns)],
        threads: vec![thread()],
        modules: Vec::new(),
        locations: ids.clone().map(|id| Location { module: None, address: id.into() }).collect(),
        code_names: BTreeMap::new(),
        stacks: ids.clone().map(stack).collect(),
        samples,
        accounting: Accounting { cpu_ns, recorded_ns, ..Accounting::default() },
        shortfalls: Vec::new(),
    };
    (profile, Symbols::new(ids.map(|id| vec![frame(&format!("f{id}"))]).collect()))
}

fn frame(name: &str) -> Frame {
    Frame {
        function: name.into(),
        file: None,
        line: None,
        language: Language::Plain,
        inlined: false,
    }
}

fn process(cpu_ns: Option<u64>) -> Process {
    let name = "app".to_owned();
    Process { pid: 1, parent: None, name, cpu_ns, life: Life::default(), gap: None }
}

fn thread() -> Thread {
    Thread { process: ProcessId(0), tid: 1, name: "app".to_owned(), life: Life::default() }
}

fn meta(period_ns: u64) -> Meta {
    Meta {
        argv: vec!["./app".to_owned()],
        host: String::new(),
        kernel: String::new(),
        version: String::new(),
        git_revision: None,
        started_unix_s: 0,
        duration_ns: 0,
        clock: Clock::Thread,
        period_ns,
        exit_code: Some(0),
    }
}
