//! Functions, files and lines from DWARF, by way of addr2line.
//!
//! addr2line reads a unit when an address first falls into it, so cost follows the number of
//! units met. A [`DebugInfo`] caches what it read and is for one thread; those of other threads
//! are opened from the same [`Dwarf`].

use std::sync::Arc;

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::{
    AbbreviationsCacheStrategy, AttributeValue, DwLang, EndianSlice, RunTimeEndian, UnitOffset,
    UnitRef,
};
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
    /// `{async_fn#0}` or `{async_block#0}`, where the linkage name says closure.
    pub coroutine: Option<&'d [u8]>,
    entry: Option<UnitOffset>,
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
        let Ok(mut found) = self.loaded(self.context.find_frames(address)) else { return frames };
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
                coroutine: None,
                entry: frame.dw_die_offset,
            });
        }
        self.name_coroutines(address, &mut frames);
        frames
    }

    /// rustc mangles bodies of async functions as closures, and tells them apart only here.
    fn name_coroutines(&self, address: u64, frames: &mut [RawFrame<'_, 'd>]) {
        let is_closure = |frame: &&mut RawFrame<'_, 'd>| frame.function.is_some_and(is_closure);
        let mut closures = frames.iter_mut().filter(is_closure).peekable();
        if closures.peek().is_none() {
            return;
        }
        let Some(unit) = self.loaded(self.context.find_dwarf_and_unit(address)) else { return };
        for frame in closures {
            let name = frame.entry.and_then(|entry| plain_name(unit, entry));
            frame.coroutine = name.filter(|name| name.starts_with(b"{async_"));
        }
    }

    /// What a lookup comes to when all files are read that it asks for.
    fn loaded<L: LookupContinuation<Buf = Slice<'d>>>(
        &self,
        mut lookup: LookupResult<L>,
    ) -> L::Output {
        loop {
            lookup = match lookup {
                LookupResult::Output(found) => return found,
                LookupResult::Load { load, continuation } => {
                    continuation.resume(self.split.load(&load))
                }
            }
        }
    }
}

/// Whether a linkage name, v0 or legacy, is that of a closure.
fn is_closure(name: &[u8]) -> bool {
    const LEGACY: &[u8] = b"$u7b$$u7b$closure$u7d$$u7d$17h";
    name.starts_with(b"_RNC")
        || name.starts_with(b"_ZN") && name.windows(LEGACY.len()).any(|part| part == LEGACY)
}

/// What debug information calls a function besides its linkage name. An inlined function is
/// named where it is described by itself.
fn plain_name<'d>(unit: UnitRef<'_, Slice<'d>>, entry: UnitOffset) -> Option<&'d [u8]> {
    let entry = unit.entry(entry).ok()?;
    let described = match entry.attr_value(gimli::DW_AT_abstract_origin) {
        Some(AttributeValue::UnitRef(origin)) => unit.entry(origin).ok()?,
        _ => entry,
    };
    let name = described.attr_value(gimli::DW_AT_name)?;
    unit.attr_string(name).ok().map(|name| name.slice())
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
