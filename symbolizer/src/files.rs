//! Which files describe a module: its own, its debug file, and what debug files share.
//!
//! A file is believed when its build-id is that of the module. `.gnu_debuglink` also carries a
//! checksum, which decides where there is no build-id. What lies at a promising place and is of
//! another build is remembered, so that somebody can be told.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use object::Object;
use sigspy_model::{BuildId, Module};

use crate::elf::{self, Image};
use crate::locate;
use crate::mini;
use crate::problem::Cause;
use crate::root::Root;
use crate::sources::{Kept, Sources};

/// Images that describe one module, as far as they were found.
pub struct Files<'m> {
    /// The module itself.
    pub own: Option<Image<'m>>,
    /// Debug information and symbols that were split off.
    pub debug: Option<Image<'static>>,
    /// What the debug information refers to because several files have it in common (by `dwz`).
    pub shared: Option<Image<'static>>,
    /// What is wrong with the files, if names are missing because of it or somebody could wonder
    /// where they come from.
    pub cause: Option<Cause>,
}

impl<'m> Files<'m> {
    /// Looks for the files of a module. `kept` is what is left of it from when it ran.
    pub fn find(module: &'m Module, kept: Option<&Kept>, sources: &Sources) -> Self {
        let roots = Root::all(kept);
        let foreign = RefCell::new(None);
        let search = Search { module, kept, sources, roots, foreign };
        let (own, cause) = match search.own() {
            Ok((own, cause)) => (Some(own), cause),
            Err(cause) => (None, Some(cause)),
        };
        let elf = own.as_ref().and_then(Image::elf);
        let complete = elf.as_ref().is_some_and(elf::has_debug_info);
        let debug = if complete { None } else { search.debug(elf.as_ref()) };
        drop(elf);
        let (shared, unshared) = search.shared(debug.as_ref().or(own.as_ref()));
        let has_more = |image: &Image<'_>| image.elf().as_ref().is_some_and(elf::has_debug_info);
        let is_known = complete || debug.as_ref().is_some_and(has_more);
        let foreign = search.foreign.into_inner().filter(|_| !is_known);
        let cause = match cause {
            Some(cause) if is_missing(&cause) => foreign.or(Some(cause)),
            Some(cause) => Some(cause),
            None => foreign,
        };
        // Debug information stands in for a module that is not there.
        let cause = cause.filter(|_| own.is_some() || debug.is_none()).or(unshared);
        Self { own, debug, shared, cause }
    }
}

/// The search for the files of one module.
struct Search<'m, 's> {
    module: &'m Module,
    kept: Option<&'s Kept>,
    sources: &'s Sources,
    /// Where the paths of the module begin: the program's root, then ours.
    roots: Vec<Root<'s>>,
    /// The first file that should have been ours by its place, and was not.
    foreign: RefCell<Option<Cause>>,
}

