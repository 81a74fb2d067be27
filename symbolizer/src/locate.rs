//! Where the files of a module may be.
//!
//! Paths only: the caller opens the files, and believes one only when its build-id is that of
//! the module.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where distributions install debug files.
pub const DEBUG_ROOT: &str = "/usr/lib/debug";

/// `FOLDER/.build-id/ab/cdef.debug`; `None` for an id too short to be split.
pub fn by_build_id(folder: &Path, id: &[u8]) -> Option<PathBuf> {
    Some(folder.join(".build-id").join(split_id(id)? + ".debug"))
}

/// `ab/cdef`.
fn split_id(id: &[u8]) -> Option<String> {
    let (first, rest) = id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{first:02x}/{rest}"))
}

/// Where gdb looks for the file that `.gnu_debuglink` names: beside the module, in `.debug`
/// there, and under the debug root. Nothing for a link that is not a plain file name.
pub fn by_debug_link(debug_root: &Path, module: &Path, link: &[u8]) -> Vec<PathBuf> {
    let Some((folder, link)) = module.parent().zip(file_name(link)) else { return Vec::new() };
    let below_root = below(debug_root, folder);
    vec![folder.join(link), folder.join(".debug").join(link), below_root.join(link)]
}

/// Where the file may be that `.gnu_debugaltlink` in `debug_file` names: what several debug
/// files have in common.
pub fn by_alt_link(debug_root: &Path, debug_file: &Path, link: &[u8], id: &[u8]) -> Vec<PathBuf> {
    let link = Path::new(OsStr::from_bytes(link));
    // An absolute link replaces the folder.
    let named = debug_file.parent().map(|folder| folder.join(link));
    named.into_iter().chain(by_build_id(debug_root, id)).collect()
}

/// Where a module, or a debug file of it, may be in a folder that a user names: one of files by
/// build-id, a copy of the system that the module comes from, or a plain collection of files.
/// `link` is what `.gnu_debuglink` says, if there is one.
pub fn in_folder(
    folder: &Path,
    module: &Path,
    id: Option<&[u8]>,
    link: Option<&[u8]>,
) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(id) = id.and_then(split_id) {
        for by_id in [folder.join(".build-id"), folder.to_owned()] {
            places.extend([by_id.join(id.clone() + ".debug"), by_id.join(&id)]);
        }
    }
    let copy = below(folder, module);
    let plain = module.file_name().map(|name| folder.join(name));
    for file in [Some(copy), plain].into_iter().flatten() {
        places.push(with_suffix(&file, ".debug"));
        if let (Some(link), Some(beside)) = (link.and_then(file_name), file.parent()) {
            places.extend([beside.join(link), beside.join(".debug").join(link)]);
        }
        places.push(file);
    }
    places
}

/// `path` as if `folder` were the root.
fn below(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path.strip_prefix("/").unwrap_or(path))
}

/// `None` for what is more than the name of a file.
fn file_name(link: &[u8]) -> Option<&OsStr> {
    let plain = !link.is_empty() && !link.contains(&b'/');
    plain.then(|| OsStr::from_bytes(link))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
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
        for link in [&b"../../etc/passwd"[..], b""] {
            assert!(by_debug_link(root(), Path::new("/opt/server"), link).is_empty());
            let places = in_folder(Path::new("/d"), Path::new("/opt/server"), None, Some(link));
            assert!(places.iter().all(|place| !place.ends_with("etc/passwd")), "{places:?}");
        }
    }

    #[test]
    fn an_alt_link_may_be_relative_to_the_debug_file() {
        let debug = Path::new("/usr/lib/debug/.build-id/ab/cd.debug");
        let found = by_alt_link(root(), debug, b"../../.dwz/common", &[1, 2]);
        assert_eq!(found[0], debug.parent().unwrap().join("../../.dwz/common"));
        assert_eq!(found[1], Path::new("/usr/lib/debug/.build-id/01/02.debug"));
    }

    #[test]
    fn a_folder_may_be_laid_out_by_build_id_by_path_or_by_name() {
        let module = Path::new("/opt/app");
        let found = in_folder(Path::new("/d"), module, Some(&[0xab, 0xcd]), Some(b"link"));
        let expected = [
            "/d/.build-id/ab/cd.debug",
            "/d/.build-id/ab/cd",
            "/d/ab/cd.debug",
            "/d/ab/cd",
            "/d/opt/app.debug",
            "/d/opt/link",
            "/d/opt/.debug/link",
            "/d/opt/app",
            "/d/app.debug",
            "/d/link",
            "/d/.debug/link",
            "/d/app",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
