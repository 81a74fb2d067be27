//! Where commits are checked out: a folder of the repository's own in the cache.
//!
//! Not below the target folder, although that is at hand: cargo reads `.cargo/config.toml` of all
//! folders above, so a commit there would be built with the settings of another one, too, and a
//! change of settings would be no difference. The work trees stay, as git and cargo then touch only
//! what differs from one check to the next.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::git::{Commit, Repository};
use crate::{message, record};

/// Files that tell cargo how to build. Many repositories leave them to git's ignorance.
const OF_CARGO: [&str; 3] = ["Cargo.lock", ".cargo/config.toml", ".cargo/config"];

/// The folder, which is ours alone until this is dropped.
pub struct Room {
    folder: PathBuf,
    /// Unlocked when closed.
    _lock: File,
}

impl Room {
    /// Waits for other checks in this repository to end.
    pub fn enter(repository: &Repository) -> Result<Self, Error> {
        let cache = record::cache_folder().ok_or(Error::NoCache)?;
        let sum = Sha256::digest(repository.root().as_os_str().as_bytes());
        let name: String = sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let folder = cache.join("check").join(name);
        let failed = |error| Error::Create(folder.clone(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                message::note("waiting for another check in this repository to end");
                lock.lock().map_err(failed)?;
            }
            tried => tried.map_err(|error| failed(error.into()))?,
        }
        let folder = folder.canonicalize().map_err(failed)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Checks out a commit, and returns the folder that it is in. In `folders`, which are above what
    /// is built here, there may be files of cargo's that git does not know.
    pub fn furnish(
        &self,
        repository: &Repository,
        side: &str,
        commit: &Commit,
        folders: &[&Path],
    ) -> Result<PathBuf, Error> {
        let tree = self.folder.join(side);
        repository.check_out(commit, &tree)?;
        let above = folders.iter().flat_map(|folder| folder.ancestors());
        for folder in above.filter_map(|folder| folder.strip_prefix(repository.root()).ok()) {
            for name in OF_CARGO {
                take_over(repository, &folder.join(name), &tree)?;
            }
        }
        Ok(tree)
    }
}

/// Copies a file of the repository that git does not know, so that both sides are built alike.
fn take_over(repository: &Repository, file: &Path, tree: &Path) -> Result<(), Error> {
    let (from, to) = (repository.root().join(file), tree.join(file));
    if !from.is_file() || to.exists() || repository.knows(file)? {
        return Ok(());
    }
    let folder = to.parent().unwrap_or(tree);
    let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(&from, &to));
    copied.map_err(|error| Error::Create(to.clone(), error))?;
    message::note(&format!(
        "{} is not in git: both sides have the one that is here",
        file.display()
    ));
    Ok(())
}
