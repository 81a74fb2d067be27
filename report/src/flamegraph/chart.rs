//! Stacks in the order of time, without frames that are too narrow.
//!
//! A frame lasts for as long as each stack has it in the same place, above the same frames. One
//! that lasts too short is left out with all that stands on it, and its place stays empty: what
//! comes later is drawn where it belongs.

use crate::names::FrameId;
use crate::paths::Load;

/// Stacks one after the other, and how much of each is drawn.
pub struct Chart<'p> {
    loads: &'p [(Box<[FrameId]>, Load)],
    /// By stack: how many of its frames are drawn, from the first on.
    depths: Vec<usize>,
    /// Frames were left out for lasting too short.
    pub pruned: bool,
    /// Frames were left out for being too deep.
    pub cut: bool,
}

impl<'p> Chart<'p> {
    /// All stacks, up to their frame `deepest`.
    pub fn new(loads: &'p [(Box<[FrameId]>, Load)], deepest: usize) -> Self {
        let depths = loads.iter().map(|(path, _)| path.len().min(deepest)).collect();
        let cut = loads.iter().any(|(path, _)| path.len() > deepest);
        Self { loads, depths, pruned: false, cut }
    }

    /// Leaves out frames that last less than `least_ns`.
    pub fn prune(&mut self, least_ns: u64) {
        let mut open: Vec<Open> = Vec::new();
        let mut now_ns = 0;
        for index in 0..self.loads.len() {
            let path = self.drawn(index);
            let shared = open.iter().zip(path).take_while(|(open, frame)| open.frame == **frame);
            let (shared, depth) = (shared.count(), path.len());
            self.close(&mut open, shared, index, now_ns, least_ns);
            let (path, load) = &self.loads[index];
            let start = |frame: &FrameId| Open { frame: *frame, first: index, since_ns: now_ns };
            open.extend(path[shared..depth].iter().map(start));
            now_ns += load.cpu_ns;
        }
        self.close(&mut open, 0, self.loads.len(), now_ns, least_ns);
    }

    /// Each stack as it is drawn, and the nanoseconds that it lasts.
    pub fn runs(&self) -> impl Iterator<Item = (&'p [FrameId], u64)> {
        let depths = self.depths.iter();
        self.loads.iter().zip(depths).map(|((path, load), depth)| (&path[..*depth], load.cpu_ns))
    }

    /// The frames that are drawn, each as often as it begins.
    pub fn frames(&self) -> impl Iterator<Item = FrameId> {
        let mut before: &[FrameId] = &[];
        self.runs().flat_map(move |(path, _)| {
            let shared = before.iter().zip(path).take_while(|(a, b)| a == b).count();
            before = path;
            path[shared..].iter().copied()
        })
    }

    fn drawn(&self, index: usize) -> &'p [FrameId] {
        &self.loads[index].0[..self.depths[index]]
    }

    /// Ends the frames from `keep` on, before the stack `end`. Those that were too short are cut
    /// off the stacks that had them.
    fn close(&mut self, open: &mut Vec<Open>, keep: usize, end: usize, now_ns: u64, least_ns: u64) {
        while open.len() > keep
            && let Some(ended) = open.pop()
        {
            if now_ns - ended.since_ns < least_ns {
                self.pruned = true;
                let depth = open.len();
                self.depths[ended.first..end].iter_mut().for_each(|kept| *kept = depth.min(*kept));
            }
        }
    }
}

/// A frame that has not ended yet.
struct Open {
    frame: FrameId,
    /// The first stack that has it.
    first: usize,
    since_ns: u64,
}
