//! Writes a profile that came from elsewhere, or was put together, as a recording.

use std::io::{self, Write};

use sigspy_model::{Accounting, Meta, Process, Profile, Shortfall, Symbols, Thread};

use super::Writer;
use super::event::{Event, MetaEvent, clock_number, gap_number, kind_number};
use super::symbols;

/// Writes `profile`, and with it the frames of its locations where they are known.
pub fn write<W: Write>(profile: &Profile, symbols: Option<&Symbols>, file: W) -> io::Result<W> {
    let mut out = Writer::start(file, meta(&profile.meta))?;
    define(profile, &mut out)?;
    for sample in &profile.samples {
        out.push(&Event::Sample {
            time_ns: sample.time_ns,
            thread: sample.thread.0,
            stack: sample.stack.0,
            weight_ns: sample.weight_ns,
            ticks: sample.ticks,
            is_waiting: sample.is_waiting,
        })?;
    }
    account(&profile.accounting, &profile.shortfalls, &mut out)?;
    let file = out.finish(profile.meta.duration_ns, profile.meta.exit_code)?;
    match symbols {
        Some(symbols) => symbols::append(file, symbols, profile.locations.len()),
        None => Ok(file),
    }
}

fn meta(meta: &Meta) -> MetaEvent {
    MetaEvent {
        argv: meta.argv.clone(),
        host: meta.host.clone(),
        kernel: meta.kernel.clone(),
        version: meta.version.clone(),
        git_revision: meta.git_revision.clone(),
        started_unix_s: meta.started_unix_s,
        started_monotonic_ns: 0,
        duration_ns: meta.duration_ns,
        clock: clock_number(meta.clock),
        period_ns: meta.period_ns,
        exit_code: meta.exit_code,
    }
}

fn define<W: Write>(profile: &Profile, out: &mut Writer<W>) -> io::Result<()> {
    (0..).zip(&profile.processes).try_for_each(|(id, one)| define_process(id, one, out))?;
    (0..).zip(&profile.threads).try_for_each(|(id, one)| define_thread(id, one, out))?;
    for (id, module) in (0..).zip(&profile.modules) {
        out.push(&Event::Module {
            id,
            path: module.path.clone(),
            build_id: module.build_id.as_ref().map(|id| id.0.clone()),
            image: module.image.clone(),
        })?;
    }
    for (id, location) in (0..).zip(&profile.locations) {
        let module = location.module.map(|module| module.0);
        out.push(&Event::Location { id, module, address: location.address })?;
    }
    for (location, name) in &profile.code_names {
        out.push(&Event::CodeName { location: location.0, name: name.clone() })?;
    }
    for (id, stack) in (0..).zip(&profile.stacks) {
        let locations = stack.locations.iter().map(|location| location.0).collect();
        out.push(&Event::Stack { id, kind: kind_number(stack.kind), locations })?;
    }
    Ok(())
}

fn define_process<W: Write>(id: u32, process: &Process, out: &mut Writer<W>) -> io::Result<()> {
    out.push(&Event::Process {
        id,
        pid: process.pid,
        parent: process.parent.unwrap_or(0),
        name: process.name.clone(),
        start_ns: process.life.start_ns,
    })?;
    if let Some(cpu_ns) = process.cpu_ns {
        out.push(&Event::ProcessCpu { process: id, cpu_ns })?;
    }
    if let Some(time_ns) = process.life.end_ns {
        out.push(&Event::ProcessEnd { process: id, time_ns })?;
    }
    match process.gap {
        Some(gap) => out.push(&Event::Gap { process: id, reason: gap_number(gap) }),
        None => Ok(()),
    }
}

fn define_thread<W: Write>(id: u32, thread: &Thread, out: &mut Writer<W>) -> io::Result<()> {
    out.push(&Event::Thread {
        id,
        process: thread.process.0,
        tid: thread.tid,
        name: thread.name.clone(),
        start_ns: thread.life.start_ns,
    })?;
    match thread.life.end_ns {
        Some(time_ns) => out.push(&Event::ThreadEnd { thread: id, time_ns }),
        None => Ok(()),
    }
}

fn account<W: Write>(
    accounting: &Accounting,
    shortfalls: &[Shortfall],
    out: &mut Writer<W>,
) -> io::Result<()> {
    out.push(&accounting.limits.into())?;
    out.push(&Event::Defects {
        unbalanced_ticks: accounting.unbalanced_ticks,
        bad_records: accounting.bad_records,
    })?;
    shortfalls.iter().try_for_each(|shortfall| out.push(&shortfall.into()))
}
