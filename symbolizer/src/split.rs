//! Split DWARF: debug information that the linker did not copy.
//!
//! The linked file has the ranges and the lines of each unit. Its functions are in a `.dwo` file
//! that the compiler left behind and the unit names, or in a `.dwp` file beside the module, in
//! which many are packed. They are opened when an address first falls into the unit, once for
//! all threads, and believed where the unit's id is the one that the linked file asks for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use addr2line::SplitDwarfLoad;
use elsa::sync::FrozenMap;
use gimli::{DwoId, EndianSlice, Reader, RunTimeEndian, Section};

use crate::elf::{self, Image, PackedSections, Room, Sections};
use crate::root::Root;

type Slice<'d> = EndianSlice<'d, RunTimeEndian>;
type Dwarf<'d> = gimli::Dwarf<Slice<'d>>;
type Load<'d> = SplitDwarfLoad<Slice<'d>>;

/// Files with units of one module. What is opened stays open.
pub struct SplitFiles<'m> {
    /// The module's own path: files are also looked for beside it.
    module: &'m Path,
    roots: Vec<Root<'m>>,
    /// Folders that the caller names.
    folders: &'m [PathBuf],
    /// One of them is right; those beside it may be of other builds.
    pub packages: Vec<Image<'static>>,
    units: FrozenMap<u64, Box<Option<Image<'static>>>>,
}

/// What was not found.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingUnits {
    /// Where the first was looked for.
    pub first: PathBuf,
    pub count: usize,
}

impl<'m> SplitFiles<'m> {
    /// Opens what may be the package of the module, beside it and in each folder: `app.dwp` for
    /// `app`.
    pub fn find(module: &'m Path, roots: Vec<Root<'m>>, folders: &'m [PathBuf]) -> Self {
        let units = FrozenMap::new();
        let mut files = Self { module, roots, folders, packages: Vec::new(), units };
        let mut package = module.as_os_str().to_owned();
        package.push(".dwp");
        let package = Path::new(&package);
        files.packages = files.open(package).into_iter().chain(files.in_folders(package)).collect();
        files
    }

    /// The file of a unit: where the compiler wrote it, else beside the module, else in a folder.
    fn unit(&self, load: &Load<'_>) -> Option<Image<'static>> {
        let written = written_to(load)?;
        let moved = self.module.with_file_name(written.file_name()?);
        let in_place = self.open(&written).or_else(|| self.open(&moved));
        in_place.or_else(|| self.in_folders(&written).next())
    }

    /// Files with the name of this one.
    fn in_folders(&self, path: &Path) -> impl Iterator<Item = Image<'static>> {
        let name = path.file_name();
        let places = self.folders.iter().filter_map(move |folder| Some(folder.join(name?)));
        places.filter_map(|place| Image::map(&Root::Own.open(&place).ok()?, &place).ok())
    }

    fn open(&self, path: &Path) -> Option<Image<'static>> {
        let mut roots = self.roots.iter();
        roots.find_map(|root| Image::map(&root.open(path).ok()?, path).ok())
    }
}

/// Sections of the files.
pub struct Split<'d> {
    files: &'d SplitFiles<'d>,
    endian: RunTimeEndian,
    room: &'d Room,
    /// Of each package, once it is needed.
    packages: Vec<OnceLock<Option<PackedSections<'d>>>>,
    units: FrozenMap<u64, Box<Option<Sections<'d>>>>,
    /// Where the first unit should be that was not found.
    missed: OnceLock<PathBuf>,
}

impl<'d> Split<'d> {
    pub fn new(files: &'d SplitFiles<'d>, endian: RunTimeEndian, room: &'d Room) -> Self {
        let packages = files.packages.iter().map(|_| OnceLock::new()).collect();
        let (units, missed) = (FrozenMap::new(), OnceLock::new());
        Self { files, endian, room, packages, units, missed }
    }

