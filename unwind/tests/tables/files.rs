//! Files of the system that tests run on.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A line of /proc/self/maps.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub is_code: bool,
    pub file_offset: u64,
    pub name: String,
}

/// The mappings of this process.
pub fn mappings() -> Vec<Mapping> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().map(|line| parse_mapping(line).unwrap()).collect()
}

fn parse_mapping(line: &str) -> Option<Mapping> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let mut rest = rest.splitn(5, ' ');
    let (permissions, file_offset) = (rest.next()?, rest.next()?);
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping {
        start: number(start)?,
        end: number(end)?,
        is_code: permissions.contains('x'),
        file_offset: number(file_offset)?,
        name: rest.nth(2).unwrap_or_default().trim().to_owned(),
    })
}

/// The ELF image behind a mapping, if it has one.
pub fn image(mapping: &Mapping) -> Option<Vec<u8>> {
    if mapping.name == "[vdso]" {
        let mut image = vec![0; (mapping.end - mapping.start) as usize];
        File::open("/proc/self/mem").unwrap().read_exact_at(&mut image, mapping.start).unwrap();
        return Some(image);
    }
    fs::read(Path::new(&mapping.name)).ok().filter(|bytes| bytes.starts_with(b"\x7fELF"))
}

/// The image of the virtual dynamic shared object.
pub fn vdso() -> Vec<u8> {
    let mapping = mappings().into_iter().find(|mapping| mapping.name == "[vdso]");
    image(&mapping.unwrap()).unwrap()
}

/// Libraries and programs with all sorts of code: C, C++, assembly, frame pointers. The first
/// two are everywhere with glibc; the others are tested where they are installed.
pub fn system_files() -> Vec<PathBuf> {
    let libraries =
        ["libc.so.6", "ld-linux-x86-64.so.2", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"];
    let libraries = libraries.iter().flat_map(|library| {
        ["/lib/x86_64-linux-gnu", "/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"]
            .iter()
            .map(move |folder| Path::new(folder).join(library))
            .find(|path| path.exists())
    });
    let programs = ["/usr/bin/python3", "/bin/ls", "/usr/bin/gdb", "/usr/bin/openssl"];
    let programs = programs.iter().map(PathBuf::from).filter(|path| path.exists());
    libraries.chain(programs).chain([std::env::current_exe().unwrap()]).collect()
}

/// All programs and libraries for this processor in the places where systems and tool chains
/// keep them, each file once.
pub fn all_elf_files() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let of_user = [".rustup", ".cargo/bin", ".pyenv", ".local"].map(|folder| home.join(folder));
    let of_system = ["/sbin", "/bin", "/lib64", "/lib", "/opt", "/usr"].map(PathBuf::from);
    let mut folders = [&of_user[..], &of_system].concat();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue }; // does not follow links
            if !seen.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() && is_program(&entry.path()) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Whether this is an executable or a shared object for x86-64.
fn is_program(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut header, 0));
    read.is_ok() && matches!(header, [0x7f, b'E', b'L', b'F', 2, 1, .., 2 | 3, 0, 62, 0])
}
