//! One module: its files, what is known from earlier, and what has to be looked up.

use std::path::Path;

use sigspy_model::{Frame, Module, ModuleId};

use crate::elf::{self, Image};
use crate::files::Files;
use crate::lookup::look_up;
use crate::problem::Cause;
use crate::root::Root;
use crate::sources::Sources;
use crate::split::SplitFiles;
use crate::texts::Texts;

/// Frames of each address, in order, and what could have been better.
pub struct Answer {
    pub frames: Vec<Vec<Frame>>,
    pub cause: Option<Cause>,
}

/// Looks up sorted addresses of one module. Every address gets at least one frame.
pub fn symbolize(
    module: &Module,
    id: ModuleId,
    addresses: &[u64],
    sources: &Sources,
    texts: &Texts,
) -> Answer {
    let kept = sources.kept.get(&id);
    let files = Files::find(module, kept, sources);
    let split = SplitFiles::beside(Path::new(&module.path), Root::all(kept));
    let found = look_up(module, &files, &split, addresses, texts);
    let shortage = found.cause.or_else(|| shortage(module, &files));
    Answer { frames: found.frames, cause: files.cause.or(shortage) }
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
