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
use nix::sys::stat::Mode;
use sigspy_model::{Module, ModuleId};

use crate::open_files;

/// Files and root folders that are kept at most: a process rarely has more than some hundred.
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
    /// Each with the path of its module, which may be that of others, too.
    kept: HashMap<ModuleId, (String, ModuleFile)>,
    roots: HashMap<RootId, Arc<OwnedFd>>,
    /// Files and root folders that are open.
    open: usize,
    most: usize,
}

/// A root folder: its mount namespace, device and inode.
type RootId = (PathBuf, u64, u64);

impl ModuleFiles {
    /// Lets this process open as many files as it may, and keeps at most half of them. Programs
    /// that are started later are not to inherit that:
    /// [`leave_limit_as_it_was`](crate::leave_limit_as_it_was).
    pub fn make_room(&mut self) {
        let Some(limit) = open_files::raise_limit() else { return };
        self.most = usize::try_from(limit / 2).unwrap_or(MOST).min(MOST);
    }

    /// Keeps what is known of a new module of process `pid`.
    pub fn keep(&mut self, pid: u32, id: ModuleId, path: &str, file: Option<File>) {
        let root = self.root(pid);
        let file = file.filter(|_| self.has_room()).map(Arc::new);
        self.open += usize::from(file.is_some());
        self.kept.insert(id, (path.to_owned(), ModuleFile { file, root }));
    }

    /// What was kept of a module, which has this number in the recording.
    pub fn of(&self, id: ModuleId, module: &Module) -> Option<&ModuleFile> {
        // A recording that was damaged meanwhile has other numbers.
        self.kept.get(&id).filter(|(path, _)| *path == module.path).map(|(_, kept)| kept)
    }

    fn has_room(&self) -> bool {
        self.open < self.most
    }

    fn root(&mut self, pid: u32) -> Option<Arc<OwnedFd>> {
        let id = root_id(&pid.to_string())?;
        if Some(&id) == root_id("self").as_ref() {
            return None;
        }
        if let Some(root) = self.roots.get(&id) {
            return Some(root.clone());
        }
        if !self.has_room() {
            return None;
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(format!("/proc/{pid}/root").as_str(), flags, Mode::empty()).ok()?;
        let root = Arc::new(root);
        self.open += 1;
        self.roots.insert(id, root.clone());
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

    fn module() -> Module {
        Module { path: "/bin/app".to_owned(), build_id: None, image: None }
    }

    fn keep(files: &mut ModuleFiles, id: u32, file: Option<File>) {
        files.keep(std::process::id(), ModuleId(id), &module().path, file);
    }

    fn is_kept(files: &ModuleFiles, id: u32) -> bool {
        files.of(ModuleId(id), &module()).is_some_and(|kept| kept.file.is_some())
    }

    #[test]
    fn files_of_the_same_path_are_told_apart() {
        let mut files = ModuleFiles::default();
        files.make_room();
        for (id, file) in [(1, file()), (2, None), (3, file())] {
            keep(&mut files, id, file);
        }
        assert_eq!([0, 1, 2, 3].map(|id| is_kept(&files, id)), [false, true, false, true]);
        let other = Module { path: "/bin/other".to_owned(), ..module() };
        assert!(files.of(ModuleId(1), &other).is_none());
    }

    #[test]
    fn our_own_root_folder_is_not_worth_keeping() {
        let mut files = ModuleFiles::default();
        keep(&mut files, 0, file());
        assert!(files.of(ModuleId(0), &module()).unwrap().root.is_none());
    }

    #[test]
    fn no_more_files_are_kept_than_there_is_room_for() {
        let mut files = ModuleFiles { most: 1, ..ModuleFiles::default() };
        keep(&mut files, 1, file());
        keep(&mut files, 2, file());
        assert!(is_kept(&files, 1) && !is_kept(&files, 2));
    }
}
