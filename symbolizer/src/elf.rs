#![allow(unsafe_code, reason = "files are mapped, as debug information can be gigabytes")]
//! ELF files as bytes: opened, identified, their sections unpacked.
//!
//! Nothing here trusts the file: every offset is checked by `object`, and a compressed section
//! that claims an absurd size is refused before memory is set aside for it.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use gimli::DwarfSections;
use memmap2::Mmap;
use object::elf::SHF_EXECINSTR;
use object::{Object, ObjectSection, SectionFlags};
use sigspy_model::BuildId;

/// Unpacked sections larger than this are not read: bytes.
const LARGEST_SECTION: u64 = 4 << 30;
/// No byte of a compressed section becomes more bytes than this: zlib cannot do better than
/// 1032, and debug information is not the kind of data with which zstd could.
const BEST_COMPRESSION: u64 = 1100;

/// Sections of one file, unpacked where they were compressed.
pub type Sections<'d> = DwarfSections<Cow<'d, [u8]>>;

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

/// The debug sections of a file. A section that cannot be read is empty: what depends on it is
/// missing, the rest stays useful.
pub fn sections<'d>(elf: &object::File<'d>) -> Sections<'d> {
    let load = |id: gimli::SectionId| -> Result<_, std::convert::Infallible> {
        Ok(elf
            .section_by_name(id.name())
            .and_then(|section| unpacked(&section))
            .unwrap_or_default())
    };
    let Ok(sections) = Sections::load(load);
    sections
}

fn unpacked<'d>(section: &impl ObjectSection<'d>) -> Option<Cow<'d, [u8]>> {
    let data = section.compressed_data().ok()?;
    let believable = (data.data.len() as u64).saturating_mul(BEST_COMPRESSION).min(LARGEST_SECTION);
    if data.uncompressed_size > believable {
        return None;
    }
    data.decompress().ok()
}
