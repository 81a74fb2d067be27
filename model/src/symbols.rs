//! What the symbolizer found out about locations.

use crate::LocationId;

/// One function at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Demangled name, or `module+0xoffset` where the module has no symbol that covers it.
    pub function: String,
    /// Source file, where debug information names it.
    pub file: Option<String>,
    /// Source line, from 1.
    pub line: Option<u32>,
    /// The compiler had put this function into its caller (the next frame).
    pub inlined: bool,
}

/// Frames of every location of a profile.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    frames: Vec<Vec<Frame>>,
}

impl Symbols {
    /// `frames[i]` are the frames of location `i`, innermost first, never empty.
    pub fn new(frames: Vec<Vec<Frame>>) -> Self {
        Self { frames }
    }

    /// Frames at `location`, innermost inlined function first, the physical function last.
    /// Empty for a location that was not part of the profile.
    pub fn frames(&self, location: LocationId) -> &[Frame] {
        self.frames.get(location.0 as usize).map_or(&[], Vec::as_slice)
    }
}
