//! The recording: an append-only file of checksummed, compressed chunks, readable after a cut
//! at any byte.

pub mod chunk;
pub mod event;
pub mod profile;
pub mod reader;
pub mod symbols;
pub mod writer;

#[cfg(test)]
mod tests;

use sigspy_model::{Profile, Symbols};

pub use event::{Event, MetaEvent, clock_number, gap_number};
pub use writer::Writer;

/// What a recording holds.
#[derive(Clone, Debug)]
pub struct Recording {
    pub profile: Profile,
    /// Frames of all locations, if they were looked up already.
    pub symbols: Option<Symbols>,
}
