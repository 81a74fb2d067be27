//! Runs a program instruction by instruction, and compares the walker's stack with the shadow
//! stack at each.

use std::collections::BTreeMap;
use std::process::Command;

use nix::libc::SIGTRAP;
use sigspy_tests::ptrace::{self, Go, Registers, Stop};
use sigspy_tests::remote::{Target, in_dwarf_order};
use sigspy_unwind::{EXACT, Stop as WalkStop};

use crate::shadow::Shadow;

/// What was found at the instructions of one program.
#[derive(Default)]
pub struct Verdict {
    pub instructions: u64,
    pub exact: u64,
    /// Walks that ended early and said so: why and where, and how often.
    pub unfinished: BTreeMap<String, u64>,
    /// Where a stack is being made or replaced: why, and how often.
    pub undecided: BTreeMap<String, u64>,
    /// Stacks that claim what was not so: where they differ first, and how often.
    pub wrong: BTreeMap<String, u64>,
    /// The first wrong stack.
    pub example: Option<String>,
    /// `None`: there were more instructions than were wanted.
    pub status: Option<i32>,
}

/// Executes at most `limit` instructions.
pub fn check(command: &mut Command, limit: u64) -> Verdict {
    let mut child = ptrace::start(command);
    let pid = child.id() as ptrace::Tid;
    ptrace::share_a_processor(pid);
    ptrace::share_a_processor(0);
    let mut target = Target::new(pid);
    let mut shadow = Shadow::default();
    let mut verdict = Verdict::default();
    let mut before = ptrace::registers(pid);
    target.has_moved_on(before.rsp);
    let mut signal = 0;
    while verdict.instructions < limit {
        ptrace::resume(pid, Go::OneInstruction, signal);
        let stop = match ptrace::wait() {
            Some((_, Stop::Signal(stop))) => stop,
            Some((_, Stop::Ended(status))) => {
                verdict.status = Some(status);
                break;
            }
            other => panic!("{other:?} behind one instruction of {command:?}"),
        };
        if stop != SIGTRAP {
            signal = stop; // it has executed nothing, and is at its handler behind the next
            continue;
        }
        let after = ptrace::registers(pid);
        target.has_moved_on(after.rsp);
        if signal == 0 {
            shadow.step(&before, &after, &mut target);
        } else {
            shadow.signal(&after, &mut target);
        }
        signal = 0;
        compare(&after, &shadow, &mut target, &mut verdict);
        before = after;
    }
    let _ = child.kill(); // or it has ended
    let _ = child.wait();
    verdict
}

fn compare(registers: &Registers, shadow: &Shadow, target: &mut Target, verdict: &mut Verdict) {
    verdict.instructions += 1;
    let (found, stop) = target.walk(&in_dwarf_order(registers));
    let mut expected = std::iter::once(registers.rip | EXACT).chain(shadow.callers());
    let is_prefix = found.iter().all(|&pc| expected.next() == Some(pc));
    let is_whole = expected.next().is_none();
    if is_prefix && is_whole && stop == WalkStop::End {
        verdict.exact += 1;
        return;
    }
    let expected: Vec<u64> =
        std::iter::once(registers.rip | EXACT).chain(shadow.callers()).collect();
    let last_same = found.iter().zip(&expected).take_while(|(one, other)| one == other).last();
    let place = target.describe(last_same.map_or(0, |(pc, _)| pc & !EXACT));
    let count = if let Some(reason) = undecided(&expected, target) {
        verdict.undecided.entry(reason.to_owned()).or_default()
    } else if is_prefix && stop != WalkStop::End {
        let leaf = target.describe(registers.rip);
        verdict.unfinished.entry(format!("{stop:?} at {place}, from {leaf}")).or_default()
    } else {
        verdict.example.get_or_insert_with(|| {
            format!(
                "instruction {}: walked, to {stop:?}:\n{}called:\n{}",
                verdict.instructions,
                lines(&found, target),
                lines(&expected, target)
            )
        });
        verdict.wrong.entry(format!("behind {place}")).or_default()
    };
    *count += 1;
}

/// Why there is no telling what the stack is, where that is so.
fn undecided(expected: &[u64], target: &Target) -> Option<&'static str> {
    const SWITCHES: [&str; 7] = [
        "swapcontext",
        "__swapcontext",
        "setcontext",
        "__setcontext",
        "__start_context",
        "longjmp",
        "__longjmp",
    ];
    let name = |pc: &u64| target.describe(pc & !EXACT);
    let function = |pc| name(pc).split('+').next().map(str::to_owned).unwrap_or_default();
    let leaf = expected.first().map(function).unwrap_or_default();
    if SWITCHES.contains(&&*leaf) {
        return Some("the stack pointer is that of another stack already, or not yet");
    }
    let replaces = |pc| {
        let function = function(pc);
        function.starts_with("_Unwind_") || function.starts_with("uw_install_context")
    };
    let is_replaced = expected.iter().take(3).any(replaces);
    is_replaced.then_some("libgcc replaces the frames and registers by those of a landing pad")
}

fn lines(pcs: &[u64], target: &Target) -> String {
    pcs.iter().take(30).map(|pc| format!("  {}\n", target.describe(pc & !EXACT))).collect()
}
