//! The parts of an ELF file that unwinding needs. Section headers may be missing, as in an image
//! that was read from memory: then program headers must do.

use std::borrow::Cow;
use std::ops::Range;

use gimli::{BaseAddresses, DebugFrame, EhFrame, EhFrameHdr, EndianSlice, LittleEndian};
use object::elf::{
    ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD, EM_X86_64, FileHeader64, PF_X, PT_GNU_EH_FRAME, PT_LOAD,
    ProgramHeader64, SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SectionHeader64,
};
use object::read::elf::{
    CompressionHeader, FileHeader, ProgramHeader, SectionHeader, SectionTable,
};
use object::{CompressedData, CompressionFormat};

use super::CompileError;
use super::frames::Frames;

type Header = FileHeader64<object::LittleEndian>;
const LITTLE: object::LittleEndian = object::LittleEndian;

/// Segments and sections that are looked at: several times what linkers make, and so few that
/// looking through all of them again and again does no harm.
const MOST_SEGMENTS: usize = 64;
const MOST_SECTIONS: usize = 1024;

/// How much a compressed section can shrink (zlib reaches 1032), and how large it may become.
const MOST_COMPRESSION: u64 = 1100;
const MOST_DECOMPRESSED: u64 = 256 << 20;

/// Bytes of call frame information.
pub type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Bytes of the file, and the address that they are mapped at.
#[derive(Clone, Copy, Default)]
pub struct Mapped<'a> {
    pub address: u64,
    pub bytes: &'a [u8],
}

pub struct Elf<'a> {
    data: &'a [u8],
    entry: u64,
    segments: &'a [ProgramHeader64<object::LittleEndian>],
    sections: SectionTable<'a, Header>,
}

