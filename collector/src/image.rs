//! The ELF image behind a mapping: found, opened, and read for what unwinding and symbolizing
//! need to know about it.
//!
//! A file may have been deleted or replaced since it was mapped. It is used only if it is the one
//! that `/proc/PID/maps` names by device and inode, or (some file systems give other numbers
//! there than stat(2): overlayfs, btrfs) if its first page is the one in memory. Otherwise the
//! image is put together from the memory of the process.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};

use memmap2::Mmap;
use nix::fcntl::{OFlag, open as open_descriptor};
use nix::sys::stat::Mode;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf::FileHeader64, elf::PF_X, elf::PT_LOAD};

use crate::maps::{FileId, Mapping};

/// Images put together from memory are at most so long, bytes.
const LONGEST_COPY: u64 = 1 << 30;

/// The bytes of an image.
pub enum Image {
    File(Mmap),
    /// Read from the memory of the process: no sections, only what was loaded.
    Copy(Vec<u8>),
}

impl Image {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::File(map) => map,
            Self::Copy(bytes) => bytes,
        }
    }
}

/// Finds the image of `module`, one of `mappings` of process `pid`, and the file that it is.
pub fn open(pid: u32, mappings: &[Mapping], module: &Mapping) -> Option<(Image, Option<File>)> {
    if module.file != FileId::default()
        && let Some((map, file)) = open_file(pid, mappings, module)
    {
        return Some((Image::File(map), Some(file)));
    }
    Some((Image::Copy(copy(pid, mappings, module)?), None))
}

#[allow(unsafe_code, reason = "maps files")]
fn open_file(pid: u32, mappings: &[Mapping], module: &Mapping) -> Option<(Mmap, File)> {
    let places = [
        format!("/proc/{pid}/map_files/{:x}-{:x}", module.start, module.end),
        format!("/proc/{pid}/root{}", module.path),
        format!("/proc/{pid}/exe"),
        module.path.clone(), // all of /proc/PID is empty once the first thread is gone
    ];
    let is_the_one = |file: &File| {
        file.metadata().is_ok_and(|data| file_id(&data) == module.file)
            || has_the_first_page_of(file, pid, mappings, module).unwrap_or(false)
    };
    let file = places.iter().filter_map(|place| open_regular(place).ok()).find(is_the_one)?;
    // SAFETY: whoever truncates a file of running code kills that code with SIGBUS, and us; a
    // package manager replaces such files instead. Its bytes may change: they are untrusted.
    let map = unsafe { Mmap::map(&file) }.ok()?;
    Some((map, file))
}

/// Opens a regular file. Nothing else is opened, as that alone can have effects: a pipe that was put
/// in the place of a module waits for its other end.
fn open_regular(path: &str) -> io::Result<File> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let place: File = open_descriptor(path, flags, Mode::empty())?.into();
    if !place.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))
}

pub fn file_id(metadata: &fs::Metadata) -> FileId {
    let device = metadata.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    FileId { device: u64::from(major) << 32 | u64::from(minor), inode: metadata.ino() }
}

fn has_the_first_page_of(
    file: &File,
    pid: u32,
    mappings: &[Mapping],
    module: &Mapping,
) -> Option<bool> {
    let (mut stored, mut mapped) = ([0; 4096], [0; 4096]);
    let first = mappings.iter().find(|mapping| is_part(module, mapping) && mapping.offset == 0)?;
    File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut mapped, first.start).ok()?;
    file.read_exact_at(&mut stored, 0).ok()?;
    Some(stored == mapped)
}

fn is_part(module: &Mapping, mapping: &Mapping) -> bool {
    mapping.readable && mapping.file == module.file && mapping.path == module.path
}

fn copy(pid: u32, mappings: &[Mapping], module: &Mapping) -> Option<Vec<u8>> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let first = mappings.iter().find(|mapping| is_part(module, mapping) && mapping.offset == 0)?;
    let mut magic = [0; 4];
    memory.read_exact_at(&mut magic, first.start).ok()?;
    if magic != object::elf::ELFMAG {
        return None; // the output of a JIT compiler, for one
    }
    let mut image = Vec::new();
    for part in mappings.iter().filter(|mapping| is_part(module, mapping)) {
        let end = part.offset.checked_add(part.end - part.start)?;
        if end > LONGEST_COPY {
            return None;
        }
        if image.len() < end as usize {
            image.resize(end as usize, 0);
        }
        let place = image.get_mut(part.offset as usize..end as usize)?;
        memory.read_exact_at(place, part.start).ok()?;
    }
    (!image.is_empty()).then_some(image)
}

