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
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gimli::{DwarfPackageSections, DwarfSections, SectionId};
use memmap2::Mmap;
use object::elf::SHF_EXECINSTR;
use object::{CompressionFormat, Object, ObjectSection, Section, SectionFlags};
use sigspy_model::BuildId;

use crate::pool;

/// Of the sections of a module, in all its files, so much is unpacked: bytes.
const MOST_UNPACKED: u64 = 4 << 30;
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
        /// What tells this file from all others, and from what it was or will be.
        key: Option<Vec<u8>>,
    },
    /// Part of the recording: the vDSO.
    Recorded(&'m [u8]),
    /// Part of another image, unpacked.
    Unpacked(Vec<u8>),
}

impl Image<'_> {
    /// Maps the file that was opened at `path`.
    pub fn map(file: &File, path: &Path) -> io::Result<Self> {
        // SAFETY: the map is read-only, and lives as long as `self`. The file must
        // not be written or cut meanwhile, which nobody can guarantee: whoever overwrites a
        // program in place during a report gives it wrong names, or ends it by SIGBUS. Linkers
        // and package managers replace files instead, which leaves a map as it was.
        let map = unsafe { Mmap::map(file)? };
        let key = sigspy_cache::file_key(&file.metadata()?);
        Ok(Self::Mapped { path: path.to_owned(), map, key })
    }

    /// The image as an ELF file; `None` for anything else.
    pub fn elf(&self) -> Option<object::File<'_>> {
        object::File::parse(&**self).ok()
    }

    /// What tells the file from all others; nothing for a part of another. `None`: it was changed a
    /// moment ago, or is no file.
    pub fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Mapped { key, .. } => key.as_deref(),
            Self::Unpacked(_) => Some(&[]),
            Self::Recorded(_) => None,
        }
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

/// Memory for the unpacked sections of one module: bytes that are left.
pub struct Room(AtomicU64);

impl Room {
    pub fn new() -> Self {
        Self(AtomicU64::new(MOST_UNPACKED))
    }

    /// Takes so many bytes, if they are left.
    fn take(&self, bytes: u64) -> bool {
        // Relaxed: only a number.
        self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok()
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
pub fn sections<'d>(elf: &object::File<'d>, room: &Room) -> Sections<'d> {
    let mut unpacked = unpack(elf, &NEEDED, |id| Some(id.name()), room);
    let load = |id| Ok::<_, Infallible>(unpacked.remove(&id).unwrap_or_default());
    let Ok(sections) = Sections::load(load);
    sections
}

/// The same of a `.dwo` file. Each type may be in a section of its own, called as that of the
/// functions: they are joined.
pub fn split_sections<'d>(elf: &object::File<'d>, room: &Room) -> Sections<'d> {
    let mut unpacked = unpack(elf, &NEEDED, SectionId::dwo_name, room);
    let parts = elf.sections().filter(|section| section.name() == Ok(".debug_info.dwo"));
    let parts: Vec<_> = parts.collect();
    if parts.len() > 1 {
        let joined = joined(parts.iter().filter_map(|part| self::unpacked(part, room)), room);
        unpacked.insert(SectionId::DebugInfo, joined.into());
    }
    let load = |id| Ok::<_, Infallible>(unpacked.remove(&id).unwrap_or_default());
    let Ok(sections) = Sections::load(load);
    sections
}

/// Parts one behind another, as far as there is room.
fn joined<'d>(parts: impl Iterator<Item = Cow<'d, [u8]>>, room: &Room) -> Vec<u8> {
    let mut joined = Vec::new();
    parts.take_while(|part| room.take(part.len() as u64)).for_each(|part| joined.extend(&*part));
    joined
}

/// The same of a `.dwp` file.
pub fn packed_sections<'d>(elf: &object::File<'d>, room: &Room) -> PackedSections<'d> {
    let ids = [NEEDED.as_slice(), &INDEXED].concat();
    let mut unpacked = unpack(elf, &ids, SectionId::dwo_name, room);
    let load = |id| Ok::<_, gimli::Error>(unpacked.remove(&id).unwrap_or_default());
    PackedSections::load(load).unwrap_or_default()
}

/// Sections by id. Large ones that are compressed are unpacked at the same time.
fn unpack<'d>(
    elf: &object::File<'d>,
    ids: &[SectionId],
    name: impl Fn(SectionId) -> Option<&'static str>,
    room: &Room,
) -> HashMap<SectionId, Cow<'d, [u8]>> {
    let sections = ids.iter().filter_map(|id| Some((*id, elf.section_by_name(name(*id)?)?)));
    let (large, others): (Vec<_>, Vec<_>) = sections.partition(|(_, section)| is_slow(section));
    let unpack =
        |(id, section): &(SectionId, Section<'d, '_>)| Some((*id, unpacked(section, room)?));
    let large = pool::map(&large, unpack).into_iter().flatten();
    large.chain(others.iter().filter_map(unpack)).collect()
}

/// True for a section that takes longer to unpack than a thread takes to start.
fn is_slow<'d>(section: &impl ObjectSection<'d>) -> bool {
    section.compressed_file_range().is_ok_and(|range| {
        range.format != CompressionFormat::None && range.compressed_size > SMALL_SECTION
    })
}

/// `None` also where there is no room for it.
fn unpacked<'d>(section: &impl ObjectSection<'d>, room: &Room) -> Option<Cow<'d, [u8]>> {
    let data = section.compressed_data().ok()?;
    if data.format != CompressionFormat::None {
        let believable = (data.data.len() as u64).saturating_mul(BEST_COMPRESSION);
        if data.uncompressed_size > believable || !room.take(data.uncompressed_size) {
            return None;
        }
    }
    data.decompress().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_as_far_as_there_is_room() {
        let room = Room(AtomicU64::new(10));
        let parts = [&[1; 4][..], &[2; 6], &[3; 1]].map(Cow::Borrowed);
        assert_eq!(joined(parts.into_iter(), &room), [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
        assert!(!room.take(1));
    }
}