impl<'m> Search<'m, '_> {
    /// The module's own file: the one that ran if it was kept, else what is at its path, else what
    /// is in the folders. With the cause for somebody to wonder, if there is one.
    fn own(&self) -> Result<(Image<'m>, Option<Cause>), Cause> {
        if let Some(bytes) = &self.module.image {
            let image = Image::Recorded(bytes);
            object::File::parse(&*image).map_err(Cause::Unreadable)?;
            return Ok((image, None));
        }
        let path = Path::new(&self.module.path);
        if let Some(file) = self.kept.and_then(|kept| kept.file.as_ref())
            && let Ok(image) = Image::map(file, path)
            && self.checked(&image).is_ok()
        {
            return Ok((image, self.changed(file)));
        }
        // Of a file that was not kept nothing tells whether it is still at its path.
        let unproven = self.kept.is_some() && self.module.build_id.is_none();
        let mut cause = unproven.then_some(Cause::Unproven);
        for root in self.roots.iter().filter(|_| !unproven) {
            match self.own_at(*root, path) {
                Ok(image) => return Ok((image, None)),
                // What was replaced tells more than what is not there.
                Err(one) => cause = cause.filter(|first| !is_missing(first)).or(Some(one)),
            }
        }
        let in_folders = self.in_folders(None).into_iter().filter(|place| !is_debug_file(place));
        for place in in_folders {
            match self.own_at(Root::Own, &place) {
                Ok(image) => return Ok((image, None)),
                Err(Cause::Replaced { found, .. }) => self.remember(&place, found),
                Err(_) => {}
            }
        }
        Err(cause.unwrap_or_else(|| Cause::Missing(io::ErrorKind::NotFound.into())))
    }

    /// A file of another build at a place where ours could be.
    fn remember(&self, path: &Path, found: Option<BuildId>) {
        let wanted = self.module.build_id.clone();
        let foreign = || Cause::Foreign { path: path.to_owned(), found, wanted };
        self.foreign.borrow_mut().get_or_insert_with(foreign);
    }

    fn own_at(&self, root: Root<'_>, path: &Path) -> Result<Image<'m>, Cause> {
        let file = root.open(path).map_err(Cause::Missing)?;
        let image = Image::map(&file, path).map_err(Cause::Missing)?;
        self.checked(&image)?;
        Ok(image)
    }

    /// A recording without a build-id proves nothing, so then the file is believed.
    fn checked(&self, image: &Image<'_>) -> Result<(), Cause> {
        let elf = object::File::parse(&**image).map_err(Cause::Unreadable)?;
        let found = elf::build_id(&elf);
        match &self.module.build_id {
            Some(recorded) if found.as_ref() != Some(recorded) => {
                Err(Cause::Replaced { recorded: recorded.clone(), found })
            }
            _ => Ok(()),
        }
    }

    /// Whether something else than `kept` is at the module's path by now.
    fn changed(&self, kept: &File) -> Option<Cause> {
        if self.module.path.starts_with("/memfd:") {
            return None; // never was in a folder
        }
        let path = Path::new(&self.module.path);
        let now = self.roots.iter().find_map(|root| root.open(path).ok());
        let Some(now) = now else { return Some(Cause::Removed) };
        let identity = |file: &File| file.metadata().map(|data| (data.dev(), data.ino())).ok();
        if identity(&now) == identity(kept) {
            return None;
        }
        let image = Image::map(&now, path).ok();
        let found = image.as_ref().and_then(Image::elf).as_ref().and_then(elf::build_id);
        let same = self.module.build_id.is_some() && found == self.module.build_id;
        (!same).then_some(Cause::ReplacedWhileRunning { found })
    }

    /// The debug file of a module whose own file, if there, has no debug information.
    fn debug(&self, own: Option<&object::File<'_>>) -> Option<Image<'static>> {
        let id = self.module.build_id.clone().or_else(|| own.and_then(elf::build_id));
        let link = own.and_then(|own| own.gnu_debuglink().ok().flatten());
        let wanted = Wanted { id: id.as_ref(), checksum: link.map(|(_, checksum)| checksum) };
        let mut names_only = None;
        for (root, path) in self.debug_places(&wanted, link.map(|(name, _)| name)) {
            let Some(image) = self.believed(root, &path, &wanted) else { continue };
            let Some(elf) = image.elf() else { continue };
            let (complete, useful) = (elf::has_debug_info(&elf), elf::has_symbols(&elf));
            drop(elf);
            if complete {
                return Some(image);
            }
            names_only = names_only.or(useful.then_some(image));
        }
        let served = || self.served(id.as_ref()?);
        let mini =
            || Some(Image::Unpacked(mini::unpack(own.filter(|own| !elf::has_symbols(own))?)?));
        served().or(names_only).or_else(mini)
    }

    fn debug_places(&self, wanted: &Wanted<'_>, link: Option<&[u8]>) -> Vec<(Root<'_>, PathBuf)> {
        let debug_root = &self.sources.debug_root;
        let path = Path::new(&self.module.path);
        let in_folders = self.in_folders(link).into_iter().map(|place| (Root::Own, place));
        let by_id = wanted.id.and_then(|id| locate::by_build_id(debug_root, &id.0));
        let by_link = link.map(|link| locate::by_debug_link(debug_root, path, link));
        let installed: Vec<PathBuf> =
            by_id.into_iter().chain(by_link.into_iter().flatten()).collect();
        let in_roots = self.roots.iter().flat_map(|root| {
            installed.iter().filter(|place| *place != path).map(|place| (*root, place.clone()))
        });
        in_folders.chain(in_roots).collect()
    }

    fn in_folders(&self, link: Option<&[u8]>) -> Vec<PathBuf> {
        let id = self.module.build_id.as_ref().map(|id| &*id.0);
        let path = Path::new(&self.module.path);
        let folders = self.sources.folders.iter();
        folders.flat_map(|folder| locate::in_folder(folder, path, id, link)).collect()
    }

    /// The file at `path`, if it is the one that is wanted.
    fn believed(&self, root: Root<'_>, path: &Path, wanted: &Wanted<'_>) -> Option<Image<'static>> {
        let image = Image::map(&root.open(path).ok()?, path).ok()?;
        let found = elf::build_id(&image.elf()?);
        if wanted.is(&image, found.as_ref()) {
            return Some(image);
        }
        self.remember(path, found);
        None
    }

    /// What a debuginfod server has.
    fn served(&self, id: &BuildId) -> Option<Image<'static>> {
        // The kernel's own code is in no package that a server would know.
        let servers = self.sources.servers.as_ref().filter(|_| self.module.image.is_none())?;
        let path = servers.debug_file(id)?;
        self.believed(Root::Own, &path, &Wanted { id: Some(id), checksum: None })
    }

    /// The file that `.gnu_debugaltlink` in `image` names; or that it is missing.
    fn shared(&self, image: Option<&Image<'_>>) -> (Option<Image<'static>>, Option<Cause>) {
        let Some((image, elf)) = image.and_then(|image| Some((image, image.elf()?))) else {
            return (None, None);
        };
        if !elf::has_debug_info(&elf) {
            return (None, None); // stripping a file leaves the link
        }
        let Ok(Some((link, id))) = elf.gnu_debugaltlink() else { return (None, None) };
        let id = BuildId(id.to_vec());
        let wanted = Wanted { id: Some(&id), checksum: None };
        let beside = image.path().unwrap_or(Path::new(&self.module.path));
        let named = locate::by_alt_link(&self.sources.debug_root, beside, link, &id.0);
        let in_roots = self.roots.iter().flat_map(|root| named.iter().map(|path| (*root, path)));
        let folders = self.sources.folders.iter();
        let in_folders: Vec<PathBuf> =
            folders.flat_map(|folder| locate::by_alt_link(folder, beside, link, &id.0)).collect();
        let found = in_roots
            .chain(in_folders.iter().map(|path| (Root::Own, path)))
            .find_map(|(root, path)| self.believed(root, path, &wanted))
            .or_else(|| self.served(&id));
        let path = String::from_utf8_lossy(link).into_owned().into();
        let missing = found.is_none().then_some(Cause::SharedMissing { path, wanted: id });
        (found, missing)
    }
}

fn is_debug_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "debug")
}

fn is_missing(cause: &Cause) -> bool {
    matches!(cause, Cause::Missing(_))
}

/// What proves that a file belongs to the module.
struct Wanted<'a> {
    id: Option<&'a BuildId>,
    /// Of all its bytes, as `.gnu_debuglink` says.
    checksum: Option<u32>,
}

impl Wanted<'_> {
    fn is(&self, image: &Image<'_>, found: Option<&BuildId>) -> bool {
        match (self.id, found) {
            (Some(id), Some(found)) => found == id,
            _ => self.checksum == Some(crc32fast::hash(image)),
        }
    }
}