/// What the headers of an image say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    pub build_id: Option<Vec<u8>>,
    /// Those with code: others may share a page of the file with them, at another address.
    segments: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    offset: u64,
    length: u64,
    address: u64,
}

impl Headers {
    /// Reads an image, which may be anything.
    pub fn read(image: &[u8]) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(image).ok()?;
        let endian = header.endian().ok()?;
        let programs = header.program_headers(endian, image).ok()?;
        let is_code = |program: &&object::elf::ProgramHeader64<Endianness>| {
            program.p_type(endian) == PT_LOAD && program.p_flags(endian).0 & PF_X.0 != 0
        };
        let segment = |program: &object::elf::ProgramHeader64<Endianness>| Segment {
            offset: program.p_offset(endian),
            length: program.p_filesz(endian),
            address: program.p_vaddr(endian),
        };
        let segments = programs.iter().filter(is_code).map(segment).collect();
        let note = |program: &object::elf::ProgramHeader64<Endianness>| {
            let mut notes = program.notes(endian, image).ok()??;
            while let Ok(Some(note)) = notes.next() {
                if note.n_type(endian) == object::elf::NT_GNU_BUILD_ID && note.name() == b"GNU" {
                    return Some(note.desc().to_vec());
                }
            }
            None
        };
        Some(Self { build_id: programs.iter().find_map(note), segments })
    }

    /// Runtime address minus relative address in an executable mapping.
    pub fn bias(&self, mapping: &Mapping) -> Option<u64> {
        const PAGE: u64 = 4096;
        let length = mapping.end - mapping.start;
        let overlaps = |segment: &&Segment| {
            let start = segment.offset & !(PAGE - 1);
            let end = segment.offset.saturating_add(segment.length);
            start < mapping.offset.saturating_add(length) && mapping.offset < end
        };
        let segment = self.segments.iter().find(overlaps)?;
        let address = mapping.offset.wrapping_sub(segment.offset).wrapping_add(segment.address);
        Some(mapping.start.wrapping_sub(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps;

    #[test]
    fn the_bias_of_our_own_code_leads_back_to_the_symbol_table() {
        let pid = std::process::id();
        let mappings = maps::read(pid).unwrap();
        let here = Headers::read as *const () as u64;
        let mapping = maps::find(&mappings, here).unwrap();
        let (image, file) = open(pid, &mappings, mapping).unwrap();
        assert!(matches!(image, Image::File(_)) && file.is_some());
        let headers = Headers::read(image.bytes()).unwrap();
        let relative = here - headers.bias(mapping).unwrap();
        use object::{Object, ObjectSymbol};
        let file = object::File::parse(image.bytes()).unwrap();
        assert!(file.symbols().any(|symbol| symbol.address() == relative));
    }

    #[test]
    fn the_vdso_is_read_from_memory() {
        let pid = std::process::id();
        let mappings = maps::read(pid).unwrap();
        let vdso = mappings.iter().find(|mapping| mapping.path == maps::VDSO).unwrap();
        let (image, file) = open(pid, &mappings, vdso).unwrap();
        assert!(file.is_none());
        assert!(Headers::read(image.bytes()).unwrap().build_id.is_some());
    }

    #[test]
    fn a_pipe_in_the_place_of_a_module_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("sigspy-pipe-{}", std::process::id()));
        nix::unistd::mkfifo(&path, Mode::S_IRUSR).unwrap();
        let opened = open_regular(path.to_str().unwrap());
        fs::remove_file(&path).unwrap();
        assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(open_regular("/proc/self/exe").is_ok());
    }

    #[test]
    fn garbage_is_no_image() {
        assert_eq!(Headers::read(b"\x7fELF"), None);
        assert_eq!(Headers::read(&[0; 4096]), None);
    }
}
