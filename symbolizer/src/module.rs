//! One module: its files, what is known from earlier, and what has to be looked up.

use std::path::Path;

use sigspy_model::{Frame, Module, ModuleId};

use crate::elf::{self, Image};
use crate::files::Files;
use crate::lookup::look_up;
use crate::problem::Cause;
use crate::root::Root;
use crate::shelf::Shelf;
use crate::sources::Sources;
use crate::split::SplitFiles;
use crate::texts::Texts;

/// Frames of each address, in order, and what could have been better.
pub struct Answer {
    pub frames: Vec<Vec<Frame>>,
    pub cause: Option<Cause>,
}

/// What the modules of one call share.
pub struct Common<'a> {
    pub sources: &'a Sources,
    /// Names from earlier calls.
    pub shelf: Option<Shelf>,
    pub texts: Texts,
}

/// Looks up sorted addresses of one module. Every address gets at least one frame.
pub fn symbolize(module: &Module, id: ModuleId, addresses: &[u64], common: &Common<'_>) -> Answer {
    let kept = common.sources.kept.get(&id);
    let files = Files::find(module, kept, common.sources);
    let folders = &common.sources.folders;
    let split = SplitFiles::find(Path::new(&module.path), Root::all(kept), folders);
    let entry = common.shelf.as_ref().and_then(|shelf| shelf.entry(module, &files, &split));
    let mut stored = entry.as_ref().and_then(|entry| entry.stored(&common.texts));
    let known = addresses.iter().map(|address| stored.as_mut()?.frames(*address));
    let known: Vec<Option<Vec<Frame>>> = known.collect();

    let unknown = addresses.iter().zip(&known).filter(|(_, frames)| frames.is_none());
    let unknown: Vec<u64> = unknown.map(|(address, _)| *address).collect();
    let found = look_up(module, &files, &split, &unknown, &common.texts);
    let mut rest = found.frames.into_iter();
    let frames: Vec<Vec<Frame>> = known
        .into_iter()
        .map(|frames| frames.or_else(|| rest.next()).unwrap_or_default())
        .collect();
    if let Some(entry) = &entry
        && !unknown.is_empty()
        && found.cause.is_none()
    {
        entry.add(addresses, &frames, &common.texts);
    }
    let shortage = found.cause.or_else(|| shortage(module, &files));
    Answer { frames, cause: files.cause.or(shortage) }
}

/// What the files of a module do not have.
fn shortage(module: &Module, files: &Files<'_>) -> Option<Cause> {
    let images = [files.own.as_ref(), files.debug.as_ref()];
    let described: Vec<_> = images.into_iter().flatten().filter_map(Image::elf).collect();
    // The vDSO never has any, and nobody can add it.
    if module.image.is_some() || described.iter().any(elf::has_debug_info) {
        None
    } else if described.iter().any(elf::has_symbols) {
        Some(Cause::NoDebugInfo)
    } else {
        Some(Cause::NoSymbols)
    }
}
