//! Which test a sample belongs to.
//!
//! libtest runs each test on a thread of its own, or on the main thread, and calls it through a
//! function that is always the same: what comes below is the test. Threads that a test has started
//! mostly run a closure of the test, and so have its name in their stacks. Where stacks do not tell,
//! threads do: Linux gives a new thread the name of the one that has started it, which is that of
//! its test, cut after 15 bytes, unless the program names it. A name that could be that of several
//! tests says nothing. Where tests run on threads of their own, one with the main thread's name is
//! libtest's: it has not come to its test yet.

use std::collections::{HashMap, HashSet};

use sigspy_model::{Language, Profile, Sample, Stack, Symbols, Thread, ThreadId};

use super::TestProgram;
use crate::names::presentable;
use crate::readable::readable_name;

/// The function of libtest that calls each test, and nothing else does.
const CALLS_TEST: &str = "test::__rust_begin_short_backtrace";
/// Crates whose functions stand between that and the test.
const BETWEEN: [&str; 4] = ["core", "std", "alloc", "test"];
/// Bytes of the name of a thread.
const LONGEST_NAME: usize = 15;

/// Time that belongs to no test.
const HARNESS: &str = "[test harness]";
const OTHER_THREADS: &str = "[other threads]";
const OTHER_PROCESSES: &str = "[other processes]";

/// Whether a row stands for time that belongs to no test.
pub fn is_no_test(name: &str) -> bool {
    [HARNESS, OTHER_THREADS, OTHER_PROCESSES].contains(&name)
}

/// The owners of the samples of one program.
pub struct Owners {
    by_stack: Vec<Option<String>>,
    by_thread: HashMap<ThreadId, String>,
    /// Name of the threads of libtest that are no test's.
    of_harness: Option<Vec<u8>>,
}

impl Owners {
    pub fn new(program: &TestProgram<'_>) -> Self {
        let TestProgram { profile, symbols, .. } = program;
        let called = profile.stacks.iter().map(|stack| called(stack, symbols));
        let mut by_stack: Vec<Option<String>> = called.collect();
        let of_harness = of_harness(profile, &by_stack);
        let listed = program.tests.iter().map(|test| format!("{}::{test}", program.crate_name));
        let known: HashSet<String> = listed.chain(by_stack.iter().flatten().cloned()).collect();
        for (stack, test) in profile.stacks.iter().zip(&mut by_stack) {
            if test.is_none() {
                *test = mentioned(stack, symbols, &known);
            }
        }
        let by_thread = by_thread(profile, &by_stack, &known);
        Self { by_stack, by_thread, of_harness }
    }

    pub fn owner(&self, profile: &Profile, sample: &Sample) -> &str {
        let by_stack = self.by_stack[sample.stack.0 as usize].as_ref();
        match by_stack.or_else(|| self.by_thread.get(&sample.thread)) {
            Some(test) => test,
            None => self.no_test(profile, profile.thread(sample.thread)),
        }
    }

    fn no_test(&self, profile: &Profile, thread: &Thread) -> &'static str {
        if thread.process.0 != 0 {
            OTHER_PROCESSES
        } else if is_main(profile, thread) || self.is_of_harness(thread) {
            HARNESS
        } else {
            OTHER_THREADS
        }
    }

    fn is_of_harness(&self, thread: &Thread) -> bool {
        self.of_harness.as_deref() == Some(thread.name.as_bytes())
    }
}

/// The name that threads have from the main thread, if that starts those of tests.
fn of_harness(profile: &Profile, called: &[Option<String>]) -> Option<Vec<u8>> {
    let is_of_test = |sample: &Sample| {
        let thread = profile.thread(sample.thread);
        let is_helper = thread.process.0 == 0 && !is_main(profile, thread);
        is_helper && called[sample.stack.0 as usize].is_some()
    };
    let name = profile.processes.first()?.name.bytes().take(LONGEST_NAME);
    profile.samples.iter().any(is_of_test).then(|| name.collect())
}

/// Whether a thread is the first of its process.
fn is_main(profile: &Profile, thread: &Thread) -> bool {
    thread.tid == profile.process(thread.process).pid
}

/// The tests that threads belong to: all but the main ones, which run one after another.
fn by_thread(
    profile: &Profile,
    by_stack: &[Option<String>],
    known: &HashSet<String>,
) -> HashMap<ThreadId, String> {
    let mut by_thread = HashMap::new();
    for sample in &profile.samples {
        let test = by_stack[sample.stack.0 as usize].as_ref();
        if let Some(test) = test.filter(|_| !is_main(profile, profile.thread(sample.thread))) {
            by_thread.entry(sample.thread).or_insert_with(|| test.clone());
        }
    }
    let by_name = by_name(known);
    for (index, thread) in profile.threads.iter().enumerate() {
        let test = by_name.get(thread.name.as_bytes()).copied().flatten();
        let is_helper = thread.process.0 == 0 && !is_main(profile, thread);
        if let Some(test) = test.filter(|_| is_helper) {
            by_thread.entry(ThreadId(index as u32)).or_insert_with(|| test.to_owned());
        }
    }
    by_thread
}

/// The only test that a thread of some name can be of; `None` if there are several.
fn by_name(known: &HashSet<String>) -> HashMap<&[u8], Option<&str>> {
    let mut by_name = HashMap::new();
    for test in known {
        let name = test.split_once("::").map_or(&**test, |(_, name)| name).as_bytes();
        let cut = &name[..name.len().min(LONGEST_NAME)];
        by_name.entry(cut).and_modify(|only| *only = None).or_insert(Some(&**test));
    }
    by_name
}

/// The test that libtest has called: the first function below its own that is not the library's.
fn called(stack: &Stack, symbols: &Symbols) -> Option<String> {
    let mut names = names(stack, symbols);
    names.find(|name| *name == CALLS_TEST)?;
    names.find(|name| !is_between(name))
}

/// The outermost function of a stack that is a test, or a closure in one.
fn mentioned(stack: &Stack, symbols: &Symbols, known: &HashSet<String>) -> Option<String> {
    names(stack, symbols).find(|name| known.contains(name))
}

/// Functions of a stack from the root, closures by the names of their functions.
fn names(stack: &Stack, symbols: &Symbols) -> impl Iterator<Item = String> {
    let locations = stack.locations.iter().rev();
    let frames = locations.flat_map(|location| symbols.frames(*location).iter().rev());
    frames.map(|frame| {
        let name = readable_name(&frame.function, Language::Rust);
        let end = name.find("::{").unwrap_or(name.len());
        presentable(&name[..end]).into_owned()
    })
}

fn is_between(name: &str) -> bool {
    name.starts_with('<') || name.split("::").next().is_some_and(|one| BETWEEN.contains(&one))
}
