//! Which frames are drawn, and as which lines.

use super::DEEPEST;
use super::chart::Chart;
use crate::names::{self, FrameId, Names};
use crate::paths::Paths;
use crate::tree::Tree;

/// Bytes of an SVG file for one frame besides its name, as measured, and rounded up.
const FRAME_BYTES: usize = 320;
/// Characters of a name.
const LONGEST_NAME: usize = 240;
/// Stands for root frames that were left out.
pub const NOT_DRAWN: &str = "[not drawn]";

/// Frames with their widths.
pub enum Layout<'p> {
    /// Equal stacks are one.
    Graph(Tree),
    /// Stacks stay in the order in which they came.
    Chart(Chart<'p>),
}

impl<'p> Layout<'p> {
    /// The frames with at least `least_ns` of CPU time, and not too deep to be drawn.
    pub fn new(paths: &'p Paths<'_>, chart: bool, least_ns: u64) -> Self {
        if chart {
            Self::Chart(Chart::new(&paths.loads, DEEPEST))
        } else {
            Self::Graph(Tree::new(paths, least_ns, DEEPEST))
        }
    }

    /// Leaves out frames with less than `least_ns`.
    pub fn prune(&mut self, least_ns: u64) {
        match self {
            Self::Graph(tree) => tree.prune(least_ns),
            Self::Chart(chart) => chart.prune(least_ns),
        }
    }

    /// Frames were left out for having too little time.
    pub fn is_pruned(&self) -> bool {
        match self {
            Self::Graph(tree) => tree.pruned,
            Self::Chart(chart) => chart.pruned,
        }
    }

    /// Frames were left out for being too deep.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Graph(tree) => tree.cut,
            Self::Chart(chart) => chart.cut,
        }
    }

    /// CPU time of the profile.
    pub fn total_ns(&self) -> u64 {
        match self {
            Self::Graph(tree) => tree.total_ns,
            Self::Chart(chart) => chart.runs().map(|(_, ns)| ns).sum(),
        }
    }

    /// The frames that are drawn, each as often as it is.
    pub fn frames(&self) -> Box<dyn Iterator<Item = FrameId> + '_> {
        match self {
            Self::Graph(tree) => Box::new(tree.nodes.iter().map(|node| node.frame)),
            Self::Chart(chart) => Box::new(chart.frames()),
        }
    }

    /// About how many bytes the SVG file will have.
    pub fn estimate(&self, labels: &Labels) -> usize {
        self.frames().map(|frame| FRAME_BYTES + labels.of(frame).len()).sum()
    }

    /// Folded stacks with CPU time in nanoseconds, in the order in which they are drawn.
    pub fn lines(&self, labels: &Labels) -> Vec<String> {
        match self {
            Self::Graph(tree) => lines_of_tree(tree, labels),
            Self::Chart(chart) => chart.runs().map(|(path, ns)| labels.line(path, ns)).collect(),
        }
    }
}

fn lines_of_tree(tree: &Tree, labels: &Labels) -> Vec<String> {
    let mut lines = Vec::new();
    let mut stack = String::new();
    let mut ends = Vec::new(); // where each frame of `stack` ends
    for node in &tree.nodes {
        ends.truncate(node.depth);
        stack.truncate(ends.last().copied().unwrap_or(0));
        if !stack.is_empty() {
            stack.push(';');
        }
        stack.push_str(labels.of(node.frame));
        ends.push(stack.len());
        if node.own_ns > 0 {
            lines.push(format!("{stack} {}", node.own_ns));
        }
    }
    let rest = tree.rootless_ns();
    lines.extend((rest > 0).then(|| labels.line(&[], rest)));
    lines
}

/// Names as they are drawn, by id: as they are, and as those of inlined functions.
pub struct Labels(Vec<[String; 2]>);

impl Labels {
    pub fn new(names: &Names<'_>) -> Self {
        let label = |frame: FrameId| {
            let name = names.frame(frame);
            names::folded(&names::shortened(&name, LONGEST_NAME)).into_owned()
        };
        Self(names.ids().map(|id| [label(id.into()), label(FrameId::inlined(id))]).collect())
    }

    pub fn of(&self, frame: FrameId) -> &str {
        &self.0[frame.name().index()][usize::from(frame.is_inlined())]
    }

    fn line(&self, path: &[FrameId], ns: u64) -> String {
        if path.is_empty() {
            return format!("{NOT_DRAWN} {ns}");
        }
        let frames: Vec<_> = path.iter().map(|frame| self.of(*frame)).collect();
        format!("{} {ns}", frames.join(";"))
    }
}
