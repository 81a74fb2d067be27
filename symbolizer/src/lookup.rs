//! Addresses of one module to frames, by all that its files say.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sigspy_model::{Frame, Language, Module};

use crate::debug_info::{self, DebugInfo, Dwarf, RawFrame};
use crate::demangle::{clean, demangle};
use crate::elf::{self, Image, Room};
use crate::files::Files;
use crate::functions::Functions;
use crate::pool;
use crate::problem::Cause;
use crate::split::{Split, SplitFiles};
use crate::symbol_table::{Name, SymbolTable};
use crate::texts::{ByPlace, Texts};

/// A module with more addresses than this keeps all threads busy, each with parts of them.
/// Fewer are not worth it: each thread reads the list of units anew.
pub const MANY: usize = 4096;
/// Parts for each thread: some of a module take longer than others.
const PARTS: usize = 4;

/// What was found for a module.
pub struct Found {
    /// For each address, at least one.
    pub frames: Vec<Vec<Frame>>,
    /// Why there could be more.
    pub cause: Option<Cause>,
}

/// Looks up sorted addresses.
pub fn look_up(
    module: &Module,
    files: &Files<'_>,
    split_files: &SplitFiles<'_>,
    addresses: &[u64],
    texts: &Texts,
) -> Found {
    if addresses.is_empty() {
        return Found { frames: Vec::new(), cause: None };
    }
    let own = files.own.as_ref().and_then(Image::elf);
    let debug = files.debug.as_ref().and_then(Image::elf);
    let shared = files.shared.as_ref().and_then(Image::elf);
    let described: Vec<_> = own.iter().chain(&debug).collect();
    let known = |dwarf| Known {
        module: module.name(),
        dwarf,
        described: &described,
        symbols: OnceLock::new(),
        own: own.as_ref(),
        functions: OnceLock::new(),
        texts,
    };
    let Some(elf) = described.iter().find(|elf| elf::has_debug_info(elf)) else {
        return Found { frames: known(None).frames(addresses, None), cause: None };
    };
    let room = Room::new();
    let sections = elf::sections(elf, &room);
    let shared = shared.as_ref().map(|elf| elf::sections(elf, &room));
    let endian = debug_info::endian(elf);
    let split = Split::new(split_files, endian, &room);
    let (frames, damage) = {
        let dwarf = Dwarf::new(&sections, shared.as_ref(), &split, endian);
        let opened = dwarf.open();
        let damage = opened.as_ref().err().copied().map(Cause::BadDebugInfo);
        (known(Some(&dwarf)).frames(addresses, opened.ok()), damage)
    };
    Found { frames, cause: damage.or(split.missing().map(Cause::MissingUnits)) }
}

/// All that is known about a module.
struct Known<'a, 'd> {
    module: &'a str,
    dwarf: Option<&'a Dwarf<'d>>,
    /// The module and its debug file.
    described: &'a [&'d object::File<'d>],
    /// Read when it is needed, which for many modules is never.
    symbols: OnceLock<SymbolTable<'d>>,
    /// The module itself: debug files have no unwind information.
    own: Option<&'d object::File<'d>>,
    /// Read when an address without a name is met.
    functions: OnceLock<Option<Functions<'d>>>,
    texts: &'a Texts,
}

impl<'d> Known<'_, 'd> {
    /// What stands for a name: the start of the function around `address` where it is known.
    fn placeholder(&self, address: u64) -> Arc<str> {
        let functions = self.functions.get_or_init(|| self.own.map(Functions::of));
        let start = functions.as_ref().and_then(|functions| functions.start(address));
        self.texts.share(&clean(&format!("{}+{:#x}", self.module, start.unwrap_or(address))))
    }

    fn symbol(&self, address: u64) -> Option<Name<'d>> {
        let read = || SymbolTable::of(self.described.iter().copied());
        self.symbols.get_or_init(read).find(address)
    }

    /// Each thread gets contiguous parts, so that few units are read twice. `first` is what one
    /// of them begins with.
    fn frames(&self, addresses: &[u64], first: Option<DebugInfo<'d>>) -> Vec<Vec<Frame>> {
        if addresses.len() <= MANY {
            return self.part(first.as_ref(), addresses);
        }
        let length = addresses.len().div_ceil(pool::width() * PARTS);
        let parts: Vec<&[u64]> = addresses.chunks(length).collect();
        let first = Mutex::new(first);
        let open = || {
            let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            first.or_else(|| self.dwarf?.open().ok())
        };
        let done = pool::map_with(&parts, open, |info, part| self.part(info.as_ref(), part));
        done.into_iter().flatten().collect()
    }

    fn part(&self, info: Option<&DebugInfo<'d>>, addresses: &[u64]) -> Vec<Vec<Frame>> {
        let (names, files) = (ByPlace::new(), ByPlace::new());
        let mut lookup = Lookup { known: self, names, files };
        let frames = |address: &u64| {
            let raw = info.map_or(Vec::new(), |info| info.frames(*address));
            lookup.frames(*address, raw)
        };
        addresses.iter().map(frames).collect()
    }
}

