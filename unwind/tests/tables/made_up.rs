//! ELF files with code and call frame information that no compiler makes on demand.

/// Instructions of call frame information.
pub mod cfa {
    pub const ADVANCE_4: u8 = 0x44;
    pub const DEF_CFA: u8 = 0x0c;
    pub const DEF_CFA_RSP_16: &[u8] = &[0x0c, 7, 16];
    pub const DEF_CFA_OFFSET: u8 = 0x0e;
    pub const EXPRESSION: u8 = 0x10;
    pub const DEF_CFA_EXPRESSION: u8 = 0x0f;
    pub const REMEMBER: u8 = 0x0a;
    pub const RESTORE: u8 = 0x0b;
    pub const GNU_ARGS_SIZE: u8 = 0x2e;
    pub const UNDEFINED: u8 = 0x07;
    pub const REGISTER: u8 = 0x09;
    pub const UNKNOWN: u8 = 0x3f;
}

/// What compilers have in common entries: CFA = rsp + 8, return address below it.
pub const USUAL: &[u8] = &[0x0c, 7, 8, 0x90, 1];

/// A section of call frame information in the making.
pub struct Frames {
    bytes: Vec<u8>,
    is_debug_frame: bool,
    common: usize,
    has_augmentation: bool,
}

impl Frames {
    pub fn eh_frame() -> Self {
        Self { bytes: Vec::new(), is_debug_frame: false, common: 0, has_augmentation: false }
    }

    pub fn debug_frame() -> Self {
        Self { is_debug_frame: true, ..Self::eh_frame() }
    }

    /// Starts a common entry for the functions that follow.
    pub fn common(mut self, augmentation: &str, instructions: &[u8]) -> Self {
        self.common = self.bytes.len();
        self.has_augmentation = !augmentation.is_empty();
        let id: u32 = if self.is_debug_frame { u32::MAX } else { 0 };
        let mut entry = id.to_le_bytes().to_vec();
        entry.push(1); // version
        entry.extend(augmentation.as_bytes());
        entry.extend([0, 1, 0x78, 16]); // end of string, factors 1 and -8, return address
        entry.extend(self.has_augmentation.then_some(0));
        entry.extend(instructions);
        self.entry(&entry);
        self
    }

    pub fn function(mut self, start: u64, length: u64, instructions: &[u8]) -> Self {
        let back = if self.is_debug_frame { 0 } else { self.bytes.len() + 4 };
        let mut entry = (back.abs_diff(self.common) as u32).to_le_bytes().to_vec();
        entry.extend(start.to_le_bytes());
        entry.extend(length.to_le_bytes());
        entry.extend(self.has_augmentation.then_some(0));
        entry.extend(instructions);
        self.entry(&entry);
        self
    }

    /// The bytes of the section, with the terminator.
    pub fn finish(self) -> Vec<u8> {
        [&*self.bytes, &[0; 4]].concat()
    }

    fn entry(&mut self, entry: &[u8]) {
        let padding = entry.len().next_multiple_of(8) + 4 - entry.len();
        self.bytes.extend(((entry.len() + padding) as u32).to_le_bytes());
        self.bytes.extend(entry);
        self.bytes.resize(self.bytes.len() + padding, 0);
    }
}

/// A file in the making, mapped at zero as a whole, as code.
pub struct Elf {
    machine: u16,
    sections: Vec<Section>,
    /// Type, flags, address, size in memory.
    more_segments: Vec<(u32, u32, u64, u64)>,
}

struct Section {
    name: &'static str,
    address: u64,
    bytes: Vec<u8>,
}

const PAGE: usize = 0x1000;
pub const PT_LOAD: u32 = 1;
pub const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
pub const CODE: u32 = 1;

impl Elf {
    /// With 16 pages of code at 0x1000.
    pub fn new() -> Self {
        let elf = Self { machine: 62, sections: Vec::new(), more_segments: Vec::new() };
        elf.section(".text", 0x1000, vec![0; 16 * PAGE])
    }

