//! The processes of a recording, and those that could not be sampled.

use std::cmp::Reverse;
use std::io::{self, Write};

use sigspy_model::{Process, Profile};

use super::TextOptions;
use super::table::Table;
use crate::gaps::{reason, unsampled_programs};
use crate::names::presentable;
use crate::quality::seconds;

/// Writes the processes with the most CPU time, unless there is only one, and all that were not
/// sampled, those of one program together.
pub fn write(profile: &Profile, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let sampled = |process: &&Process| process.gap.is_none();
    let mut processes: Vec<&Process> = profile.processes.iter().filter(sampled).collect();
    processes.sort_by_key(|process| (Reverse(process.cpu_ns), process.life.start_ns));
    if processes.len() > 1 {
        let mut table = Table::new(["CPU s", "pid", "parent", "from s", "to s", "process"]);
        for process in processes.iter().take(options.limit) {
            table.push(row(process));
        }
        writeln!(out, "\nProcesses\n")?;
        table.write_first_of(processes.len(), out)?;
    }
    write_gaps(profile, out)
}

fn row(process: &Process) -> [String; 6] {
    let number = |number: Option<u32>| number.map_or_else(|| "-".into(), |n| n.to_string());
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".into(), seconds);
    [
        time(process.cpu_ns),
        number(Some(process.pid).filter(|&pid| pid != 0)),
        number(process.parent),
        seconds(process.life.start_ns),
        time(process.life.end_ns),
        presentable(&process.name).into_owned(),
    ]
}

fn write_gaps(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let programs = unsampled_programs(profile);
    if programs.is_empty() {
        return Ok(());
    }
    let mut table =
        Table::new(["CPU s", "processes", "first pid", "program", "not sampled because"]);
    for ((name, gap), processes) in &programs {
        let cpu_ns = processes.iter().filter_map(|process| process.cpu_ns).sum();
        table.push([
            seconds(cpu_ns),
            processes.len().to_string(),
            processes[0].pid.to_string(),
            presentable(*name).into_owned(),
            reason(*gap).to_owned(),
        ]);
    }
    writeln!(out, "\nNot sampled\n")?;
    table.write(out)
}
