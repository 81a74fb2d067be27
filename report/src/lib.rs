//! A profile as text, as a flame graph, and in the formats of other tools.
//!
//! Every report is a function of a [`Profile`](sigspy_model::Profile) and its
//! [`Symbols`](sigspy_model::Symbols), written as bytes: no file is opened, no clock is asked,
//! nothing is printed. The same profile gives the same bytes.
//!
//! Shares are shares of CPU time, never of the number of samples. Time without a stack is shown
//! as a frame of its own (`[lost]`, `[SIGPROF blocked]`, `[unsampled]`), and a stack that is not
//! whole says so in its first frame, so that what is missing can be seen and nothing vanishes.

mod callgrind;
mod check;
mod chrome;
mod comparison;
mod crates;
mod error;
mod firefox;
mod flamegraph;
mod folded;
mod gaps;
mod groups;
mod interval;
mod json;
mod markdown;
mod markup;
mod names;
mod native;
mod origin;
mod paths;
mod per_test;
mod pprof;
mod quality;
mod readable;
mod rows;
mod speedscope;
mod text;
mod timeline;
mod tree;
mod warnings;

#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod made_up;

pub use callgrind::callgrind;
pub use check::{
    Repository, STICKY_MARK, check_annotations, check_code_quality, check_json, check_junit,
    check_markdown, check_metrics, check_sarif, check_text,
};
pub use chrome::chrome;
pub use comparison::{
    ComparisonOptions, DiffLayout, comparison_json, comparison_markdown, comparison_text,
    diff_flamegraph,
};
pub use error::Error;
pub use firefox::firefox;
pub use flamegraph::{FlameOptions, Palette, flamegraph};
pub use folded::{FoldedOptions, Unit, folded};
pub use groups::By;
pub use markdown::markdown;
pub use native::json;
pub use per_test::{PerTestOptions, TestProgram, per_test};
pub use pprof::pprof;
pub use quality::{Quality, quality};
pub use readable::{readable, readable_name};
pub use speedscope::speedscope;
pub use text::{TextOptions, quality_text, tables, text};
