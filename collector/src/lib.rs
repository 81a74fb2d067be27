//! From a command line to a recording, and from a recording to a profile.
//!
//! [`Recorder`] starts a program with the agent preloaded. Each process in which the agent finds
//! itself comes to a socket ([`meeting`]), is given its shared memory ([`memory`]) and, once the
//! unwind tables of its modules are there ([`tables`]), goes on. From then on its lanes are
//! drained and its mappings followed ([`target`]), and what comes out is appended to the
//! recording ([`recording`]). [`read`] turns a recording, whatever is left of it, into a
//! [`Profile`](sigspy_model::Profile).
//!
//! What the target says is untrusted, and so is a recording: both cost samples at most.

mod address_space;
mod arena;
mod cache;
mod children;
mod error;
mod image;
mod journal;
mod launch;
mod maps;
mod meeting;
mod memory;
mod module_files;
mod modules;
mod open_files;
mod perf_map;
mod plan;
mod recorder;
mod recording;
mod system;
mod tables;
mod target;

pub use error::Error;
pub use launch::{Place, check as check_program, find as find_program};
pub use memory::{Follow, Settings};
pub use module_files::{ModuleFile, ModuleFiles};
pub use open_files::leave_limit_as_it_was;
pub use perf_map::PerfMap;
pub use plan::{Plan, can_be_preloaded};
pub use recorder::{Outcome, Recorder, Wishes, wait_for_program};
pub use recording::Recording;
pub use recording::profile::write;
pub use recording::reader::read;
pub use recording::symbols::append as append_symbols;
pub use sigspy_wire::control::Clock;
pub use system::open_pidfd;