/// Turns what debug information says into frames. Each name is demangled once.
struct Lookup<'a, 'c, 'd> {
    known: &'a Known<'a, 'd>,
    names: ByPlace<'d, (Arc<str>, Language)>,
    files: ByPlace<'c, Arc<str>>,
}

impl<'c, 'd> Lookup<'_, 'c, 'd> {
    /// Innermost first, the physical function last.
    fn frames(&mut self, address: u64, mut raw: Vec<RawFrame<'c, 'd>>) -> Vec<Frame> {
        let physical = raw.pop().unwrap_or_default();
        let mut frames = Vec::with_capacity(raw.len() + 1);
        let inlined = raw.into_iter().filter(|frame| frame.function.is_some());
        frames.extend(inlined.map(|raw| self.frame(raw, address, true)));
        frames.push(self.frame(physical, address, false));
        frames
    }

    fn frame(&mut self, raw: RawFrame<'c, 'd>, address: u64, inlined: bool) -> Frame {
        let described = raw.function.filter(|raw| !raw.is_empty()).map(Name::function);
        let name = match described {
            Some(name) if inlined || raw.is_plain || name.is_mangled() => Some(name),
            _ => fuller(described, self.known.symbol(address)),
        };
        let (function, language) = match name {
            Some(name) => match self.shown(name, raw.coroutine) {
                // gcc describes templates that are inlined by a name without a structure.
                (shown, Language::Plain) => (shown, raw.language),
                shown => shown,
            },
            None => (self.known.placeholder(address), Language::Plain),
        };
        let file = raw.file.map(|file| self.file(file));
        Frame { function, file, line: raw.line, language, inlined }
    }

    fn shown(&mut self, name: Name<'d>, coroutine: Option<&[u8]>) -> (Arc<str>, Language) {
        let texts = self.known.texts;
        if name.stub {
            let (shown, language) = demangle(name.raw);
            return (texts.share(&(shown + "@plt")), language);
        }
        self.names.get(name.raw, || {
            let (shown, language) = match coroutine {
                Some(coroutine) => as_coroutine(demangle(name.raw), coroutine),
                None => demangle(name.raw),
            };
            (texts.share(&shown), language)
        })
    }

    fn file(&mut self, path: &'c str) -> Arc<str> {
        self.files.get(path.as_bytes(), || self.known.texts.share(&clean(path)))
    }
}

/// `app::fetch::{closure#0}` as `app::fetch::{async_fn#0}`.
fn as_coroutine((name, language): (String, Language), kind: &[u8]) -> (String, Language) {
    let kind = String::from_utf8_lossy(kind.split(|byte| *byte == b'<').next().unwrap_or(kind));
    match name.rsplit_once("::") {
        Some((path, last)) if last.starts_with('{') => {
            (format!("{path}::{}", clean(&kind)), language)
        }
        _ => (name, language),
    }
}

/// The name from debug information, but for functions that it knows by their last name alone:
/// gcc gives `operator()` for a lambda. There the symbol has the whole path.
fn fuller<'a>(described: Option<Name<'a>>, symbol: Option<Name<'a>>) -> Option<Name<'a>> {
    match described {
        Some(name) => symbol.filter(|symbol| symbol.is_mangled() && !symbol.stub).or(Some(name)),
        None => symbol,
    }
}
