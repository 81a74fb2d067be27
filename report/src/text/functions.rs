//! The functions with the most CPU time.

use std::io::{self, Write};

use sigspy_model::Profile;

use super::TextOptions;
use super::table::Table;
use crate::interval::{effective_samples, wilson};
use crate::names::{NameId, shortened};
use crate::paths::{Paths, STACKLESS};
use crate::quality::{percent, seconds, share};

/// Writes two tables: functions by own time, and by total time.
pub fn write(
    profile: &Profile,
    paths: &Paths<'_>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let samples = effective_samples(profile);
    writeln!(out, "\nFunctions by CPU time of their own\n")?;
    write_table(&ranked(own(paths), paths), "self", samples, paths, options, out)?;
    writeln!(out, "\nFunctions by CPU time including all they call\n")?;
    write_table(&ranked(total(paths), paths), "total", samples, paths, options, out)
}

fn write_table(
    rows: &[(NameId, u64)],
    kind: &str,
    samples: f64,
    paths: &Paths<'_>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let total_ns = paths.total_ns();
    let mut table = Table::new([kind, "95 % interval", "CPU s", "function"]);
    for (id, cpu_ns) in rows.iter().take(options.limit) {
        let name = paths.names.get(*id);
        let share = share(*cpu_ns, total_ns);
        let interval = interval(name, share, samples);
        let name = shortened(name, options.name_width).into_owned();
        table.push([percent(share), interval, seconds(*cpu_ns), name]);
    }
    table.write_first_of(rows.len(), out)
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
