//! One of the two programs.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf, absolute};

use sigspy_collector::Place;
use sigspy_compare::check::CheckedSide;

use crate::error::Error;
use crate::record::{self, Program};

/// What is run, again and again.
#[derive(Clone)]
pub struct Workload {
    argv: Vec<OsString>,
    folder: PathBuf,
    /// What people call it.
    label: String,
    git_revision: Option<String>,
}

impl Workload {
    /// A program with arguments, or a folder in which they are a command.
    pub fn at(path: &Path, words: &[OsString]) -> Result<Self, Error> {
        let unreadable = |error| Error::Folder(path.into(), error);
        let label = path.display().to_string();
        if path.is_dir() {
            let folder = path.canonicalize().map_err(unreadable)?;
            let git_revision = record::git_revision(&folder);
            return Self { argv: words.to_owned(), folder, label, git_revision }.checked();
        }
        let program = absolute(path).map_err(unreadable)?.into_os_string();
        let argv = [&[program], words].concat();
        Self { argv, folder: here()?, label, git_revision: None }.checked()
    }

    /// A command in one word.
    pub fn of_text(text: &str) -> Result<Self, Error> {
        let words = shlex::split(text).unwrap_or_default().into_iter().map(OsString::from);
        Self::of_words(&words.collect::<Vec<_>>())
    }

    /// A command.
    pub fn of_words(words: &[OsString]) -> Result<Self, Error> {
        let label = words.first().map_or_else(String::new, |word| word.display().to_string());
        Self { argv: words.to_owned(), folder: here()?, label, git_revision: None }.checked()
    }

    /// Fails if there is no such program, before the other one has run in vain.
    fn checked(self) -> Result<Self, Error> {
        let name = self.argv.first().ok_or(Error::NothingToCheck)?;
        let is_path = name.as_bytes().contains(&b'/');
        let file = if is_path { self.folder.join(name).into() } else { name.clone() };
        sigspy_collector::check_program(&sigspy_collector::find_program(&file)?)?;
        Ok(self)
    }

    /// One run, whose output goes to a file.
    pub fn program(&self, output: PathBuf) -> Program {
        let environment = env::vars_os().collect();
        let place = Place { folder: self.folder.clone(), environment, output: Some(output) };
        Program { argv: self.argv.clone(), place: Some(place) }
    }

    /// For the result.
    pub fn side(&self) -> CheckedSide {
        CheckedSide {
            label: self.label.clone(),
            command: self.argv.iter().map(|word| word.display().to_string()).collect(),
            git_revision: self.git_revision.clone(),
        }
    }
}

fn here() -> Result<PathBuf, Error> {
    env::current_dir().map_err(|error| Error::Folder(".".into(), error))
}
