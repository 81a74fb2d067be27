//! A CPU profile as plain data: no I/O, no file format, no dependency.
//!
//! The collector fills a [`Profile`] from a recording, the symbolizer answers with [`Symbols`]
//! for its locations, and every report is a function of the two.

mod accounting;
mod merge;
mod module;
mod profile;
mod symbols;

pub use accounting::{Accounting, Limits, Shortfall};
pub use merge::{MergeError, merge};
pub use module::{BuildId, Location, LocationId, Module, ModuleId};
pub use profile::{
    Clock, Gap, Life, Meta, Process, ProcessId, Profile, Sample, Stack, StackId, StackKind, Stop,
    Thread, ThreadId,
};
pub use symbols::{Frame, Language, Symbols};
