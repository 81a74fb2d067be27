//! Paths as a tree without its small branches.
//!
//! The tree is a list in the order of a walk from the root: a frame stands directly before the
//! frames it called, and `depth` tells how deep each is. Pruning is then a filter, as no frame has
//! more time than its caller, and no function here recurses, however deep the stacks.

use crate::names::FrameId;
use crate::paths::Paths;

/// A frame of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    pub frame: FrameId,
    /// 0 for a root frame.
    pub depth: usize,
    /// CPU time of this frame and of all it called.
    pub total_ns: u64,
    /// CPU time of this frame alone.
    pub self_ns: u64,
    /// The same with the frames it called that were left out.
    pub own_ns: u64,
}

impl Node {
    fn new(frame: FrameId, depth: usize) -> Self {
        Self { frame, depth, total_ns: 0, self_ns: 0, own_ns: 0 }
    }
}

/// Frames in the order of a walk from the root.
pub struct Tree {
    pub nodes: Vec<Node>,
    /// CPU time of the profile.
    pub total_ns: u64,
    /// Frames were left out for having too little time.
    pub pruned: bool,
    /// Frames were left out for being too deep.
    pub cut: bool,
}

impl Tree {
    /// The frames with at least `least_ns` of CPU time, at most `deepest` of them on a path.
    /// Memory is needed for those alone.
    pub fn new(paths: &Paths<'_>, least_ns: u64, deepest: usize) -> Self {
        let mut tree = Self { nodes: Vec::new(), total_ns: 0, pruned: false, cut: false };
        let mut open: Vec<usize> = Vec::new(); // the path of the last node, as indices
        for (path, load) in &paths.loads {
            tree.cut |= path.len() > deepest;
            let path = &path[..path.len().min(deepest)];
            let shared =
                open.iter().zip(path).take_while(|(i, frame)| tree.nodes[**i].frame == **frame);
            let shared = shared.count();
            tree.close(&mut open, shared, least_ns);
            for frame in &path[shared..] {
                open.push(tree.nodes.len());
                tree.nodes.push(Node::new(*frame, open.len() - 1));
            }
            tree.total_ns += load.cpu_ns;
            if let Some(leaf) = open.last() {
                tree.nodes[*leaf].total_ns += load.cpu_ns;
                tree.nodes[*leaf].self_ns += load.cpu_ns;
            }
        }
        tree.close(&mut open, 0, least_ns);
        tree.settle();
        tree
    }

    /// Leaves out frames with less than `least_ns`.
    pub fn prune(&mut self, least_ns: u64) {
        let before = self.nodes.len();
        self.nodes.retain(|node| node.total_ns >= least_ns);
        self.pruned |= self.nodes.len() < before;
        self.settle();
    }

    /// CPU time of root frames that were left out.
    pub fn rootless_ns(&self) -> u64 {
        let roots = self.nodes.iter().filter(|node| node.depth == 0);
        self.total_ns - roots.map(|node| node.total_ns).sum::<u64>()
    }

    /// By node: the index after the last frame it called, directly or not.
    pub fn ends(&self) -> Vec<usize> {
        let mut ends = vec![self.nodes.len(); self.nodes.len()];
        let mut open: Vec<usize> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for ended in open.drain(node.depth..) {
                ends[ended] = index;
            }
            open.push(index);
        }
        ends
    }

    /// Ends open frames from depth `keep` on: their time goes to their callers, and those that
    /// turned out small are dropped. All below them are smaller, so are gone by then.
    fn close(&mut self, open: &mut Vec<usize>, keep: usize, least_ns: u64) {
        while open.len() > keep
            && let Some(index) = open.pop()
        {
            let total_ns = self.nodes[index].total_ns;
            if let Some(caller) = open.last() {
                self.nodes[*caller].total_ns += total_ns;
            }
            if total_ns < least_ns {
                self.nodes.truncate(index);
                self.pruned = true;
            }
        }
    }

    /// Computes `own_ns` of each frame.
    fn settle(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        for index in 0..self.nodes.len() {
            let Node { depth, total_ns, .. } = self.nodes[index];
            self.nodes[index].own_ns = total_ns;
            open.truncate(depth);
            if let Some(caller) = open.last() {
                self.nodes[*caller].own_ns -= total_ns;
            }
            open.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Builder;
    use crate::paths::Roots;

    /// Name, depth, total and own time of each node.
    fn shape(builder: &Builder, least_ns: u64, deepest: usize) -> Vec<(String, usize, u64, u64)> {
        let symbols = builder.symbols();
        let paths = Paths::new(&builder.profile, &symbols, Roots::NONE);
        let tree = Tree::new(&paths, least_ns, deepest);
        let name = |node: &Node| paths.names.frame(node.frame).into_owned();
        let shape = |node: &Node| (name(node), node.depth, node.total_ns, node.own_ns);
        tree.nodes.iter().map(shape).collect()
    }

    fn sample() -> Builder {
        let mut builder = Builder::new();
        builder.sample(&["main", "a", "b"], 5).sample(&["main", "a"], 3);
        builder.sample(&["main", "c"], 1).sample(&["other"], 2);
        builder
    }

    fn node(name: &str, depth: usize, total: u64, own: u64) -> (String, usize, u64, u64) {
        (name.to_owned(), depth, total, own)
    }

    #[test]
    fn a_caller_has_the_time_of_all_it_called() {
        let expected = [
            node("main", 0, 9, 0),
            node("a", 1, 8, 3),
            node("b", 2, 5, 5),
            node("c", 1, 1, 1),
            node("other", 0, 2, 2),
        ];
        assert_eq!(shape(&sample(), 0, 10), expected);
    }

    #[test]
    fn time_of_small_and_of_deep_frames_stays_with_their_callers() {
        assert_eq!(shape(&sample(), 6, 10), [node("main", 0, 9, 1), node("a", 1, 8, 8)]);
        assert_eq!(shape(&sample(), 3, 1), [node("main", 0, 9, 9)]);
    }

    #[test]
    fn pruning_later_is_pruning_at_once() {
        let builder = sample();
        let symbols = builder.symbols();
        let paths = Paths::new(&builder.profile, &symbols, Roots::NONE);
        for least_ns in 0..12 {
            let at_once = Tree::new(&paths, least_ns, 10);
            let mut later = Tree::new(&paths, 0, 10);
            later.prune(least_ns);
            assert_eq!(later.nodes, at_once.nodes);
            assert_eq!(later.pruned, at_once.pruned);
            let roots: u64 = later.nodes.iter().map(|node| node.own_ns).sum();
            assert_eq!(roots + later.rootless_ns(), 11);
        }
    }

    #[test]
    fn ends_tell_where_a_branch_ends() {
        let builder = sample();
        let symbols = builder.symbols();
        let paths = Paths::new(&builder.profile, &symbols, Roots::NONE);
        assert_eq!(Tree::new(&paths, 0, 10).ends(), [4, 3, 3, 4, 5]);
    }
}
