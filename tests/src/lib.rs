//! The harness of the end-to-end tests: real programs, profiled by the real `sigspy`.
//!
//! The tests are in `tests/`, the programs with known answers in `programs/`. Whoever writes a test
//! needs [`record`] to profile a program, [`Folded`] to ask what the profile says, and
//! [`statistics`] to say how far off it may be.
//!
//! Three environment variables matter. `SIGSPY_BIN` names the binary under test, which is otherwise
//! built from this workspace. With `SIGSPY_FULL=1` the tests take longer and are stricter. With
//! `SIGSPY_TRIPWIRE=1` all that is recorded dies if the handler does what no handler may.

mod binary;
mod check;
mod fixture;
mod folded;
mod mounts;
mod node;
mod program;
mod prose;
pub mod ptrace;
mod random;
mod recording;
pub mod remote;
mod run;
pub mod statistics;
mod temp;

pub use binary::{sigspy, unprivileged_sigspy, workspace};
pub use check::{Checked, check};
pub use fixture::{cargo_sigspy, copy_folder, fixture, lasting_target};
pub use folded::{Folded, thread_of};
pub use mounts::{run_with_mounts, shell_with_mounts};
pub use node::node;
pub use program::{Language, Program, needs, program, program_by, program_in, program_with};
pub use prose::prose;
pub use random::Random;
pub use recording::{Recorded, export, record, record_at, record_in, record_with, tripwire};
pub use run::{Outcome, Running, mask_has, run, run_with_input, run_within, spawn, wait_until};
pub use temp::TempDir;

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether the long, strict runs are asked for.
pub fn full() -> bool {
    env::var_os("SIGSPY_FULL").is_some_and(|value| value == "1")
}

/// Lets one test at a time use the processors; it is released when dropped.
///
/// Tests of one file run at the same time. Those that measure take turns, or they would measure
/// each other.
pub fn processors() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time between two ticks of the kernel: CPU timers are looked at no more often than that.
pub fn kernel_tick() -> Duration {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC_COARSE;
    nix::time::clock_getres(clock).expect("every Linux has the coarse clock").into()
}
