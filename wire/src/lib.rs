//! What the agent in the target and the collector agree on: the layout of the shared memory,
//! the lanes, the records in them, and the messages of the handshake.
//!
//! Everything is `repr(C)` with fixed-width integers. Both sides come out of one build, and
//! [`VERSION`] keeps different builds apart.
//!
//! Everything that both sides touch is an atomic, so that a scribbling target is a wrong value
//! for the collector and never undefined behaviour.
#![no_std]

pub mod control;
pub mod handshake;
pub mod lane;
pub mod layout;
pub mod module_map;
pub mod process;
pub mod record;
pub mod slot;

/// Changes with every change of a layout or of a meaning in this crate.
pub const VERSION: u32 = 4;

#[cfg(not(loom))]
mod atomic {
    pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}
#[cfg(loom)]
mod atomic {
    pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}
