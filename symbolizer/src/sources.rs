//! What the caller knows about where files are.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use sigspy_model::ModuleId;

use crate::debuginfod::Servers;
use crate::locate::DEBUG_ROOT;

/// Where files of modules and their debug information are looked for. Wherever that is, a file
/// counts only if its build-id is the recorded one.
pub struct Sources {
    /// Folders that are looked into first, by build-id, by path and by name.
    pub folders: Vec<PathBuf>,
    /// Where debug files are installed.
    pub debug_root: PathBuf,
    /// What is left of the program that ran.
    pub kept: BTreeMap<ModuleId, Kept>,
    /// Asked last, for what was found nowhere else.
    pub servers: Option<Servers>,
    /// The folder of caches, in which names are kept for the next time. `None` is to do without.
    pub cache: Option<PathBuf>,
}

/// What was kept of a module when it ran, so that it matters no longer what is at its path.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub file: Option<Arc<File>>,
    /// The root folder of its process, where that is not ours: in a container or a chroot.
    pub root: Option<Arc<OwnedFd>>,
}

impl Default for Sources {
    /// The files of this system alone.
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            debug_root: DEBUG_ROOT.into(),
            kept: BTreeMap::new(),
            servers: None,
            cache: None,
        }
    }
}
