//! One module: what its files say about its addresses.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use gimli::RunTimeEndian;
use sigspy_model::{Frame, Language, Module};

use crate::debug_info::{self, DebugInfo, RawFrame};
use crate::demangle::{clean, demangle};
use crate::elf::{self, Image, Sections};
use crate::files::Files;
use crate::functions::Functions;
use crate::pool;
use crate::problem::Cause;
use crate::sources::{Kept, Sources};
use crate::symbol_table::{Name, SymbolTable};

/// A module with more addresses than this keeps all threads busy, each with a part of them.
/// Fewer are not worth it: each thread reads the units it meets anew.
pub const MANY: usize = 4096;

/// Frames of each address, in order, and what could have been better.
pub struct Answer {
    pub frames: Vec<Vec<Frame>>,
    pub cause: Option<Cause>,
}

/// Looks up sorted addresses of one module. Every address gets at least one frame.
pub fn symbolize(
    module: &Module,
    addresses: &[u64],
    kept: Option<&Kept>,
    sources: &Sources,
) -> Answer {
    let files = Files::find(module, kept, sources);
    let own = files.own.as_ref().and_then(Image::elf);
    let debug = files.debug.as_ref().and_then(Image::elf);
    let shared = files.shared.as_ref().and_then(Image::elf);
    let described = || own.iter().chain(&debug);
    let symbols = SymbolTable::of(described());
    let dwarf = described().find(|elf| elf::has_debug_info(elf)).map(|elf| Dwarf {
        sections: elf::sections(elf),
        shared: shared.as_ref().map(elf::sections),
        endian: debug_info::endian(elf),
    });
    let shortage = match &dwarf {
        Some(dwarf) => dwarf.open().err().map(Cause::BadDebugInfo),
        // The vDSO never has any, and nobody can add it.
        None if module.image.is_some() => None,
        None if symbols.stripped => Some(Cause::NoSymbols),
        None => Some(Cause::NoDebugInfo),
    };
    let functions = OnceLock::new();
    let known = Known { module: module.name(), dwarf, symbols, own: own.as_ref(), functions };
    Answer { frames: known.frames(addresses), cause: files.cause.or(shortage) }
}

/// The debug sections of a module.
struct Dwarf<'d> {
    sections: Sections<'d>,
    shared: Option<Sections<'d>>,
    endian: RunTimeEndian,
}

impl Dwarf<'_> {
    fn open(&self) -> gimli::Result<DebugInfo<'_>> {
        DebugInfo::new(&self.sections, self.shared.as_ref(), self.endian)
    }
}

/// All that is known about a module.
struct Known<'d> {
    module: &'d str,
    dwarf: Option<Dwarf<'d>>,
    symbols: SymbolTable<'d>,
    /// The module itself: debug files have no unwind information.
    own: Option<&'d object::File<'d>>,
    /// Read when an address without a name is met.
    functions: OnceLock<Option<Functions<'d>>>,
}

impl Known<'_> {
    /// What stands for a name: the start of the function around `address` where it is known.
    fn placeholder(&self, address: u64) -> String {
        let functions = self.functions.get_or_init(|| self.own.map(Functions::of));
        let start = functions.as_ref().and_then(|functions| functions.start(address));
        clean(&format!("{}+{:#x}", self.module, start.unwrap_or(address))).into_owned()
    }

    /// Each thread gets a contiguous part, so that few units are read twice.
    fn frames(&self, addresses: &[u64]) -> Vec<Vec<Frame>> {
        if addresses.len() <= MANY {
            return self.part(addresses);
        }
        let parts: Vec<&[u64]> =
            addresses.chunks(addresses.len().div_ceil(pool::width())).collect();
        pool::map(&parts, |part| self.part(part)).into_iter().flatten().collect()
    }

    fn part(&self, addresses: &[u64]) -> Vec<Vec<Frame>> {
        let info = self.dwarf.as_ref().and_then(|dwarf| dwarf.open().ok());
        let mut lookup = Lookup { known: self, info, shown: HashMap::new(), files: HashMap::new() };
        addresses.iter().map(|address| lookup.frames(*address)).collect()
    }
}

/// Turns addresses into frames. Each distinct name is demangled once.
struct Lookup<'a, 'd> {
    known: &'a Known<'d>,
    info: Option<DebugInfo<'a>>,
    shown: HashMap<Name<'a>, (Arc<str>, Language)>,
    files: HashMap<String, Arc<str>>,
}

impl<'a, 'd: 'a> Lookup<'a, 'd> {
    /// Innermost first, the physical function last.
    fn frames(&mut self, address: u64) -> Vec<Frame> {
        let mut raw = self.info.as_ref().map_or(Vec::new(), |info| info.frames(address));
        let physical = raw.pop().unwrap_or_default();
        let inlined = raw.into_iter().filter(|frame| frame.function.is_some());
        let mut frames: Vec<_> = inlined.map(|raw| self.frame(raw, address, true)).collect();
        frames.push(self.frame(physical, address, false));
        frames
    }

    fn frame(&mut self, raw: RawFrame<'a>, address: u64, inlined: bool) -> Frame {
        let described = raw.function.filter(|raw| !raw.is_empty()).map(Name::function);
        let symbol = if inlined { None } else { self.known.symbols.find(address) };
        let (function, language) = match fuller(described, symbol) {
            Some(name) => match self.shown(name) {
                // gcc describes templates that are inlined by a name without a structure.
                (shown, Language::Plain) => (shown, raw.language),
                shown => shown,
            },
            None => (self.known.placeholder(address).into(), Language::Plain),
        };
        let file = raw.file.map(|file| self.file(file));
        Frame { function, file, line: raw.line, language, inlined }
    }

    fn shown(&mut self, name: Name<'a>) -> (Arc<str>, Language) {
        let show = || {
            let (shown, language) = demangle(name.raw);
            let stub = if name.stub { "@plt" } else { "" };
            ((shown + stub).into(), language)
        };
        self.shown.entry(name).or_insert_with(show).clone()
    }

    fn file(&mut self, path: String) -> Arc<str> {
        if let Some(file) = self.files.get(&path) {
            return file.clone();
        }
        let file: Arc<str> = clean(&path).into();
        self.files.insert(path, file.clone());
        file
    }
}

/// The name from debug information, but for functions that it knows by their last name alone:
/// gcc gives `operator()` for a lambda. There the symbol has the whole path.
fn fuller<'a>(described: Option<Name<'a>>, symbol: Option<Name<'a>>) -> Option<Name<'a>> {
    let whole = symbol.filter(|symbol| symbol.is_mangled() && !symbol.stub);
    match described {
        Some(name) if name.is_mangled() => Some(name),
        Some(name) => whole.or(Some(name)),
        None => symbol,
    }
}
