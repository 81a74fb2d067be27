//! The functions, or what else a profile is added up by, with the most CPU time.

use std::io::{self, Write};

use sigspy_model::{Profile, Symbols};

use super::TextOptions;
use super::table::Table;
use crate::groups::{By, grouped};
use crate::interval::{effective_samples, wilson};
use crate::names::{NameId, shortened};
use crate::paths::{Paths, Roots, STACKLESS};
use crate::quality::{percent, seconds, share};

/// Writes two tables: by own time, and by total time. Threads and processes call nobody, and have
/// one.
pub fn write(
    profile: &Profile,
    symbols: &Symbols,
    by: By,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let symbols = grouped(profile, symbols.clone(), by);
    let roots = Roots { processes: by == By::Process, threads: by == By::Thread };
    let paths = Paths::new(profile, &symbols, roots);
    let (many, one) = words(by);
    let mut write = |title: &str, kind: &str, cpu_ns: Vec<u64>| {
        writeln!(out, "\n{many} by CPU time{title}\n")?;
        write_table(&ranked(cpu_ns, &paths), [kind, one], profile, &paths, options, out)
    };
    if matches!(by, By::Thread | By::Process) {
        return write("", "total", of_roots(&paths));
    }
    write(" of their own", "self", own(&paths))?;
    write(" including all they call", "total", total(&paths))
}

/// What there are several of, and one of it.
fn words(by: By) -> (&'static str, &'static str) {
    match by {
        By::Function => ("Functions", "function"),
        By::Crate => ("Crates", "crate"),
        By::Module => ("Modules", "module"),
        By::File => ("Files", "file"),
        By::Line => ("Lines", "line"),
        By::Thread => ("Threads", "thread"),
        By::Process => ("Programs", "program"),
    }
}

fn write_table(
    rows: &[(NameId, u64)],
    [kind, what]: [&str; 2],
    profile: &Profile,
    paths: &Paths<'_>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (samples, total_ns) = (effective_samples(profile), paths.total_ns());
    let mut table = Table::new([kind, "95 % interval", "CPU s", what]);
    for (id, cpu_ns) in rows.iter().take(options.limit) {
        let name = paths.names.get(*id);
        let share = share(*cpu_ns, total_ns);
        let interval = interval(name, share, samples);
        let name = shortened(name, options.name_width).into_owned();
        table.push([percent(share), interval, seconds(*cpu_ns), name]);
    }
    table.write_first_of(rows.len(), out)
}

/// CPU time by name, for the frames that stacks begin with: nanoseconds.
fn of_roots(paths: &Paths<'_>) -> Vec<u64> {
    let mut cpu_ns = vec![0; paths.names.len()];
    for (path, load) in &paths.loads {
        if let Some(root) = path.first() {
            cpu_ns[root.name().index()] += load.cpu_ns;
        }
    }
    cpu_ns
}

/// In percent. None for time that was counted, not sampled.
fn interval(name: &str, share: f64, samples: f64) -> String {
    if STACKLESS.contains(&name) {
        return "-".to_owned();
    }
    let (low, high) = wilson(share, samples);
    format!("[{:.1}, {:.1}]", low * 100.0, high * 100.0)
}

/// CPU time by name, for the frame that was running: nanoseconds.
pub fn own(paths: &Paths<'_>) -> Vec<u64> {
    let mut cpu_ns = vec![0; paths.names.len()];
    for (path, load) in &paths.loads {
        if let Some(leaf) = path.last() {
            cpu_ns[leaf.name().index()] += load.cpu_ns;
        }
    }
    cpu_ns
}

/// CPU time by name, for all frames of a stack, each once even where it recurses: nanoseconds.
pub fn total(paths: &Paths<'_>) -> Vec<u64> {
    let mut cpu_ns = vec![0; paths.names.len()];
    let mut last_seen = vec![usize::MAX; paths.names.len()];
    for (index, (path, load)) in paths.loads.iter().enumerate() {
        for name in path.iter().map(|frame| frame.name()) {
            if last_seen[name.index()] != index {
                last_seen[name.index()] = index;
                cpu_ns[name.index()] += load.cpu_ns;
            }
        }
    }
    cpu_ns
}

/// Names with CPU time, most first; by name where equal.
pub fn ranked(cpu_ns: Vec<u64>, paths: &Paths<'_>) -> Vec<(NameId, u64)> {
    let mut rows: Vec<_> = paths.names.ids().zip(cpu_ns).filter(|(_, ns)| *ns > 0).collect();
    rows.sort_unstable_by(|(a, a_ns), (b, b_ns)| {
        b_ns.cmp(a_ns).then_with(|| paths.names.get(*a).cmp(paths.names.get(*b)))
    });
    rows
}
