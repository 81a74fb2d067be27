//! Which commits are compared.

use std::fmt;
use std::path::Path;

use crate::git::{Commit, GitError, Repository};

/// Both sides.
#[derive(Debug)]
pub struct Versions {
    pub base: Version,
    pub head: Version,
}

/// What one side is built from.
#[derive(Debug)]
pub struct Version {
    pub commit: Commit,
    /// The files are those that are here, whatever the commit has.
    pub is_here: bool,
    /// They are not those of the commit.
    has_changes: bool,
}

impl Versions {
    /// Finds the commits by their names. Without one for the head, it is what is here; without one
    /// for the base, it is where the head has left the default branch.
    pub fn choose(
        repository: &Repository,
        base: Option<&str>,
        head: Option<&str>,
    ) -> Result<Self, GitError> {
        let is_here = head.is_none();
        let head = repository.commit(head.unwrap_or("HEAD"))?;
        let has_changes = is_here && repository.has_changes()?;
        let base = match base {
            Some(name) => repository.commit(name)?,
            None => match repository.merge_base(&head)? {
                base if base.hash == head.hash && !has_changes => {
                    return Err(GitError::NothingChanged(base.hash));
                }
                base => base,
            },
        };
        let base = Version { commit: base, is_here: false, has_changes: false };
        Ok(Self { base, head: Version { commit: head, is_here, has_changes } })
    }
}

impl Version {
    /// What people call it.
    pub fn label(&self) -> String {
        let changes = if self.has_changes { " and uncommitted changes" } else { "" };
        format!("{}{changes}", self.commit.name)
    }

    /// The error for a folder below `sources` that is not there.
    pub fn has_no(&self, folder: &Path, sources: &Path) -> GitError {
        let folder = folder.strip_prefix(sources).unwrap_or(folder).to_owned();
        GitError::NoFolder { folder, commit: self.to_string() }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.label(), self.commit.hash)
    }
}
