//! The processes of a recording, and those that could not be sampled.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use sigspy_model::{Gap, Process, Profile};

use super::TextOptions;
use super::table::Table;
use crate::names::presentable;
use crate::quality::{plural, seconds};

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
        table.write(out)?;
        match processes.len().saturating_sub(options.limit) {
            0 => {}
            more => writeln!(out, "... and {more} more")?,
        }
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
    let mut programs: BTreeMap<(&str, Gap), Vec<&Process>> = BTreeMap::new();
    for process in &profile.processes {
        if let Some(gap) = process.gap {
            programs.entry((&process.name, gap)).or_default().push(process);
        }
    }
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

/// Why a process was not sampled.
pub fn reason(gap: Gap) -> &'static str {
    match gap {
        Gap::StaticallyLinked => "it is statically linked",
        Gap::OtherArchitecture => "it is for another architecture",
        Gap::SetUserId => "it runs with the rights of another user",
        Gap::Environment => "it was started with an environment of its own",
        Gap::BareFork => "it was forked by a bare system call",
        Gap::NotWanted => "it was not asked for",
        Gap::Unknown => "its agent has not come",
    }
}

/// All programs that were not sampled, in one phrase; `None`: there are none, or nobody has asked
/// for them.
pub fn gaps(profile: &Profile) -> Option<String> {
    let mut programs: BTreeMap<(&str, Gap), usize> = BTreeMap::new();
    for process in &profile.processes {
        if let Some(gap) = process.gap.filter(|&gap| gap != Gap::NotWanted) {
            *programs.entry((&process.name, gap)).or_default() += 1;
        }
    }
    const MOST: usize = 3;
    let count: usize = programs.values().sum();
    let named = programs.keys().take(MOST);
    let mut list: Vec<String> =
        named.map(|(name, gap)| format!("{}: {}", presentable(*name), reason(*gap))).collect();
    if programs.len() > MOST {
        list.push("...".into());
    }
    let processes = plural(count, "process was", "processes were");
    (count > 0).then(|| format!("{processes} not sampled ({})", list.join("; ")))
}
