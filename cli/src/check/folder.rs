//! Where recordings are while they are needed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use crate::error::Error;

/// A folder for recordings: one that is kept, or one that is removed in the end.
pub struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    pub fn new(keep: Option<&Path>) -> Result<Self, Error> {
        let temporary = || env::temp_dir().join(format!("sigspy-check-{}", process::id()));
        let path = keep.map_or_else(temporary, Path::to_owned);
        let mut builder = DirBuilder::new();
        // Nobody else's folder is taken for a temporary one.
        let made = builder.recursive(keep.is_some()).mode(0o700).create(&path);
        made.map_err(|error| Error::Create(path.clone(), error))?;
        Ok(Self { path, is_kept: keep.is_some() })
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(&self.path); // the answer is what matters
        }
    }
}
