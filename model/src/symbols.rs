//! What the symbolizer found out about locations.

use std::collections::HashMap;
use std::sync::Arc;

use crate::LocationId;

/// How a function's name is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// C, and whatever has names without a structure.
    #[default]
    Plain,
    Rust,
    Cpp,
}

/// One function at one location. Equal texts are shared by the frames of one [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Demangled name, or `module+0xoffset` where the module has no symbol that covers it.
    pub function: Arc<str>,
    /// Source file, where debug information names it.
    pub file: Option<Arc<str>>,
    /// Source line, from 1.
    pub line: Option<u32>,
    pub language: Language,
    /// The compiler had put this function into its caller (the next frame).
    pub inlined: bool,
}

/// Frames of every location of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// With the names that `rename` gives: it is asked once for each name and language, and says
    /// `None` for a name that stays.
    pub fn renamed(mut self, mut rename: impl FnMut(&str, Language) -> Option<String>) -> Self {
        let mut renamed: HashMap<(Arc<str>, Language), Arc<str>> = HashMap::new();
        for frame in self.frames.iter_mut().flatten() {
            let key = (frame.function.clone(), frame.language);
            let name = renamed.entry(key).or_insert_with_key(|(name, language)| {
                rename(name, *language).map_or_else(|| name.clone(), Arc::from)
            });
            frame.function = name.clone();
        }
        self
    }

    /// With the source files that `rename` gives: it is asked once for each, and says `None` for one
    /// that stays.
    pub fn with_files(mut self, mut rename: impl FnMut(&str) -> Option<String>) -> Self {
        let mut renamed: HashMap<Arc<str>, Arc<str>> = HashMap::new();
        for file in self.frames.iter_mut().flatten().filter_map(|frame| frame.file.as_mut()) {
            let name = renamed
                .entry(file.clone())
                .or_insert_with_key(|name| rename(name).map_or_else(|| name.clone(), Arc::from));
            *file = name.clone();
        }
        self
    }

    /// The physical functions alone.
    pub fn without_inlined(mut self) -> Self {
        self.frames.iter_mut().for_each(|frames| frames.retain(|frame| !frame.inlined));
        self
    }
}
