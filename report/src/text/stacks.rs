//! How whole the stacks are, by module, and what would help.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use sigspy_model::{LocationId, Profile, StackKind, Stop};

use super::TextOptions;
use super::table::Table;
use crate::groups::{ANONYMOUS, module_of};
use crate::names::presentable;
use crate::paths::reason;
use crate::quality::{percent, seconds, share};

/// CPU time of samples with a stack, and of those whose stack is whole, ns.
#[derive(Clone, Copy, Default)]
struct Walked {
    all_ns: u64,
    whole_ns: u64,
}

/// Writes how much of the CPU time has whole stacks, by the module that was running; where the
/// others end, by module and reason; and a sentence for each reason.
pub fn write(profile: &Profile, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut running: BTreeMap<&str, Walked> = BTreeMap::new();
    let mut ends: BTreeMap<(Stop, &str), u64> = BTreeMap::new();
    for sample in &profile.samples {
        let stack = profile.stack(sample.stack);
        let StackKind::Walked(stop) = stack.kind else { continue };
        let walked = running.entry(module(profile, stack.locations.first())).or_default();
        walked.all_ns += sample.weight_ns;
        if stop == Stop::End {
            walked.whole_ns += sample.weight_ns;
        } else {
            let last = module(profile, stack.locations.last());
            *ends.entry((stop, last)).or_default() += sample.weight_ns;
        }
    }
    write_running(running, options, out)?;
    let total_ns = profile.accounting.recorded_ns;
    write_ends(&ends, total_ns, options, out)
}

fn module<'p>(profile: &'p Profile, location: Option<&LocationId>) -> &'p str {
    location.map_or(ANONYMOUS, |id| module_of(profile, *id))
}

fn write_running(
    running: BTreeMap<&str, Walked>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows: Vec<_> = running.into_iter().collect();
    rows.sort_by_key(|(_, walked)| Reverse(walked.all_ns));
    let mut table = Table::new(["whole", "CPU s", "module that was running"]);
    for (name, walked) in rows.iter().take(options.limit) {
        let whole = percent(share(walked.whole_ns, walked.all_ns));
        table.push([whole, seconds(walked.all_ns), presentable(*name).into_owned()]);
    }
    writeln!(out, "\nWhole stacks by module\n")?;
    table.write_first_of(rows.len(), out)
}

fn write_ends(
    ends: &BTreeMap<(Stop, &str), u64>,
    total_ns: u64,
    options: &TextOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<_> = ends.iter().collect();
    rows.sort_by_key(|(_, ns)| Reverse(**ns));
    let mut table = Table::new(["share", "CPU s", "where the stack ends, and why"]);
    for ((stop, name), ns) in rows.iter().take(options.limit) {
        let place = format!("{}: {}", presentable(*name), reason(*stop));
        table.push([percent(share(**ns, total_ns)), seconds(**ns), place]);
    }
    writeln!(out, "\nStacks that are not whole\n")?;
    table.write_first_of(rows.len(), out)?;
    let mut stops: Vec<Stop> = ends.keys().map(|(stop, _)| *stop).collect();
    stops.dedup();
    writeln!(out)?;
    stops.iter().try_for_each(|stop| writeln!(out, "{}: {}", reason(*stop), remedy(*stop)))
}

/// What to do about a reason.
fn remedy(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "nothing is missing",
        Stop::NoTable => {
            "compile that module with -fasynchronous-unwind-tables or -fno-omit-frame-pointer; let \
             code that is compiled at run time keep frame pointers (java -XX:+PreserveFramePointer)"
        }
        Stop::BadRule => {
            "the unwind information of that module says what is not so; a newer compiler or linker \
             may help, or -fno-omit-frame-pointer"
        }
        Stop::OutOfStack => {
            "a frame lies where no stack is, as with damaged stacks and stacks that are made by hand"
        }
        Stop::Truncated => "the innermost frames are there, and the rest is nothing to worry about",
        Stop::Stale => {
            "libraries came and went faster than sigspy could look; keep them loaded (RTLD_NODELETE)"
        }
    }
}
