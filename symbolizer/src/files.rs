//! Which files describe a module: its own, its debug file, and what debug files share.
//!
//! A file is believed when its build-id is that of the module. `.gnu_debuglink` also carries a
//! checksum, which decides where there is no build-id.

use std::path::{Path, PathBuf};

use object::Object;
use sigspy_model::{BuildId, Module};

use crate::elf::{self, Image};
use crate::locate;
use crate::problem::Cause;

/// Images that describe one module, as far as they were found.
pub struct Files<'m> {
    /// The module itself.
    pub own: Option<Image<'m>>,
    /// Debug information and symbols that were split off.
    pub debug: Option<Image<'static>>,
    /// What the debug information refers to because several files have it in common (by `dwz`).
    pub shared: Option<Image<'static>>,
    /// Why there is no `own`, if nothing stands in for it.
    pub cause: Option<Cause>,
}

impl<'m> Files<'m> {
    /// Looks for debug files below `debug_root` and beside the module.
    pub fn find(module: &'m Module, debug_root: &Path) -> Self {
        let (own, cause) = match own_image(module) {
            Ok(own) => (Some(own), None),
            Err(cause) => (None, Some(cause)),
        };
        let elf = own.as_ref().and_then(Image::elf);
        let complete = elf.as_ref().is_some_and(elf::has_debug_info);
        let debug = if complete { None } else { debug_image(module, elf.as_ref(), debug_root) };
        let shared = debug.as_ref().or(own.as_ref()).and_then(|image| shared(image, debug_root));
        drop(elf);
        let cause = cause.filter(|_| debug.is_none());
        Self { own, debug, shared, cause }
    }
}

/// The module's own file. A recording without a build-id proves nothing, so then the file is
/// believed.
fn own_image(module: &Module) -> Result<Image<'_>, Cause> {
    let image = Image::of(module).map_err(Cause::Missing)?;
    let elf = object::File::parse(&*image).map_err(Cause::Unreadable)?;
    let found = elf::build_id(&elf);
    match &module.build_id {
        Some(recorded) if found.as_ref() != Some(recorded) => {
            Err(Cause::Replaced { recorded: recorded.clone(), found })
        }
        _ => Ok(image),
    }
}

/// The debug file of a module whose own file, if there, has no debug information.
fn debug_image(
    module: &Module,
    own: Option<&object::File<'_>>,
    debug_root: &Path,
) -> Option<Image<'static>> {
    let id = module.build_id.clone().or_else(|| own.and_then(elf::build_id));
    let by_id =
        id.as_ref().and_then(|id| image_with_id(locate::by_build_id(debug_root, &id.0)?, id));
    by_id.or_else(|| {
        let (link, checksum) = own?.gnu_debuglink().ok()??;
        let path = Path::new(&module.path);
        let candidates = locate::by_debug_link(debug_root, path, link).into_iter();
        let images =
            candidates.filter(|candidate| candidate != path).map(|path| Image::open(&path));
        images.flatten().find(|image| is_linked(image, id.as_ref(), checksum))
    })
}

/// True for the file that a `.gnu_debuglink` means.
fn is_linked(image: &Image<'_>, id: Option<&BuildId>, checksum: u32) -> bool {
    let Some(elf) = image.elf() else { return false };
    match (id, elf::build_id(&elf)) {
        (Some(id), Some(found)) => found == *id,
        _ => crc32fast::hash(image) == checksum,
    }
}

/// The file that `.gnu_debugaltlink` names.
fn shared(image: &Image<'_>, debug_root: &Path) -> Option<Image<'static>> {
    let (link, id) = image.elf()?.gnu_debugaltlink().ok()??;
    let candidates = locate::by_alt_link(debug_root, image.path()?, link, id);
    let id = BuildId(id.to_vec());
    candidates.into_iter().find_map(|path| image_with_id(path, &id))
}

fn image_with_id(path: PathBuf, id: &BuildId) -> Option<Image<'static>> {
    let image = Image::open(&path).ok()?;
    let found = elf::build_id(&image.elf()?)?;
    (found == *id).then_some(image)
}
