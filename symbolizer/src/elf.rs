#![allow(unsafe_code, reason = "files are mapped, as debug information can be gigabytes")]
//! ELF files as bytes: opened, identified, their sections unpacked.
//!
//! Nothing here trusts the file: every offset is checked by `object`, and a compressed section
//! that claims an absurd size is refused before memory is set aside for it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use gimli::{DwarfPackageSections, DwarfSections, SectionId};
use memmap2::Mmap;
use object::elf::SHF_EXECINSTR;
use object::{CompressionFormat, Object, ObjectSection, Section, SectionFlags};
use sigspy_model::BuildId;

use crate::pool;

/// Unpacked sections larger than this are not read: bytes.
const LARGEST_SECTION: u64 = 4 << 30;
/// Compressed sections that are smaller are unpacked one after another: bytes.
const SMALL_SECTION: u64 = 256 << 10;
/// No byte of a compressed section becomes more bytes than this: zlib cannot do better than
/// 1032, and debug information is not the kind of data with which zstd could.
const BEST_COMPRESSION: u64 = 1100;

/// Sections of one file, unpacked where they were compressed.
pub type Sections<'d> = DwarfSections<Cow<'d, [u8]>>;
/// The same of a package of units.
pub type PackedSections<'d> = DwarfPackageSections<Cow<'d, [u8]>>;

/// The sections that names and lines come from. Those about variables and macros can be the larger
/// part, and stay as they are.
const NEEDED: [SectionId; 10] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// What has to be there of a package as well, as each unit is a part of all its sections.
const INDEXED: [SectionId; 6] = [
    SectionId::DebugCuIndex,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugMacinfo,
    SectionId::DebugMacro,
    SectionId::DebugTypes,
];

/// The bytes of a module or of a debug file.
pub enum Image<'m> {
    Mapped {
        path: PathBuf,
        map: Mmap,
    },
    /// Part of the recording: the vDSO.
    Recorded(&'m [u8]),
    /// Part of another image, unpacked.
    Unpacked(Vec<u8>),
}

impl Image<'_> {
    /// Maps the file that was opened at `path`.
    pub fn map(file: &File, path: &Path) -> io::Result<Self> {
        // SAFETY: the map is private and read-only, and lives as long as `self`. The file must
        // not be written or cut meanwhile, which nobody can guarantee: whoever overwrites a
        // program in place during a report gives it wrong names, or ends it by SIGBUS. Linkers
        // and package managers replace files instead, which leaves a map as it was.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self::Mapped { path: path.to_owned(), map })
    }

    /// The image as an ELF file; `None` for anything else.
    pub fn elf(&self) -> Option<object::File<'_>> {
        object::File::parse(&**self).ok()
    }

    /// Where the file was found; `None` for bytes that are no file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Mapped { path, .. } => Some(path),
            Self::Recorded(_) | Self::Unpacked(_) => None,
        }
    }
}

impl Deref for Image<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped { map, .. } => map,
            Self::Recorded(bytes) => bytes,
            Self::Unpacked(bytes) => bytes,
        }
    }
}

/// The build-id of a file; `None` also where its notes cannot be read.
pub fn build_id(elf: &object::File<'_>) -> Option<BuildId> {
    elf.build_id().ok().flatten().map(|id| BuildId(id.to_vec()))
}

/// True for a file that has more than names to offer.
pub fn has_debug_info(elf: &object::File<'_>) -> bool {
    elf.section_by_name(".debug_info").is_some_and(|section| section.size() > 0)
}

/// True for a file that names all of its functions, not only those that others may call.
pub fn has_symbols(elf: &object::File<'_>) -> bool {
    elf.section_by_name(".symtab").is_some_and(|section| section.size() > 0)
}

/// True for a section of code. Its flags tell: in a debug file no section has content.
pub fn is_code<'d>(section: &impl ObjectSection<'d>) -> bool {
    matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(SHF_EXECINSTR))
}

/// The debug sections of a file that names and lines come from. A section that cannot be read is
/// empty: what depends on it is missing, the rest stays useful.
pub fn sections<'d>(elf: &object::File<'d>) -> Sections<'d> {
    let mut unpacked = unpack(elf, &NEEDED, |id| Some(id.name()));
    let load = |id| Ok::<_, Infallible>(unpacked.remove(&id).unwrap_or_default());
    let Ok(sections) = Sections::load(load);
    sections
}

/// The same of a `.dwo` file. Each type may be in a section of its own, called as that of the
/// functions: they are joined.
pub fn split_sections<'d>(elf: &object::File<'d>) -> Sections<'d> {
    let mut unpacked = unpack(elf, &NEEDED, SectionId::dwo_name);
    let parts = elf.sections().filter(|section| section.name() == Ok(".debug_info.dwo"));
    let parts: Vec<_> = parts.collect();
    if parts.len() > 1 {
        let parts: Vec<_> = parts.iter().filter_map(self::unpacked).collect();
        unpacked.insert(SectionId::DebugInfo, parts.concat().into());
    }
    let load = |id| Ok::<_, Infallible>(unpacked.remove(&id).unwrap_or_default());
    let Ok(sections) = Sections::load(load);
    sections
}

/// The same of a `.dwp` file.
pub fn packed_sections<'d>(elf: &object::File<'d>) -> PackedSections<'d> {
    let ids = [NEEDED.as_slice(), &INDEXED].concat();
    let mut unpacked = unpack(elf, &ids, SectionId::dwo_name);
    let load = |id| Ok::<_, gimli::Error>(unpacked.remove(&id).unwrap_or_default());
    PackedSections::load(load).unwrap_or_default()
}

/// Sections by id. Large ones that are compressed are unpacked at the same time.
fn unpack<'d>(
    elf: &object::File<'d>,
    ids: &[SectionId],
    name: impl Fn(SectionId) -> Option<&'static str>,
) -> HashMap<SectionId, Cow<'d, [u8]>> {
    let sections = ids.iter().filter_map(|id| Some((*id, elf.section_by_name(name(*id)?)?)));
    let (large, others): (Vec<_>, Vec<_>) = sections.partition(|(_, section)| is_slow(section));
    let unpack = |(id, section): &(SectionId, Section<'d, '_>)| Some((*id, unpacked(section)?));
    let large = pool::map(&large, unpack).into_iter().flatten();
    large.chain(others.iter().filter_map(unpack)).collect()
}

/// True for a section that takes longer to unpack than a thread takes to start.
fn is_slow<'d>(section: &impl ObjectSection<'d>) -> bool {
    section.compressed_file_range().is_ok_and(|range| {
        range.format != CompressionFormat::None && range.compressed_size > SMALL_SECTION
    })
}

fn unpacked<'d>(section: &impl ObjectSection<'d>) -> Option<Cow<'d, [u8]>> {
    let data = section.compressed_data().ok()?;
    let believable = (data.data.len() as u64).saturating_mul(BEST_COMPRESSION).min(LARGEST_SECTION);
    if data.uncompressed_size > believable {
        return None;
    }
    data.decompress().ok()
}
