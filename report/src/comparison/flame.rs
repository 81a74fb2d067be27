//! A flame graph of two sides: red is more time of a function's own, blue is less.

use std::io::Write;

use inferno::flamegraph::{self as inferno_graph, Direction, Options, TextTruncateDirection};
use sigspy_compare::Comparison;

use super::ComparisonOptions;
use crate::error::Error;
use crate::names::{folded, presentable, shortened};

/// Which widths frames have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffLayout {
    /// The larger of both sides, so that all frames are seen: also those that vanished.
    #[default]
    Union,
    Base,
    Head,
}

/// Frames that are drawn, at most: some 4 MB.
const MOST_FRAMES: usize = 12_000;
/// Frames with less are left out: share of the whole.
const LEAST_SHARE: f64 = 0.0001;
/// Frames on one path, for browsers to draw it.
const DEEPEST: usize = 1500;
/// Characters of a name, and of a title.
const LONGEST_NAME: usize = 240;
const LONGEST_TITLE: usize = 120;

/// Draws both sides as one. Fails with [`Error::NoSamples`] when there is no stack on either side,
/// and when the writer does.
pub fn diff_flamegraph(
    comparison: &Comparison,
    layout: DiffLayout,
    options: &ComparisonOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut tree = Tree::new(&comparison.stacks());
    tree.prune(layout);
    let lines = tree.lines(layout);
    if lines.is_empty() {
        return Err(Error::NoSamples);
    }
    let mut drawing = Options::default();
    let title = presentable(format!("{} → {}", options.base, options.head)).into_owned();
    drawing.title = shortened(&title, LONGEST_TITLE).into_owned();
    drawing.subtitle = Some(subtitle(layout).to_owned());
    "µs of CPU time in a run".clone_into(&mut drawing.count_name);
    drawing.deterministic = true;
    drawing.direction = Direction::Straight;
    drawing.text_truncate_direction = TextTruncateDirection::Right;
    drawing.min_width = 0.0; // what is too narrow is left out already
    drawing.flame_chart = true; // keeps the order of lines, which is that of the tree
    drawing.negate_differentials = layout == DiffLayout::Base;
    let mut svg = Vec::new();
    let lines = lines.iter().rev().map(String::as_str);
    inferno_graph::from_lines(&mut drawing, lines, &mut svg).map_err(Error::Draw)?;
    Ok(out.write_all(&svg)?)
}

fn subtitle(layout: DiffLayout) -> &'static str {
    match layout {
        DiffLayout::Union => {
            "red: more time of its own, blue: less; width: the larger of before and after"
        }
        DiffLayout::Base => "red: more time of its own, blue: less; width: before",
        DiffLayout::Head => "red: more time of its own, blue: less; width: after",
    }
}

/// A frame, with the time of its own on both sides: microseconds.
struct Node<'a> {
    name: &'a str,
    depth: usize,
    own: [u64; 2],
}

/// Frames in the order of a walk from the root.
struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

impl DiffLayout {
    fn width(self, [base, head]: [u64; 2]) -> u64 {
        match self {
            Self::Union => base.max(head),
            Self::Base => base,
            Self::Head => head,
        }
    }

    /// Two columns from which inferno takes the width (the second) and the difference.
    fn columns(self, [base, head]: [u64; 2]) -> [u64; 2] {
        match self {
            Self::Union if head < base => [2 * base - head, base],
            Self::Union | Self::Head => [base, head],
            Self::Base => [head, base],
        }
    }
}

