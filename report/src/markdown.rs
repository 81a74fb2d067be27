//! Markdown, for summaries of jobs and comments: short, whatever the profile.

use std::io::{self, BufWriter, Write};

use sigspy_model::{Profile, Symbols};

use crate::error::Error;
use crate::markup::{code, code_in_cell, prose};
use crate::names::{NameId, presentable, shortened};
use crate::paths::{Paths, Roots};
use crate::quality::{percent, quality, seconds, share};
use crate::text::functions::{own, ranked, total};
use crate::tree::{Node, Tree};

/// Rows of each table.
const ROWS: usize = 15;
/// Frames of the call tree.
const FRAMES: usize = 40;
/// Levels of its indentation; deeper ones stay there.
const DEEPEST: usize = 20;
/// Frames with less than this share are not in the tree.
const LEAST_SHARE: f64 = 0.05;
/// Characters of a name.
const NAME_WIDTH: usize = 100;
/// Warnings that are shown.
const WARNINGS: usize = 10;
/// Characters of a warning.
const WARNING_WIDTH: usize = 300;

/// Writes the quality, the functions by own and by total time, and the call tree of where most time
/// went: at most some 20 kB, so that it fits into a comment. Fails when the writer does.
pub fn markdown(profile: &Profile, symbols: &Symbols, out: &mut dyn Write) -> Result<(), Error> {
    let paths = Paths::new(profile, symbols, Roots::of(profile, false));
    let mut out = BufWriter::new(out);
    let command = profile.meta.argv.join(" ");
    writeln!(out, "### CPU profile of {}\n", code(&shortened(&presentable(command), NAME_WIDTH)))?;
    let quality = quality(profile);
    writeln!(out, "{quality}")?;
    for warning in quality.warnings().iter().take(WARNINGS) {
        writeln!(out, "\n> {}", prose(&shortened(warning, WARNING_WIDTH)))?;
    }
    write_functions("Functions by CPU time of their own", &paths, own(&paths), &mut out)?;
    let title = "Functions by CPU time including all they call";
    write_functions(title, &paths, total(&paths), &mut out)?;
    write_tree(&paths, &mut out)?;
    Ok(out.flush()?)
}

fn write_functions(
    title: &str,
    paths: &Paths<'_>,
    cpu_ns: Vec<u64>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows: Vec<(NameId, u64)> = ranked(cpu_ns, paths);
    writeln!(out, "\n#### {title}\n\n| share | CPU s | function |\n|--:|--:|:--|")?;
    for (name, cpu_ns) in rows.iter().take(ROWS) {
        let name = code_in_cell(&shortened(paths.names.get(*name), NAME_WIDTH));
        let share = percent(share(*cpu_ns, paths.total_ns()));
        writeln!(out, "| {share} | {} | {name} |", seconds(*cpu_ns))?;
    }
    match rows.len().saturating_sub(ROWS) {
        0 => Ok(()),
        more => writeln!(out, "\n... and {more} more"),
    }
}

fn write_tree(paths: &Paths<'_>, out: &mut dyn Write) -> io::Result<()> {
    let total_ns = paths.total_ns();
    let least_ns = (total_ns as f64 * LEAST_SHARE).ceil() as u64;
    let tree = Tree::new(paths, least_ns.max(1), usize::MAX);
    let kept = largest(&tree.nodes);
    writeln!(out, "\n<details><summary>Call tree of the largest shares</summary>\n\n```text")?;
    for node in &kept {
        let name = shortened(paths.names.get(node.frame.name()), NAME_WIDTH).replace("```", "'''");
        let indent = "  ".repeat(node.depth.min(DEEPEST));
        let (total, own) = (percent(share(node.total_ns, total_ns)), share(node.self_ns, total_ns));
        writeln!(out, "{total:>7} {:>7}  {indent}{name}", percent(own))?;
    }
    if kept.len() < tree.nodes.len() {
        writeln!(out, "... and {} more frames", tree.nodes.len() - kept.len())?;
    }
    writeln!(out, "```\n\n</details>")
}

/// The frames with the most time, in the order of the tree. A caller is never left out for one that
/// it calls, as it has as much time and stands before it.
fn largest(nodes: &[Node]) -> Vec<&Node> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(nodes[*index].total_ns));
    order.truncate(FRAMES);
    order.sort_unstable();
    order.into_iter().map(|index| &nodes[index]).collect()
}
