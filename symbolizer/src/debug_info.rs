//! Functions, files and lines from DWARF, by way of addr2line.
//!
//! addr2line reads a unit when an address first falls into it, so cost follows the number of
//! units met. A [`DebugInfo`] caches what it read and is for one thread; those of other threads
//! are opened from the same [`Dwarf`].

use std::sync::Arc;

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::{AbbreviationsCacheStrategy, DwLang, EndianSlice, RunTimeEndian};
use object::Object;
use sigspy_model::Language;

use crate::elf::Sections;
use crate::split::Split;

/// Frames at one address at most: a small file can nest functions thousands deep, and say so for
/// each of its addresses.
const MOST_FRAMES: usize = 256;
/// Longer paths are none: the system's limit, with room for what is relative in them. Bytes.
const LONGEST_PATH: usize = 2 * 4096;

type Slice<'d> = EndianSlice<'d, RunTimeEndian>;

/// The debug sections of one module, shared by threads.
pub struct Dwarf<'d> {
    sections: Arc<gimli::Dwarf<Slice<'d>>>,
    split: &'d Split<'d>,
}

/// What one thread knows of the debug information of a module.
pub struct DebugInfo<'d> {
    context: Context<Slice<'d>>,
    split: &'d Split<'d>,
}

/// One function at an address, as the debug information spells it.
#[derive(Default)]
pub struct RawFrame<'c, 'd> {
    /// Linkage name where there is one.
    pub function: Option<&'d [u8]>,
    /// The language has no other names than the plain ones.
    pub is_plain: bool,
    /// In memory for as long as the [`DebugInfo`].
    pub file: Option<&'c str>,
    pub line: Option<u32>,
    /// That of the unit.
    pub language: Language,
}

impl<'d> Dwarf<'d> {
    /// `shared` holds what several debug files have in common, `split` what the linker left out.
    pub fn new(
        sections: &'d Sections<'_>,
        shared: Option<&'d Sections<'_>>,
        split: &'d Split<'d>,
        endian: RunTimeEndian,
    ) -> Self {
        let slice = |section| Slice::new(section, endian);
        let mut dwarf = sections.borrow(|section| slice(section));
        if let Some(shared) = shared {
            dwarf.set_sup(shared.borrow(|section| slice(section)));
        }
        dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::Duplicates);
        Self { sections: Arc::new(dwarf), split }
    }

    /// Reads the list of units.
    pub fn open(&self) -> gimli::Result<DebugInfo<'d>> {
        let context = Context::from_arc_dwarf(self.sections.clone())?;
        Ok(DebugInfo { context, split: self.split })
    }
}

impl<'d> DebugInfo<'d> {
    /// Frames at `address`, innermost first; none where no unit covers it. The last is the
    /// physical function, of which at times only file and line are known. Ends early where the
    /// information is damaged; of too many frames, those between the innermost and the last are
    /// left out.
    pub fn frames(&self, address: u64) -> Vec<RawFrame<'_, 'd>> {
        let mut frames = Vec::new();
        if address == u64::MAX {
            return frames; // addr2line adds one to it
        }
        let mut lookup = self.context.find_frames(address);
        let found = loop {
            lookup = match lookup {
                LookupResult::Output(found) => break found,
                LookupResult::Load { load, continuation } => {
                    continuation.resume(self.split.load(&load))
                }
            }
        };
        let Ok(mut found) = found else { return frames };
        while let Ok(Some(frame)) = found.next() {
            let location = frame.location.as_ref();
            let file = location.and_then(|location| location.file);
            let function = frame.function.as_ref();
            frames.truncate(MOST_FRAMES - 1);
            let language = function.and_then(|function| function.language);
            frames.push(RawFrame {
                function: function.map(|function| function.name.slice()),
                is_plain: language.is_some_and(is_plain),
                language: language.map_or(Language::Plain, language_of),
                file: file.filter(|file| file.len() <= LONGEST_PATH),
                line: location.and_then(|location| location.line).filter(|line| *line > 0),
            });
        }
        frames
    }
}

fn language_of(language: DwLang) -> Language {
    const CPP: [DwLang; 6] = [
        gimli::DW_LANG_C_plus_plus,
        gimli::DW_LANG_C_plus_plus_03,
        gimli::DW_LANG_C_plus_plus_11,
        gimli::DW_LANG_C_plus_plus_14,
        gimli::DW_LANG_C_plus_plus_17,
        gimli::DW_LANG_C_plus_plus_20,
    ];
    match language {
        gimli::DW_LANG_Rust => Language::Rust,
        language if CPP.contains(&language) => Language::Cpp,
        _ => Language::Plain,
    }
}

/// True for languages whose functions have one name, for people and for the linker.
fn is_plain(language: DwLang) -> bool {
    use gimli::{
        DW_LANG_C, DW_LANG_C11, DW_LANG_C17, DW_LANG_C89, DW_LANG_C99, DW_LANG_Mips_Assembler,
    };
    [DW_LANG_C89, DW_LANG_C, DW_LANG_C99, DW_LANG_C11, DW_LANG_C17, DW_LANG_Mips_Assembler]
        .contains(&language)
}

/// The byte order of a file.
pub fn endian(elf: &object::File<'_>) -> RunTimeEndian {
    if elf.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}