impl<'a> Tree<'a> {
    /// Stacks are in the order of their names.
    fn new(stacks: &[(Vec<&'a str>, [f64; 2])]) -> Self {
        let mut nodes: Vec<Node<'a>> = Vec::new();
        let mut open: Vec<usize> = Vec::new(); // the path of the last node, as indices
        for (path, seconds) in stacks {
            let path = &path[..path.len().min(DEEPEST)];
            let shared = open.iter().zip(path).take_while(|(i, name)| nodes[**i].name == **name);
            open.truncate(shared.count());
            for name in &path[open.len()..] {
                open.push(nodes.len());
                nodes.push(Node { name, depth: open.len() - 1, own: [0; 2] });
            }
            if let Some(leaf) = open.last() {
                let microseconds = seconds.map(|seconds| (seconds * 1e6).round() as u64);
                nodes[*leaf].own = sum(nodes[*leaf].own, microseconds);
            }
        }
        Self { nodes }
    }

    /// Leaves out narrow frames. Their time is then that of their callers, unless they have no width at
    /// all: what the side that is drawn does not have is no change of its callers.
    fn prune(&mut self, layout: DiffLayout) {
        let widths = self.widths(layout);
        let roots = self.nodes.iter().zip(&widths).filter(|(node, _)| node.depth == 0);
        let whole: u64 = roots.map(|(_, width)| width).sum();
        let mut sorted = widths.clone();
        sorted.sort_unstable_by_key(|width| std::cmp::Reverse(*width));
        let by_count = sorted.get(MOST_FRAMES).map_or(0, |width| width + 1);
        let least = by_count.max((whole as f64 * LEAST_SHARE) as u64).max(1);
        let mut kept: Vec<Node<'a>> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (node, width) in std::mem::take(&mut self.nodes).into_iter().zip(widths) {
            open.truncate(node.depth);
            if width >= least {
                open.push(kept.len());
                kept.push(node);
            } else if let Some(caller) = open.last().filter(|_| width > 0) {
                kept[*caller].own = sum(kept[*caller].own, node.own);
            }
        }
        self.nodes = kept;
    }

    /// Of each frame with all it called.
    fn widths(&self, layout: DiffLayout) -> Vec<u64> {
        let mut widths: Vec<u64> = self.nodes.iter().map(|node| layout.width(node.own)).collect();
        let mut callers: Vec<Option<usize>> = Vec::with_capacity(widths.len());
        let mut open: Vec<usize> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            open.truncate(node.depth);
            callers.push(open.last().copied());
            open.push(index);
        }
        for index in (0..widths.len()).rev() {
            if let Some(caller) = callers[index] {
                widths[caller] += widths[index];
            }
        }
        widths
    }

    /// Folded stacks with two columns, in the order of the tree.
    fn lines(&self, layout: DiffLayout) -> Vec<String> {
        let mut lines = Vec::new();
        let mut stack = String::new();
        let mut ends: Vec<usize> = Vec::new(); // where each frame of `stack` ends
        for node in &self.nodes {
            ends.truncate(node.depth);
            stack.truncate(ends.last().copied().unwrap_or(0));
            if !stack.is_empty() {
                stack.push(';');
            }
            let name = presentable(node.name);
            stack.push_str(&folded(&shortened(&name, LONGEST_NAME)));
            ends.push(stack.len());
            if layout.width(node.own) > 0 {
                let [first, second] = layout.columns(node.own);
                lines.push(format!("{stack} {first} {second}"));
            }
        }
        lines
    }
}

fn sum(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(layout: DiffLayout) -> Vec<String> {
        let stacks = [
            (vec!["main"], [1.0, 1.0]),
            (vec!["main", "gone"], [2.0, 0.0]),
            (vec!["main", "slow"], [1.0, 3.0]),
            (vec!["main", "tiny"], [0.00001, 0.0]),
        ];
        let mut tree = Tree::new(&stacks);
        tree.prune(layout);
        tree.lines(layout)
    }

    #[test]
    fn all_frames_are_seen_in_the_layout_of_both_sides() {
        let expected =
            ["main 1000020 1000010", "main;gone 4000000 2000000", "main;slow 1000000 3000000"];
        assert_eq!(lines(DiffLayout::Union), expected);
    }

    #[test]
    fn one_side_shows_its_own_frames() {
        assert_eq!(lines(DiffLayout::Head), ["main 1000000 1000000", "main;slow 1000000 3000000"]);
        let expected = ["main 1000000 1000010", "main;gone 0 2000000", "main;slow 3000000 1000000"];
        assert_eq!(lines(DiffLayout::Base), expected);
    }

    #[test]
    fn callers_are_as_wide_as_what_they_call() {
        let stacks = [(vec!["a", "b", "c"], [1e-6, 2e-6]), (vec!["a", "d"], [5e-6, 1e-6])];
        assert_eq!(Tree::new(&stacks).widths(DiffLayout::Union), [7, 2, 2, 5]);
    }
}
