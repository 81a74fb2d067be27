//! Who called whom, from the root.
//!
//! A frame is indented further than its caller only where the caller called several functions or
//! took time itself, so that deep stacks stay on the screen. Of a long chain of calls the middle
//! is left out.

use std::cmp::Reverse;
use std::io::{self, Write};

use super::TextOptions;
use super::table::Table;
use crate::names::{Names, shortened};
use crate::paths::Paths;
use crate::quality::{percent, share};
use crate::tree::Tree;

/// Frames that are shown at each end of a chain of calls.
const CHAIN_ENDS: usize = 3;
/// A frame that adds less than this share of the total to the frame it calls only passes calls on.
const PASSES_ON: f64 = 0.001;
/// Levels of indentation; deeper ones are told by their number.
const DEEPEST: usize = 30;

/// Writes the frames with at least the wanted share of the total.
pub fn write(paths: &Paths<'_>, options: &TextOptions, out: &mut dyn Write) -> io::Result<()> {
    let least_ns = (paths.total_ns() as f64 * options.least_share).ceil() as u64;
    let tree = Tree::new(paths, least_ns, usize::MAX);
    let least = percent(options.least_share);
    writeln!(out, "\nCall tree (frames below {least} are not shown)\n")?;
    let mut table = Table::new(["total", "self", "function"]);
    let mut walk = Walk::new(&tree);
    while let Some((chain, level)) = walk.next_chain() {
        write_chain(&chain, level, &tree, &paths.names, options, &mut table);
    }
    table.write(out)
}

fn write_chain(
    chain: &[usize],
    level: usize,
    tree: &Tree,
    names: &Names<'_>,
    options: &TextOptions,
    table: &mut Table<3>,
) {
    let indent = indent(level);
    let hidden = chain.len().saturating_sub(2 * CHAIN_ENDS);
    for (place, index) in chain.iter().enumerate() {
        let node = &tree.nodes[*index];
        let percent = |ns| percent(share(ns, tree.total_ns));
        if hidden < 2 || place < CHAIN_ENDS || place >= CHAIN_ENDS + hidden {
            let name = names.frame(node.frame);
            let name = shortened(&name, options.name_width);
            let cells = [percent(node.total_ns), percent(node.self_ns), format!("{indent}{name}")];
            table.push(cells);
        } else if place == CHAIN_ENDS {
            let more = format!("{indent}... {hidden} more frames");
            table.push([String::new(), String::new(), more]);
        }
    }
}

fn indent(level: usize) -> String {
    let spaces = "  ".repeat(level.min(DEEPEST));
    if level > DEEPEST { format!("{spaces}({level}) ") } else { spaces }
}

/// A walk from the root, the largest branch first, in chains of frames that only pass calls on.
struct Walk<'t> {
    tree: &'t Tree,
    /// By node: the index after its last descendant.
    ends: Vec<usize>,
    /// First frames of chains yet to come, with their level, the next one last.
    ahead: Vec<(usize, usize)>,
}

impl<'t> Walk<'t> {
    fn new(tree: &'t Tree) -> Self {
        let mut walk = Self { tree, ends: tree.ends(), ahead: Vec::new() };
        let roots = walk.siblings(0, tree.nodes.len());
        walk.branch(roots, 0);
        walk
    }

    /// The next chain, caller first, and its level.
    fn next_chain(&mut self) -> Option<(Vec<usize>, usize)> {
        let (mut last, level) = self.ahead.pop()?;
        let mut chain = vec![last];
        loop {
            let callees = self.siblings(last + 1, self.ends[last]);
            let own = share(self.tree.nodes[last].own_ns, self.tree.total_ns);
            match callees[..] {
                [only] if own < PASSES_ON => {
                    chain.push(only);
                    last = only;
                }
                _ => {
                    self.branch(callees, level + 1);
                    return Some((chain, level));
                }
            }
        }
    }

    /// The nodes of one caller: the one at `first` and those beside it, up to `end`.
    fn siblings(&self, first: usize, end: usize) -> Vec<usize> {
        let next = |node: &usize| Some(self.ends[*node]).filter(|next| *next < end);
        std::iter::successors(Some(first).filter(|first| *first < end), next).collect()
    }

    fn branch(&mut self, mut callees: Vec<usize>, level: usize) {
        callees.sort_by_key(|node| Reverse(self.tree.nodes[*node].total_ns));
        self.ahead.extend(callees.into_iter().rev().map(|node| (node, level)));
    }
}
