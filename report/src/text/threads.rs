//! CPU time by thread.

use std::cmp::Reverse;
use std::io::{self, Write};

use sigspy_model::Profile;

use super::TextOptions;
use super::table::Table;
use crate::names::presentable;
use crate::quality::{percent, seconds, share};

/// Writes the threads with the most CPU time, unless there is only one.
pub fn write(profile: &Profile, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut cpu_ns = vec![0; profile.threads.len()];
    for sample in &profile.samples {
        cpu_ns[sample.thread.0 as usize] += sample.weight_ns;
    }
    let total_ns = cpu_ns.iter().sum();
    let mut rows: Vec<_> = profile.threads.iter().zip(cpu_ns).filter(|(_, ns)| *ns > 0).collect();
    rows.sort_by_key(|(thread, ns)| (Reverse(*ns), thread.tid));
    if rows.len() < 2 {
        return Ok(());
    }
    let mut table = Table::new(["total", "CPU s", "pid", "tid", "thread"]);
    for (thread, ns) in rows.iter().take(options.limit) {
        let pid = profile.process(thread.process).pid;
        table.push([
            percent(share(*ns, total_ns)),
            seconds(*ns),
            pid.to_string(),
            thread.tid.to_string(),
            presentable(&thread.name).into_owned(),
        ]);
    }
    writeln!(out, "\nThreads\n")?;
    table.write_first_of(rows.len(), out)
}
