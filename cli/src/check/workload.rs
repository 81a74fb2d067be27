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
    place: Place,
    /// What people call it.
    label: String,
    git_revision: Option<String>,
    /// The folder of its source, which is not where that of the other side is.
    sources: Option<PathBuf>,
}

/// Where the source of a program is from.
#[derive(Clone)]
pub struct Origin {
    /// What people call it.
    pub label: String,
    pub git_revision: String,
    /// Where it was when it was compiled, without symbolic links.
    pub sources: PathBuf,
}

impl Workload {
    /// A program with arguments, or a folder in which they are a command.
    pub fn at(path: &Path, words: &[OsString]) -> Result<Self, Error> {
        let unreadable = |error| Error::Folder(path.into(), error);
        let label = path.display().to_string();
        if path.is_dir() {
            let folder = path.canonicalize().map_err(unreadable)?;
            let git_revision = record::git_revision(&folder);
            return Self { git_revision, ..Self::new(words.to_owned(), folder, label) }.checked();
        }
        let program = absolute(path).map_err(unreadable)?.into_os_string();
        let argv = [&[program], words].concat();
        Self::new(argv, here()?, label).checked()
    }

    /// A command in one word.
    pub fn of_text(text: &str) -> Result<Self, Error> {
        let words = shlex::split(text).unwrap_or_default().into_iter().map(OsString::from);
        Self::of_words(&words.collect::<Vec<_>>())
    }

    /// A command.
    pub fn of_words(words: &[OsString]) -> Result<Self, Error> {
        let label = words.first().map_or_else(String::new, |word| word.display().to_string());
        Self::new(words.to_owned(), here()?, label).checked()
    }

    /// A program that was built from source.
    pub fn built(program: Program, origin: Origin) -> Result<Self, Error> {
        let Origin { label, git_revision, sources } = origin;
        let workload = Self::new(program.argv, here()?, label);
        let place = program.place.unwrap_or(workload.place);
        let git_revision = Some(git_revision);
        Self { place, git_revision, sources: Some(sources), ..workload }.checked()
    }

    /// As we run, in a folder.
    fn new(argv: Vec<OsString>, folder: PathBuf, label: String) -> Self {
        let place = Place { folder, environment: env::vars_os().collect(), output: None };
        Self { argv, place, label, git_revision: None, sources: None }
    }

    /// Fails if there is no such program, before the other one has run in vain.
    fn checked(self) -> Result<Self, Error> {
        let name = self.argv.first().ok_or(Error::NothingToCheck)?;
        let is_path = name.as_bytes().contains(&b'/');
        let file = if is_path { self.place.folder.join(name).into() } else { name.clone() };
        sigspy_collector::check_program(&sigspy_collector::find_program(&file)?)?;
        Ok(self)
    }

    /// One run, whose output goes to a file.
    pub fn program(&self, output: PathBuf) -> Program {
        let place = Place { output: Some(output), ..self.place.clone() };
        let git_revision = self.git_revision.clone();
        Program { argv: self.argv.clone(), place: Some(place), git_revision }
    }

    /// The path of a source file in the folder of the sources, which is the same for both sides.
    pub fn path_in_sources(&self, file: &str) -> Option<String> {
        let path = Path::new(file).strip_prefix(self.sources.as_ref()?).ok()?;
        path.to_str().map(str::to_owned)
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
