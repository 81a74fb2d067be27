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
    /// Fails if one that is to be kept has something in it already, which may be overwritten, unless
    /// `force`.
    pub fn new(keep: Option<&Path>, force: bool) -> Result<Self, Error> {
        let temporary = || env::temp_dir().join(format!("sigspy-check-{}", process::id()));
        let path = keep.map_or_else(temporary, Path::to_owned);
        let mut builder = DirBuilder::new();
        // Nobody else's folder is taken for a temporary one.
        let made = builder.recursive(keep.is_some()).mode(0o700).create(&path);
        made.map_err(|error| Error::Create(path.clone(), error))?;
        let mut entries = path.read_dir().map_err(|error| Error::Folder(path.clone(), error))?;
        if !force && entries.next().is_some() {
            return Err(Error::NotEmpty(path));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_kept_in_a_folder_of_their_own() {
        let path = env::temp_dir().join(format!("sigspy-keep-{}", process::id()));
        assert!(Folder::new(Some(&path), false).is_ok());
        assert!(Folder::new(Some(&path), false).is_ok(), "it is empty");
        fs::write(path.join("base-1.txt"), "a letter").unwrap();
        let refused = Folder::new(Some(&path), false).err();
        assert!(matches!(refused, Some(Error::NotEmpty(at)) if at == path));
        assert!(Folder::new(Some(&path), true).is_ok());
        fs::remove_dir_all(&path).unwrap();
    }
}