    /// The unit that is asked for.
    pub fn load<'s>(&'s self, load: &Load<'s>) -> Option<Arc<Dwarf<'s>>> {
        self.in_packages(load).or_else(|| self.in_file(load)).map(Arc::new)
    }

    fn in_packages<'s>(&'s self, load: &Load<'s>) -> Option<Dwarf<'s>> {
        let mut packages = self.packages.iter().zip(&self.files.packages);
        packages.find_map(|(sections, image)| {
            let read = || Some(elf::packed_sections(&image.elf()?, self.room));
            self.in_package(sections.get_or_init(read).as_ref()?, load)
        })
    }

    fn in_package<'s>(
        &'s self,
        package: &'s PackedSections<'d>,
        load: &Load<'s>,
    ) -> Option<Dwarf<'s>> {
        let slice = |section| Slice::new(section, self.endian);
        let package = package.borrow(|section| slice(section), slice(&[])).ok()?;
        let found = package.find_cu(load.dwo_id, &load.parent).ok()??;
        beginning_with(found, load.dwo_id)
    }

    fn in_file<'s>(&'s self, load: &Load<'s>) -> Option<Dwarf<'s>> {
        let id = load.dwo_id.0;
        let sections = match self.units.get(&id) {
            Some(sections) => sections,
            None => self.units.insert(id, Box::new(self.sections(load))),
        };
        let mut unit = sections.as_ref()?.borrow(|section| Slice::new(section, self.endian));
        unit.make_dwo(&load.parent);
        beginning_with(unit, load.dwo_id)
    }

    fn sections(&self, load: &Load<'_>) -> Option<Sections<'d>> {
        let id = load.dwo_id.0;
        let image = match self.files.units.get(&id) {
            Some(image) => image,
            None => self.files.units.insert(id, Box::new(self.files.unit(load))),
        };
        let sections = image.as_ref().and_then(Image::elf);
        let sections = sections.map(|elf| elf::split_sections(&elf, self.room));
        let wanted = sections.filter(|sections| self.is_wanted(sections, load));
        if wanted.is_none() {
            self.missed.get_or_init(|| written_to(load).unwrap_or_default());
        }
        wanted
    }

    fn is_wanted(&self, sections: &Sections<'_>, load: &Load<'_>) -> bool {
        let dwarf = sections.borrow(|section| Slice::new(section, self.endian));
        beginning_with(dwarf, load.dwo_id).is_some()
    }

    /// Units that addresses fell into, and that were not found.
    pub fn missing(&self) -> Option<MissingUnits> {
        let first = self.missed.get()?.clone();
        let ids = self.units.keys_cloned().into_iter();
        let missing = ids.filter(|id| self.units.get(id).is_some_and(Option::is_none));
        Some(MissingUnits { first, count: missing.count() })
    }
}

/// Where the compiler wrote the file of a unit.
fn written_to(load: &Load<'_>) -> Option<PathBuf> {
    let path = |bytes: &Slice<'_>| Path::new(OsStr::from_bytes(bytes.slice())).to_owned();
    let name = load.path.as_ref().map(path)?;
    Some(load.comp_dir.as_ref().map_or(name.clone(), |folder| path(folder).join(&name)))
}

/// The unit with this id as the first one, which is where addr2line expects it: types may come
/// before it.
fn beginning_with(mut dwarf: Dwarf<'_>, id: DwoId) -> Option<Dwarf<'_>> {
    let mut headers = dwarf.units();
    let start = loop {
        let header = headers.next().ok()??;
        let start = header.debug_info_offset()?;
        if dwarf.unit(header).is_ok_and(|unit| unit.dwo_id == Some(id)) {
            break start.0;
        }
    };
    let info = dwarf.debug_info.reader().slice().get(start..)?;
    dwarf.debug_info = gimli::DebugInfo::new(info, dwarf.debug_info.reader().endian());
    Some(dwarf)
}
