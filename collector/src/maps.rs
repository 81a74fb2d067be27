//! What is mapped where in a process: `/proc/PID/maps`.

use std::io;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    /// First address behind.
    pub end: u64,
    pub readable: bool,
    pub writable: bool,
    pub executable: bool,
    /// Offset of `start` in the file.
    pub offset: u64,
    /// Device and inode; 0 and 0 where there is no file.
    pub file: FileId,
    /// Without " (deleted)"; empty for anonymous memory.
    pub path: String,
    pub deleted: bool,
}

/// Device, as major << 32 | minor, and inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// How the vDSO is called there.
pub const VDSO: &str = "[vdso]";

/// All mappings of a process, by rising address.
pub fn read(pid: u32) -> io::Result<Vec<Mapping>> {
    let of_process = read_file(&format!("/proc/{pid}/maps"))?;
    if !of_process.is_empty() {
        return Ok(of_process);
    }
    // Its first thread has ended, and the others go on.
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten();
    let maps = threads.filter_map(|thread| read_file(thread.path().join("maps").to_str()?).ok());
    Ok(maps.into_iter().find(|mappings| !mappings.is_empty()).unwrap_or_default())
}

fn read_file(path: &str) -> io::Result<Vec<Mapping>> {
    use std::io::Read;
    const USUAL: usize = 64 << 10;
    let mut bytes = Vec::with_capacity(USUAL);
    std::fs::File::open(path)?.read_to_end(&mut bytes)?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

/// The mapping that holds `address`.
pub fn find(mappings: &[Mapping], address: u64) -> Option<&Mapping> {
    let behind = mappings.partition_point(|mapping| mapping.start <= address);
    mappings.get(behind.checked_sub(1)?).filter(|mapping| address < mapping.end)
}

fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut field = || {
        let (field, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = behind;
        field
    };
    let (start, end) = field().split_once('-')?;
    let permissions = field();
    let offset = field();
    let (major, minor) = field().split_once(':')?;
    let inode = field();
    let path = rest.trim_start();
    let (path, deleted) = match path.strip_suffix(" (deleted)") {
        Some(path) => (path, true),
        None => (path, false),
    };
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let device = hex(major)? << 32 | hex(minor)?;
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        readable: permissions.contains('r'),
        writable: permissions.contains('w'),
        executable: permissions.contains('x'),
        offset: hex(offset)?,
        file: FileId { device, inode: inode.parse().ok()? },
        path: path.to_owned(),
        deleted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
7f1000000000-7f1000001000 r-xp 00002000 fd:01 4711                       /opt/a b/libc.so.6 (deleted)
7f1000001000-7f1000002000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0                          [vdso]
garbage
";

    #[test]
    fn lines_are_taken_apart() {
        let mappings = parse(TEXT);
        assert_eq!(mappings.len(), 3);
        let libc = &mappings[0];
        assert_eq!((libc.start, libc.end, libc.offset), (0x7f1000000000, 0x7f1000001000, 0x2000));
        assert!(libc.readable && libc.executable && !libc.writable && libc.deleted);
        assert_eq!(libc.file, FileId { device: 0xfd << 32 | 1, inode: 4711 });
        assert_eq!(libc.path, "/opt/a b/libc.so.6");
        assert_eq!(mappings[1].path, "");
        assert_eq!(mappings[2].path, VDSO);
    }

    #[test]
    fn an_address_is_in_one_mapping_or_none() {
        let mappings = parse(TEXT);
        assert_eq!(find(&mappings, 0x7f1000000fff), mappings.first());
        assert_eq!(find(&mappings, 0x7f1000001000), mappings.get(1));
        assert_eq!(find(&mappings, 0x7f1000002000), None);
        assert_eq!(find(&mappings, 1), None);
    }

    #[test]
    fn our_own_maps_show_our_own_code() {
        let mappings = read(std::process::id()).unwrap();
        let here = our_own_maps_show_our_own_code as fn() as usize as u64;
        assert!(find(&mappings, here).unwrap().executable);
    }
}
