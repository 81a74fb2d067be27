//! A profile as text, folded stacks or a flame graph.
//!
//! Every report is a function of a [`Profile`](sigspy_model::Profile) and its
//! [`Symbols`](sigspy_model::Symbols), written as bytes: no file is opened, no clock is asked,
//! nothing is printed. The same profile gives the same bytes.
//!
//! Shares are shares of CPU time, never of the number of samples. Time without a stack is shown
//! as a frame of its own (`[lost]`, `[SIGPROF blocked]`, `[unsampled]`), and a stack that is not
//! whole says so in its first frame, so that what is missing can be seen and nothing vanishes.

mod error;
mod flamegraph;
mod folded;
mod gaps;
mod interval;
mod names;
mod paths;
mod quality;
mod text;
mod tree;
mod warnings;

#[cfg(test)]
mod made_up;

pub use error::Error;
pub use flamegraph::{FlameOptions, Palette, flamegraph};
pub use folded::{FoldedOptions, Unit, folded};
pub use quality::{Quality, quality};
pub use text::{TextOptions, quality_text, text};
