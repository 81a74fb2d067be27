//! Files of modules, kept open until somebody has looked up their functions.
//!
//! A program may be deleted or replaced while it runs, and what is in a container may be out of
//! sight when it has ended. A descriptor is still the file that ran; that of a root folder leads
//! to debug files beside it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{OFlag, open};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use sigspy_model::{BuildId, Module};

/// Files that are kept at most: a process rarely has more than some hundred.
const MOST: usize = 4096;

/// What was kept of one module.
#[derive(Clone, Debug, Default)]
pub struct ModuleFile {
    /// `None`: it was not to be had, or too many are open.
    pub file: Option<Arc<File>>,
    /// The root folder of its process, where that is not ours.
    pub root: Option<Arc<OwnedFd>>,
}

/// What was kept of all modules of a recording.
#[derive(Debug, Default)]
pub struct ModuleFiles {
    /// By path and build-id: equal ones are equal files, wherever they are.
    kept: HashMap<(String, Option<BuildId>), ModuleFile>,
    roots: HashMap<RootId, Arc<OwnedFd>>,
    most: usize,
}

/// A root folder: its mount namespace, device and inode.
type RootId = (PathBuf, u64, u64);

impl ModuleFiles {
    /// Lets this process open as many files as it may, and keeps at most half of them. For when the
    /// program has been started, which shall not inherit that.
    pub fn make_room(&mut self) {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
        let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
        let limit = if raised { hard } else { soft };
        self.most = usize::try_from(limit / 2).unwrap_or(MOST).min(MOST);
    }

    /// Keeps what is known of a module of process `pid`.
    pub fn keep(&mut self, pid: u32, path: &str, build_id: Option<&[u8]>, file: Option<File>) {
        let has_room = self.kept.len() < self.most;
        let mut kept =
            ModuleFile { file: file.filter(|_| has_room).map(Arc::new), root: self.root(pid) };
        let key = (path.to_owned(), build_id.map(|id| BuildId(id.to_vec())));
        if key.1.is_none() && self.kept.contains_key(&key) {
            kept.file = None; // nothing says which of them is meant
        }
        self.kept.insert(key, kept);
    }

    /// What was kept of a module.
    pub fn of(&self, module: &Module) -> Option<&ModuleFile> {
        self.kept.get(&(module.path.clone(), module.build_id.clone()))
    }

    fn root(&mut self, pid: u32) -> Option<Arc<OwnedFd>> {
        let id = root_id(&pid.to_string())?;
        if Some(&id) == root_id("self").as_ref() {
            return None;
        }
        if let Some(root) = self.roots.get(&id) {
            return Some(root.clone());
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(format!("/proc/{pid}/root").as_str(), flags, Mode::empty()).ok()?;
        let root = Arc::new(root);
        if self.roots.len() < self.most {
            self.roots.insert(id, root.clone());
        }
        Some(root)
    }
}

fn root_id(process: &str) -> Option<RootId> {
    let namespace = fs::read_link(format!("/proc/{process}/ns/mnt")).ok()?;
    let root = fs::metadata(format!("/proc/{process}/root")).ok()?;
    Some((namespace, root.dev(), root.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Option<File> {
        Some(File::open("/proc/self/exe").unwrap())
    }

    fn module(build_id: Option<&[u8]>) -> Module {
        let build_id = build_id.map(|id| BuildId(id.to_vec()));
        Module { path: "/bin/app".to_owned(), build_id, image: None }
    }

    fn is_kept(files: &ModuleFiles, build_id: Option<&[u8]>) -> bool {
        files.of(&module(build_id)).is_some_and(|kept| kept.file.is_some())
    }

    #[test]
    fn files_of_the_same_path_are_told_apart_by_their_build_ids() {
        let mut files = ModuleFiles::default();
        files.make_room();
        let pid = std::process::id();
        files.keep(pid, "/bin/app", Some(&[1]), file());
        files.keep(pid, "/bin/app", Some(&[2]), None);
        assert!(is_kept(&files, Some(&[1])));
        assert!(!is_kept(&files, Some(&[2])));
        assert!(files.of(&module(Some(&[3]))).is_none());
        files.keep(pid, "/bin/app", None, file());
        assert!(is_kept(&files, None));
        files.keep(pid, "/bin/app", None, file());
        assert!(!is_kept(&files, None));
    }

    #[test]
    fn our_own_root_folder_is_not_worth_keeping() {
        let mut files = ModuleFiles::default();
        files.keep(std::process::id(), "/bin/app", None, file());
        assert!(files.of(&module(None)).unwrap().root.is_none());
    }

    #[test]
    fn no_more_files_are_kept_than_there_is_room_for() {
        let mut files = ModuleFiles { most: 1, ..ModuleFiles::default() };
        files.keep(std::process::id(), "/bin/app", Some(&[1]), file());
        files.keep(std::process::id(), "/bin/app", Some(&[2]), file());
        assert!(is_kept(&files, Some(&[1])) && !is_kept(&files, Some(&[2])));
    }
}
