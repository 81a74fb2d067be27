//! Functions, files and lines from DWARF, by way of addr2line.
//!
//! addr2line reads a unit when an address first falls into it, so cost follows the number of
//! units met. A [`DebugInfo`] caches what it read and is for one thread; several may share the
//! sections. Split DWARF (`.dwo`, `.dwp`) is not followed: its functions come from the symbol
//! table.

use addr2line::Context;
use gimli::{DwLang, EndianSlice, RunTimeEndian};
use object::Object;
use sigspy_model::Language;

use crate::elf::Sections;

/// Frames at one address at most: a small file can nest functions thousands deep, and say so for
/// each of its addresses.
const MOST_FRAMES: usize = 256;
/// Longer paths are none: the system's limit, with room for what is relative in them. Bytes.
const LONGEST_PATH: usize = 2 * 4096;

type Slice<'d> = EndianSlice<'d, RunTimeEndian>;

/// The debug information of one module.
pub struct DebugInfo<'d> {
    context: Context<Slice<'d>>,
}

/// One function at an address, as the debug information spells it.
#[derive(Default)]
pub struct RawFrame<'d> {
    /// Linkage name where there is one.
    pub function: Option<&'d [u8]>,
    pub file: Option<String>,
    pub line: Option<u32>,
    /// That of the unit.
    pub language: Language,
}

impl<'d> DebugInfo<'d> {
    /// Reads the list of units. `shared` holds what several debug files have in common.
    pub fn new(
        sections: &'d Sections<'_>,
        shared: Option<&'d Sections<'_>>,
        endian: RunTimeEndian,
    ) -> gimli::Result<Self> {
        let slice = |section| Slice::new(section, endian);
        let mut dwarf = sections.borrow(|section| slice(section));
        if let Some(shared) = shared {
            dwarf.set_sup(shared.borrow(|section| slice(section)));
        }
        Context::from_dwarf(dwarf).map(|context| Self { context })
    }

    /// Frames at `address`, innermost first; none where no unit covers it. The last is the
    /// physical function, of which at times only file and line are known. Ends early where the
    /// information is damaged; of too many frames, those between the innermost and the last are
    /// left out.
    pub fn frames(&self, address: u64) -> Vec<RawFrame<'d>> {
        let mut frames = Vec::new();
        if address == u64::MAX {
            return frames; // addr2line adds one to it
        }
        let Ok(mut found) = self.context.find_frames(address).skip_all_loads() else {
            return frames;
        };
        while let Ok(Some(frame)) = found.next() {
            let location = frame.location.as_ref();
            let file = location.and_then(|location| location.file);
            frames.truncate(MOST_FRAMES - 1);
            let language = frame.function.as_ref().and_then(|function| function.language);
            frames.push(RawFrame {
                language: language.map_or(Language::Plain, language_of),
                function: frame.function.map(|function| function.name.slice()),
                file: file.filter(|file| file.len() <= LONGEST_PATH).map(str::to_owned),
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

/// The byte order of a file.
pub fn endian(elf: &object::File<'_>) -> RunTimeEndian {
    if elf.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}