    pub fn machine(mut self, machine: u16) -> Self {
        self.machine = machine;
        self
    }

    /// Sections must be added by address.
    pub fn section(mut self, name: &'static str, address: u64, bytes: Vec<u8>) -> Self {
        self.sections.push(Section { name, address, bytes });
        self
    }

    pub fn eh_frame(self, frames: Frames) -> Self {
        self.section(".eh_frame", 0x2_0000, frames.finish())
    }

    pub fn debug_frame(self, frames: Frames) -> Self {
        self.section(".debug_frame", 0x8_0000, frames.finish())
    }

    pub fn segment(mut self, kind: u32, flags: u32, address: u64, size: u64) -> Self {
        self.more_segments.push((kind, flags, address, size));
        self
    }

    pub fn build(&self) -> Vec<u8> {
        let mut file = vec![0; 64];
        let end = self.sections.iter().map(|section| section.address + section.bytes.len() as u64);
        let end = end.max().unwrap();
        self.program_header(&mut file, (PT_LOAD, CODE, 0, end), end);
        for segment in &self.more_segments {
            self.program_header(&mut file, *segment, segment.3.min(end));
        }
        for section in &self.sections {
            file.resize(section.address as usize, 0);
            file.extend(&section.bytes);
        }
        file.resize(file.len().next_multiple_of(8), 0);
        let section_headers = self.section_headers(&mut file);
        self.header(&mut file, section_headers);
        file
    }

    /// Without section headers.
    pub fn build_bare(&self) -> Vec<u8> {
        let mut file = self.build();
        file[40..48].fill(0);
        file[60..64].fill(0);
        file
    }

    fn program_header(&self, file: &mut Vec<u8>, segment: (u32, u32, u64, u64), in_file: u64) {
        let (kind, flags, address, size) = segment;
        let offset = if in_file < size { 0 } else { address };
        file.extend([kind, flags].map(u32::to_le_bytes).concat());
        file.extend([offset, address, address, in_file, size, 1].map(u64::to_le_bytes).concat());
    }

    /// Returns where they are. The names are those of the last section.
    fn section_headers(&self, file: &mut Vec<u8>) -> u64 {
        const SHT_PROGBITS: u32 = 1;
        const SHT_STRTAB: u32 = 3;
        const ALLOC_EXEC: u64 = 6;
        let mut names = vec![0];
        let mut headers = vec![0; 64];
        for section in &self.sections {
            let (name, size) = (names.len() as u32, section.bytes.len() as u64);
            let flags = if section.name.contains("frame") { 0 } else { ALLOC_EXEC };
            names.extend(section.name.as_bytes());
            names.push(0);
            headers.extend([name, SHT_PROGBITS].map(u32::to_le_bytes).concat());
            let words = [flags, section.address, section.address, size, 0, 1, 0];
            headers.extend(words.map(u64::to_le_bytes).concat());
        }
        headers.extend([0, SHT_STRTAB].map(u32::to_le_bytes).concat());
        let words = [0, 0, file.len() as u64, names.len() as u64, 0, 1, 0];
        headers.extend(words.map(u64::to_le_bytes).concat());
        file.extend(names);
        file.resize(file.len().next_multiple_of(8), 0);
        let start = file.len() as u64;
        file.extend(headers);
        start
    }

    fn header(&self, file: &mut [u8], section_headers: u64) {
        let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        header.extend([3, self.machine].map(u16::to_le_bytes).concat());
        header.extend(1_u32.to_le_bytes());
        header.extend([0, 64, section_headers].map(u64::to_le_bytes).concat());
        header.extend([0; 4]);
        let segments = 1 + self.more_segments.len() as u16;
        let sections = 2 + self.sections.len() as u16;
        let halves = [64, 56, segments, 64, sections, sections - 1];
        header.extend(halves.map(u16::to_le_bytes).concat());
        file[..64].copy_from_slice(&header);
    }
}
