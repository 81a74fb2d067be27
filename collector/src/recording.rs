//! The recording: an append-only file of checksummed, compressed chunks, readable after a cut
//! at any byte.

pub mod chunk;
pub mod event;
pub mod reader;
pub mod writer;

#[cfg(test)]
mod tests;

pub use event::{Event, MetaEvent, clock_number, gap_number};
pub use writer::Writer;
