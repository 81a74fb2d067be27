//! Folded stacks: one line for each distinct stack, which flame graph tools read.

use std::cmp::Ordering;
use std::io::{self, BufWriter, Write};

use sigspy_model::{Profile, Symbols};

use crate::error::Error;
use crate::names::{self, FrameId, Names};
use crate::paths::{Load, Paths, Roots};

/// What the number at the end of a line counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// CPU time in microseconds. All lines together are the CPU time of the profile, rounded once.
    #[default]
    Microseconds,
    /// Signals. Time without a signal of its own has no line.
    Ticks,
}

/// Ends the name of an inlined function, as in the output of `stackcollapse-perf.pl --inline`.
const INLINED: &str = "_[i]";

/// How stacks are folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct FoldedOptions {
    pub unit: Unit,
    /// Starts each stack with its thread: `name-pid/tid`.
    pub threads: bool,
}

/// Writes a line for each distinct stack: frames from the root, `;` between them, a space, the
/// count. Lines are sorted; those that would count 0 are left out. Semicolons in names become
/// colons, and inlined functions end with `_[i]`. Fails when the writer does.
pub fn folded(
    profile: &Profile,
    symbols: &Symbols,
    options: &FoldedOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut paths = Paths::new(profile, symbols, Roots::of(profile, options.threads));
    let frames = Texts::new(&paths.names);
    paths.loads.sort_unstable_by(|(a, _), (b, _)| as_lines(&frames, a, b));
    let mut count = counter(options.unit);
    let mut out = BufWriter::new(out);
    for (path, load) in &paths.loads {
        let count = count(load);
        if count > 0 {
            write_line(&frames, path, count, &mut out)?;
        }
    }
    Ok(out.flush()?)
}

/// Names as they are written, by id.
struct Texts(Vec<String>);

impl Texts {
    fn new(names: &Names<'_>) -> Self {
        Self(names.iter().map(|name| names::folded(name).into_owned()).collect())
    }

    /// What is written for a frame, in two parts.
    fn of(&self, frame: FrameId) -> [&str; 2] {
        let mark = if frame.is_inlined() { INLINED } else { "" };
        [&self.0[frame.name().index()], mark]
    }
}

/// Compares paths as `sort` compares their lines, without making the lines: there may be
/// gigabytes of them. Counts are left out of it.
fn as_lines(texts: &Texts, a: &[FrameId], b: &[FrameId]) -> Ordering {
    let shared = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    line_from(texts, a, shared).cmp(line_from(texts, b, shared))
}

/// Loads to counts, one after the other. Microseconds carry the rest over to the next line: each
/// is at most one off, and their sum is right.
fn counter(unit: Unit) -> impl FnMut(&Load) -> u64 {
    let mut ns_so_far = 500; // rounds the total to the nearest
    let mut us_so_far = 0;
    move |load| match unit {
        Unit::Ticks => load.ticks,
        Unit::Microseconds => {
            ns_so_far += load.cpu_ns;
            let us = ns_so_far / 1000 - us_so_far;
            us_so_far += us;
            us
        }
    }
}

/// The bytes of a line from its frame `first` on.
fn line_from<'f>(
    texts: &'f Texts,
    path: &'f [FrameId],
    first: usize,
) -> impl Iterator<Item = u8> + 'f {
    let frames = path[first..].iter().enumerate().flat_map(move |(index, frame)| {
        let separator = if first + index > 0 { ";" } else { "" };
        let [name, mark] = texts.of(*frame);
        separator.bytes().chain(name.bytes()).chain(mark.bytes())
    });
    frames.chain(*b" 0")
}

