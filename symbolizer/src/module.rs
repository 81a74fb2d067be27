//! One module: which files describe it, and what they say about its addresses.

use std::collections::HashMap;
use std::path::Path;

use gimli::RunTimeEndian;
use object::Object;
use sigspy_model::{BuildId, Frame, Module};

use crate::debug_info::{self, DebugInfo, RawFrame};
use crate::demangle::{clean, demangle};
use crate::elf::{self, Image, Sections};
use crate::problem::Cause;
use crate::symbol_table::SymbolTable;
use crate::{locate, pool};

/// Addresses that are worth a thread of their own: each thread reads the units it meets anew.
const SHARE: usize = 2048;

/// Frames of each address, in order, and what could have been better.
pub struct Answer {
    pub frames: Vec<Vec<Frame>>,
    pub cause: Option<Cause>,
}

/// Looks up sorted addresses of one module. Every address gets at least one frame.
pub fn symbolize(module: &Module, addresses: &[u64]) -> Answer {
    let image = Image::of(module).map_err(Cause::Missing);
    let own = image.as_ref().map_err(|_| ()).map(|image| verified(image, module.build_id.as_ref()));
    let (own, cause) = match (own, image.as_ref()) {
        (Ok(Ok(elf)), _) => (Some(elf), None),
        (Ok(Err(cause)), _) => (None, Some(cause)),
        (Err(()), _) => (None, None),
    };
    let separate = debug_image(module, own.as_ref());
    let separate_elf = separate.as_ref().and_then(|image| object::File::parse(&**image).ok());
    let files = Files { module, own: own.as_ref(), separate: separate_elf.as_ref() };
    let shared = separate.as_ref().and_then(|image| shared_image(image, separate_elf.as_ref()?));
    let mut answer = files.answer(shared.as_ref(), addresses);
    // What went wrong with the module's own file matters only if no debug file stood in for it.
    if separate_elf.is_none() {
        answer.cause = image.err().or(cause).or(answer.cause);
    }
    answer
}

/// Parses an image and compares its build-id. A recording without one proves nothing, so then
/// the file is believed.
fn verified<'d>(
    image: &'d Image<'_>,
    recorded: Option<&BuildId>,
) -> Result<object::File<'d>, Cause> {
    let elf = object::File::parse(&**image).map_err(Cause::Unreadable)?;
    let found = elf::build_id(&elf);
    match recorded {
        Some(recorded) if found.as_ref() != Some(recorded) => {
            Err(Cause::Replaced { recorded: recorded.clone(), found })
        }
        _ => Ok(elf),
    }
}

/// The separate debug file of a module whose own file has no debug information, or is gone.
fn debug_image(module: &Module, own: Option<&object::File<'_>>) -> Option<Image<'static>> {
    let id = module.build_id.as_ref()?;
    if own.is_some_and(elf::has_debug_info) {
        return None;
    }
    let link = own.and_then(|elf| elf.gnu_debuglink().ok().flatten()).map(|(link, _)| link);
    let linked = link.map(|link| locate::by_debug_link(Path::new(&module.path), link));
    let candidates = locate::by_build_id(&id.0).into_iter().chain(linked.into_iter().flatten());
    candidates.into_iter().find_map(|path| image_with_id(&path, id))
}

/// What a debug file shares with others (made by `dwz`).
fn shared_image(debug_file: &Image<'_>, elf: &object::File<'_>) -> Option<Image<'static>> {
    let (link, id) = elf.gnu_debugaltlink().ok().flatten()?;
    let candidates = locate::by_alt_link(debug_file.path()?, link, id);
    let id = BuildId(id.to_vec());
    candidates.into_iter().find_map(|path| image_with_id(&path, &id))
}

fn image_with_id(path: &Path, id: &BuildId) -> Option<Image<'static>> {
    let image = Image::open(path).ok()?;
    verified(&image, Some(id)).is_ok().then_some(image)
}

/// The files that describe a module.
struct Files<'a, 'd> {
    module: &'a Module,
    own: Option<&'a object::File<'d>>,
    separate: Option<&'a object::File<'d>>,
}

impl<'d> Files<'_, 'd> {
    fn answer(&self, shared: Option<&Image<'_>>, addresses: &[u64]) -> Answer {
        let symbols = SymbolTable::of(self.own.into_iter().chain(self.separate));
        let with_dwarf = self.own.into_iter().chain(self.separate).find(|e| elf::has_debug_info(e));
        let shared = shared.and_then(|image| object::File::parse(&**image).ok());
        let shared = shared.as_ref().map(elf::sections);
        let dwarf = with_dwarf.map(|elf| Dwarf {
            sections: elf::sections(elf),
            shared,
            endian: debug_info::endian(elf),
        });
        let cause = match &dwarf {
            Some(dwarf) => dwarf.open().err().map(Cause::BadDebugInfo),
            // The vDSO never has any, and nobody can add it.
            None if self.module.image.is_some() && !symbols.is_empty() => None,
            None if symbols.is_empty() => Some(Cause::NoSymbols),
            None => Some(Cause::NoDebugInfo),
        };
        Answer { frames: self.look_up(dwarf.as_ref(), &symbols, addresses), cause }
    }

    /// Looks up addresses, on several threads where they are many. Each thread has a contiguous
    /// share, so that few units are read twice.
    fn look_up(
        &self,
        dwarf: Option<&Dwarf<'d>>,
        symbols: &SymbolTable<'d>,
        addresses: &[u64],
    ) -> Vec<Vec<Frame>> {
        let module = self.module.name();
        let share = addresses.len().div_ceil(pool::width()).max(SHARE);
        let shares: Vec<&[u64]> = addresses.chunks(share).collect();
        let look_up = |share: &&[u64]| -> Vec<_> {
            let info = dwarf.and_then(|dwarf| dwarf.open().ok());
            let mut names = Names { module, info, symbols, shown: HashMap::new() };
            share.iter().map(|address| names.frames(*address)).collect()
        };
        match &shares[..] {
            [only] => look_up(only),
            _ => pool::map(&shares, look_up).into_iter().flatten().collect(),
        }
    }
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

/// Turns addresses of one module into frames. Each distinct name is demangled once.
struct Names<'a> {
    module: &'a str,
    info: Option<DebugInfo<'a>>,
    symbols: &'a SymbolTable<'a>,
    shown: HashMap<&'a [u8], String>,
}

impl<'a> Names<'a> {
    /// Innermost first, the physical function last.
    fn frames(&mut self, address: u64) -> Vec<Frame> {
        let mut raw = self.info.as_ref().map_or(Vec::new(), |info| info.frames(address));
        let physical = raw.pop().unwrap_or(RawFrame { function: None, file: None, line: None });
        let inlined = raw.into_iter().filter(|frame| frame.function.is_some());
        let mut frames: Vec<_> = inlined.map(|raw| self.frame(raw, address, true)).collect();
        frames.push(self.frame(physical, address, false));
        frames
    }

    fn frame(&mut self, raw: RawFrame<'a>, address: u64, inlined: bool) -> Frame {
        let function = match raw.function.or_else(|| self.symbols.find(address)) {
            Some(name) if !name.is_empty() => self.shown(name),
            _ => clean(&format!("{}+{address:#x}", self.module)).into_owned(),
        };
        let file = raw.file.map(|file| clean(&file).into_owned());
        Frame { function, file, line: raw.line, inlined }
    }

    fn shown(&mut self, raw: &'a [u8]) -> String {
        self.shown.entry(raw).or_insert_with(|| demangle(raw)).clone()
    }
}
