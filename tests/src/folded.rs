//! Folded stacks, one a line: frames from the root to the leaf, joined by `;`, a space, a weight.

use std::collections::BTreeMap;

/// A profile as folded stacks, with weights in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    stacks: BTreeMap<Vec<String>, u64>,
}

impl Folded {
    /// Reads folded stacks whose weights are in units of `unit_ns` nanoseconds.
    pub fn parse(text: &str, unit_ns: u64) -> Result<Self, String> {
        let mut folded = Self::default();
        for line in text.lines() {
            let (stack, weight) =
                line.rsplit_once(' ').ok_or_else(|| format!("no weight in the line `{line}`"))?;
            let weight: u64 = weight.parse().map_err(|_| format!("no weight in `{line}`"))?;
            let frames = stack.split(';').map(str::to_owned).collect();
            *folded.stacks.entry(frames).or_default() += weight * unit_ns;
        }
        Ok(folded)
    }

    /// Each stack, root first, with its weight.
    pub fn stacks(&self) -> impl Iterator<Item = (&[String], u64)> {
        self.stacks.iter().map(|(frames, weight)| (frames.as_slice(), *weight))
    }

    /// All CPU time of the profile, lost and unsampled time included.
    pub fn total(&self) -> u64 {
        self.stacks.values().sum()
    }

    /// The weight of the stacks that `wanted` says yes to.
    pub fn weight_where(&self, wanted: impl Fn(&[String]) -> bool) -> u64 {
        self.stacks().filter(|(frames, _)| wanted(frames)).map(|(_, weight)| weight).sum()
    }

    /// The weight of the stacks with a function anywhere in them.
    pub fn weight_of(&self, function: &str) -> u64 {
        self.weight_where(|frames| frames.iter().any(|frame| frame == function))
    }

    /// The weight of the stacks below a root such as `[lost]`; the frame of a thread, where there
    /// is one, counts as no root.
    pub fn weight_below(&self, root: &str) -> u64 {
        self.weight_where(|frames| root_of(frames).starts_with(root))
    }

    /// The weight of real stacks: what is not below a root in brackets, except those that are
    /// incomplete.
    pub fn sampled(&self) -> u64 {
        self.weight_where(|frames| {
            let root = root_of(frames);
            !root.starts_with('[') || root.starts_with("[incomplete")
        })
    }

    /// The part of the profile that `wanted` says yes to.
    pub fn only(&self, wanted: impl Fn(&[String]) -> bool) -> Self {
        let chosen = self.stacks.iter().filter(|(frames, _)| wanted(frames));
        Self { stacks: chosen.map(|(frames, weight)| (frames.clone(), *weight)).collect() }
    }

    /// The heaviest stacks, as text for a test that fails.
    pub fn heaviest(&self, count: usize) -> String {
        let mut stacks: Vec<_> = self.stacks().collect();
        stacks.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let line = |(frames, weight): &(&[String], u64)| format!("{weight} {}", frames.join(";"));
        stacks.iter().take(count).map(line).collect::<Vec<_>>().join("\n")
    }
}

fn root_of(frames: &[String]) -> &str {
    let is_thread = |frame: &&String| thread_of(frame).is_some();
    frames.iter().find(|frame| !is_thread(frame)).map_or("", String::as_str)
}

/// The name and the id of a thread in a frame `NAME-PID/TID`.
pub fn thread_of(frame: &str) -> Option<(&str, u32)> {
    let (rest, tid) = frame.rsplit_once('/')?;
    let (name, pid) = rest.rsplit_once('-')?;
    pid.parse::<u32>().ok()?;
    Some((name, tid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "main;work 30\nmain;work;clock_gettime 10\n[lost] 2\n[unsampled] 5\n\
                        [incomplete: no table];callback 3\n";

    #[test]
    fn weights_of_equal_stacks_add_up() {
        let folded = Folded::parse("main;a b 1\nmain;a b 2\n", 1000).unwrap();
        assert_eq!(folded.total(), 3000);
        assert_eq!(folded.weight_of("a b"), 3000);
    }

    #[test]
    fn sampled_time_is_what_has_a_stack() {
        let folded = Folded::parse(TEXT, 1).unwrap();
        assert_eq!(folded.total(), 50);
        assert_eq!(folded.sampled(), 43);
        assert_eq!(folded.weight_of("work"), 40);
        assert_eq!(folded.weight_below("[incomplete"), 3);
    }

    #[test]
    fn a_thread_is_no_root() {
        let folded = Folded::parse("worker-1-40/41;[lost] 2\nworker-1-40/41;main 3\n", 1).unwrap();
        assert_eq!(folded.weight_below("[lost]"), 2);
        assert_eq!(folded.sampled(), 3);
        assert_eq!(thread_of("worker-1-40/41"), Some(("worker-1", 41)));
        assert_eq!(thread_of("core::ops::Div/f64"), None);
    }

    #[test]
    fn a_line_without_a_weight_is_an_error() {
        assert!(Folded::parse("main;work", 1).is_err());
        assert!(Folded::parse("main;work x", 1).is_err());
    }
}