fn write_line(texts: &Texts, path: &[FrameId], count: u64, out: &mut dyn Write) -> io::Result<()> {
    for (index, frame) in path.iter().enumerate() {
        let separator = if index > 0 { ";" } else { "" };
        let [name, mark] = texts.of(*frame);
        write!(out, "{separator}{name}{mark}")?;
    }
    writeln!(out, " {count}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Builder;
    use sigspy_model::{StackKind, Stop};

    const US: FoldedOptions = FoldedOptions { unit: Unit::Microseconds, threads: false };
    const TICKS: FoldedOptions = FoldedOptions { unit: Unit::Ticks, threads: false };

    fn written(builder: &Builder, options: &FoldedOptions) -> String {
        let mut out = Vec::new();
        folded(&builder.profile, &builder.symbols(), options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn total(text: &str) -> u64 {
        text.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    }

    #[test]
    fn equal_stacks_are_one_line_and_lines_are_sorted() {
        let mut builder = Builder::new();
        builder.sample(&["main", "work"], 2_000).sample(&["main"], 1_000);
        builder.sample(&["main", "work"], 3_000).sample(&["a"], 1_000);
        assert_eq!(written(&builder, &US), "a 1\nmain 1\nmain;work 5\n");
        assert_eq!(written(&builder, &TICKS), "a 1\nmain 1\nmain;work 2\n");
    }

    #[test]
    fn lines_are_sorted_as_text_also_where_a_name_continues_another() {
        let mut builder = Builder::new();
        for stack in [&["f"] as &[&str], &["f", "g"], &["f const", "g"], &["f::g"], &["f(int)"]] {
            builder.sample(stack, 1_000);
        }
        let text = written(&builder, &US);
        assert!(text.lines().is_sorted() && text.lines().count() == 5, "{text}");
    }

    #[test]
    fn inlined_functions_are_frames_with_a_mark() {
        let mut builder = Builder::new();
        builder.sample(&["main", "outer => inner => innermost"], 1_000);
        assert_eq!(written(&builder, &US), "main;outer;inner_[i];innermost_[i] 1\n");
    }

    #[test]
    fn time_without_a_whole_stack_has_frames_of_its_own() {
        let mut builder = Builder::new();
        builder.stackless(StackKind::Lost, 1_000).stackless(StackKind::Blocked, 2_000);
        builder.stackless(StackKind::Unsampled, 3_000);
        builder.stopped(Stop::NoTable, &["jit", "leaf"], 4_000).stopped(Stop::BadRule, &[], 5_000);
        let expected = "[SIGPROF blocked] 2\n\
                        [incomplete: no unwind table];jit;leaf 4\n\
                        [incomplete: unwind rule];[unknown] 5\n\
                        [lost] 1\n\
                        [unsampled] 3\n";
        assert_eq!(written(&builder, &US), expected);
        let ticks = written(&builder, &TICKS);
        assert!(!ticks.contains("lost") && ticks.contains("leaf 1"), "{ticks}");
    }

    #[test]
    fn microseconds_add_up_exactly() {
        let mut builder = Builder::new();
        let names: Vec<String> = (0..1000).map(|i| format!("f{i}")).collect();
        for (i, name) in names.iter().enumerate() {
            builder.sample(&["main", name], 333 + i as u64);
        }
        let total_ns: u64 = builder.profile.samples.iter().map(|sample| sample.weight_ns).sum();
        assert_eq!(total(&written(&builder, &US)), (total_ns + 500) / 1000);
    }

    #[test]
    fn names_cannot_break_the_format() {
        let mut builder = Builder::new();
        builder.sample(&["<[u8; 8] as T>::f", "two\nlines", "shard 12"], 1_000);
        let text = written(&builder, &US);
        assert_eq!(text, "<[u8: 8] as T>::f;two\u{fffd}lines;shard\u{a0}12 1\n");
    }

    #[test]
    fn several_processes_have_a_root_each_and_threads_on_request() {
        let mut builder = Builder::new();
        builder.sample(&["main"], 1_000);
        builder.thread("sh", 7, "worker", 8).sample(&["main"], 2_000);
        assert_eq!(written(&builder, &US), "app;main 1\nsh;main 2\n");
        let threads = FoldedOptions { unit: Unit::Microseconds, threads: true };
        let expected = "app;app-1/1;main 1\nsh;worker-7/8;main 2\n";
        assert_eq!(written(&builder, &threads), expected);
    }

    #[test]
    fn no_samples_are_no_lines() {
        assert_eq!(written(&Builder::new(), &US), "");
    }
}