impl<'a> Elf<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Self, CompileError> {
        let header = Header::parse(data).map_err(|_| CompileError::NotElf)?;
        header.endian().map_err(|_| CompileError::NotElf)?;
        let machine = header.e_machine(LITTLE);
        if machine != EM_X86_64 {
            return Err(CompileError::OtherMachine(machine.0));
        }
        let segments = header.program_headers(LITTLE, data).map_err(|_| CompileError::NotElf)?;
        let sections = header.sections(LITTLE, data).unwrap_or_default();
        Ok(Self { data, entry: header.e_entry(LITTLE), segments, sections })
    }

    /// Address of the first instruction; 0: there is none.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Address ranges of code, unordered.
    pub fn code(&self) -> impl Iterator<Item = Range<u64>> {
        self.loaded().filter(|segment| segment.p_flags(LITTLE).contains(PF_X)).map(|segment| {
            let start = segment.p_vaddr(LITTLE);
            start..start.saturating_add(segment.p_memsz(LITTLE))
        })
    }

    /// The file's bytes from `address` to the end of the segment that holds it.
    pub fn mapped_from(&self, address: u64) -> Option<&'a [u8]> {
        self.loaded().find_map(|segment| {
            let offset = address.checked_sub(segment.p_vaddr(LITTLE))?;
            segment.data(LITTLE, self.data).ok()?.get(usize::try_from(offset).ok()?..)
        })
    }

    /// The file's bytes in a range of addresses, as far as there are any from its start on.
    pub fn mapped_in(&self, range: &Range<u64>) -> &'a [u8] {
        let bytes = self.mapped_from(range.start).unwrap_or_default();
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        bytes.get(..length).unwrap_or(bytes)
    }

    fn loaded(&self) -> impl Iterator<Item = &'a ProgramHeader64<object::LittleEndian>> {
        let loaded = self.segments.iter().filter(|segment| segment.p_type(LITTLE) == PT_LOAD);
        loaded.take(MOST_SEGMENTS)
    }

    /// Sections of code with their names.
    pub fn code_sections(&self) -> impl Iterator<Item = (&'a [u8], Mapped<'a>)> {
        let is_code = |section: &SectionHeader64<_>| {
            let flags = section.sh_flags(LITTLE);
            flags.contains(SHF_ALLOC) && flags.contains(SHF_EXECINSTR)
        };
        self.sections()
            .filter(move |(_, section)| is_code(section))
            .filter_map(|(name, section)| Some((name, self.mapped(section)?)))
    }

    /// `.eh_frame`, or what the program header of its index leads to; empty if there is none.
    pub fn eh_frame(&self) -> Frames<'a, EhFrame<Reader<'a>>> {
        let found = self.section(b".eh_frame").filter(|found| !found.bytes.is_empty());
        let found = found.or_else(|| self.eh_frame_by_header()).unwrap_or_default();
        let bases = self.bases().set_eh_frame(found.address);
        Frames::new(EhFrame::new(found.bytes, LittleEndian), bases)
    }

    /// The bytes of `.debug_frame`, which may be compressed in the file, as Go does it; empty if there
    /// are none.
    pub fn debug_frame_bytes(&self) -> Cow<'a, [u8]> {
        let found = self.sections().find(|(name, _)| *name == b".debug_frame");
        found.and_then(|(_, section)| self.decompressed(section)).unwrap_or_default()
    }

    /// `.debug_frame`, from its bytes.
    pub fn debug_frame<'b>(&self, bytes: &'b [u8]) -> Frames<'b, DebugFrame<Reader<'b>>> {
        Frames::new(DebugFrame::new(bytes, LittleEndian), self.bases())
    }

    fn eh_frame_by_header(&self) -> Option<Mapped<'a>> {
        let is_index = |segment: &&ProgramHeader64<_>| segment.p_type(LITTLE) == PT_GNU_EH_FRAME;
        let index = self.segments.iter().find(is_index)?;
        let bases = BaseAddresses::default().set_eh_frame_hdr(index.p_vaddr(LITTLE));
        let bytes = index.data(LITTLE, self.data).ok()?;
        let index = EhFrameHdr::new(bytes, LittleEndian).parse(&bases, 8).ok()?;
        let address = index.eh_frame_ptr().direct().ok()?;
        Some(Mapped { address, bytes: self.mapped_from(address)? })
    }

    /// What pointers in call frame information may be relative to, but for the section itself.
    fn bases(&self) -> BaseAddresses {
        let mut bases = BaseAddresses::default();
        if let Some(text) = self.section(b".text") {
            bases = bases.set_text(text.address);
        }
        if let Some(got) = self.section(b".got") {
            bases = bases.set_got(got.address);
        }
        bases
    }

    fn section(&self, name: &[u8]) -> Option<Mapped<'a>> {
        self.mapped(self.sections().find(|section| section.0 == name)?.1)
    }

    fn sections(
        &self,
    ) -> impl Iterator<Item = (&'a [u8], &'a SectionHeader64<object::LittleEndian>)> {
        self.sections.iter().take(MOST_SECTIONS).filter_map(|section| {
            Some((self.sections.section_name(LITTLE, section).ok()?, section))
        })
    }

    /// A file may claim any size. What is larger than can come of its bytes is not believed.
    fn decompressed(
        &self,
        section: &SectionHeader64<object::LittleEndian>,
    ) -> Option<Cow<'a, [u8]>> {
        let Some((header, offset, size)) = section.compression(LITTLE, self.data).ok()? else {
            return section.data(LITTLE, self.data).ok().map(Cow::Borrowed);
        };
        let start = usize::try_from(offset).ok()?;
        let data = self.data.get(start..)?.get(..usize::try_from(size).ok()?)?;
        let format = match header.ch_type(LITTLE) {
            ELFCOMPRESS_ZLIB => CompressionFormat::Zlib,
            ELFCOMPRESS_ZSTD => CompressionFormat::Zstandard,
            _ => return None,
        };
        let uncompressed_size = header.ch_size(LITTLE);
        let most = (data.len() as u64).saturating_mul(MOST_COMPRESSION).min(MOST_DECOMPRESSED);
        if uncompressed_size > most {
            return None;
        }
        CompressedData { format, data, uncompressed_size }.decompress().ok()
    }

    fn mapped(&self, section: &SectionHeader64<object::LittleEndian>) -> Option<Mapped<'a>> {
        if section.sh_flags(LITTLE).contains(SHF_COMPRESSED) {
            return None;
        }
        let bytes = section.data(LITTLE, self.data).ok()?;
        Some(Mapped { address: section.sh_addr(LITTLE), bytes })
    }
}
