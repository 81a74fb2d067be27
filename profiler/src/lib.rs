//! The agent: the part of sigspy that lives inside of the program it profiles.
//!
//! It is freestanding: no libc, no thread-local storage, no allocation, no thread of its own.
//! A constructor ([`entry`]) fetches the shared memory from the collector, installs a SIGPROF
//! handler and arms timers; from then on only the handler runs ([`handler`]). It interrupts the
//! program anywhere, also inside of malloc or the loader, so it may rely on nothing that the
//! program could be in the middle of changing.
//!
//! The build script of the command line compiles this crate as a shared object, with
//! `--cfg sigspy_agent`, which adds the constructor and the exported symbols. As a plain
//! library (for tests and benchmarks) it has neither.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(sigspy_agent), allow(dead_code, reason = "the shared object uses it"))]

#[cfg(target_arch = "x86_64")]
#[path = "arch/x86_64.rs"]
mod arch;

mod agent;
mod disposition;
mod elf;
#[cfg(sigspy_agent)]
mod entry;
mod environment;
mod handler;
mod held_back;
#[cfg(sigspy_agent)]
mod interpose;
#[cfg(any(sigspy_agent, test))]
mod loader;
mod modules;
#[cfg(sigspy_agent)]
mod preload;
mod session;
mod siginfo;
mod stack_memory;
mod stacks;
mod sys;
mod threads;
pub mod tick;
mod toggle;
mod vdso;

pub use session::{Collector, Start, start};
pub use sys::Errno;
