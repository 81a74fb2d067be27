//! Where the debug information of a module may be.
//!
//! Paths only: the caller opens the files, and believes one only when its build-id is that of
//! the module.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where distributions install debug files.
pub const DEBUG_ROOT: &str = "/usr/lib/debug";

/// `ROOT/.build-id/ab/cdef.debug`; `None` for an id too short to be split.
pub fn by_build_id(root: &Path, id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(root.join(format!(".build-id/{first:02x}/{rest}.debug")))
}

/// Where gdb looks for the file that `.gnu_debuglink` names: beside the module, in `.debug`
/// there, and under the debug root. Nothing for a link that is not a plain file name.
pub fn by_debug_link(root: &Path, module: &Path, link: &[u8]) -> Vec<PathBuf> {
    let Some(folder) = module.parent() else { return Vec::new() };
    if link.is_empty() || link.contains(&b'/') {
        return Vec::new();
    }
    let link = OsStr::from_bytes(link);
    let below_root = root.join(folder.strip_prefix("/").unwrap_or(folder));
    vec![folder.join(link), folder.join(".debug").join(link), below_root.join(link)]
}

/// Where the file may be that `.gnu_debugaltlink` in `debug_file` names: what several debug
/// files have in common.
pub fn by_alt_link(root: &Path, debug_file: &Path, link: &[u8], id: &[u8]) -> Vec<PathBuf> {
    let link = Path::new(OsStr::from_bytes(link));
    // An absolute link replaces the folder.
    let named = debug_file.parent().map(|folder| folder.join(link));
    named.into_iter().chain(by_build_id(root, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(DEBUG_ROOT)
    }

    #[test]
    fn a_build_id_names_a_debug_file() {
        let expected = Path::new("/usr/lib/debug/.build-id/ab/cdef01.debug");
        assert_eq!(by_build_id(root(), &[0xab, 0xcd, 0xef, 0x01]).as_deref(), Some(expected));
        assert_eq!(by_build_id(root(), &[0xab]), None);
        assert_eq!(by_build_id(root(), &[]), None);
    }

    #[test]
    fn a_debug_link_is_looked_for_where_gdb_looks() {
        let found = by_debug_link(root(), Path::new("/opt/app/bin/server"), b"server.debug");
        let expected = [
            "/opt/app/bin/server.debug",
            "/opt/app/bin/.debug/server.debug",
            "/usr/lib/debug/opt/app/bin/server.debug",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn a_debug_link_cannot_lead_elsewhere() {
        assert!(by_debug_link(root(), Path::new("/opt/server"), b"../../etc/passwd").is_empty());
        assert!(by_debug_link(root(), Path::new("/opt/server"), b"").is_empty());
    }

    #[test]
    fn an_alt_link_may_be_relative_to_the_debug_file() {
        let debug = Path::new("/usr/lib/debug/.build-id/ab/cd.debug");
        let found = by_alt_link(root(), debug, b"../../.dwz/common", &[1, 2]);
        assert_eq!(found[0], debug.parent().unwrap().join("../../.dwz/common"));
        assert_eq!(found[1], Path::new("/usr/lib/debug/.build-id/01/02.debug"));
    }
}
