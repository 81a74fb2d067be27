//! `cargo sigspy check`: builds two commits of a repository, and compares what they run.
//!
//! The head is built where it is, with all changes, unless a commit is named; the base and such a
//! head are checked out into `room`. Both are built by the same cargo, with the same flags, from the
//! same folder of the repository, into folders whose paths are equally long, and are then what
//! `sigspy check` compares. Files are known by their paths in the repository, so that a function
//! has one place on both sides.

mod room;
mod versions;

use std::env;
use std::path::{Path, PathBuf};

use super::handover::Site;
use super::workspace::Workspace;
use crate::args::{Build, CargoCheck, Global};
use crate::check::{self, Origin, Workload};
use crate::error::Error;
use crate::git::Repository;
use crate::message;
use crate::record::Program;
use room::Room;
use versions::{Version, Versions};

/// The folder for builds, in the target folder.
const BUILDS: &str = "sigspy-check";

/// Runs the command.
pub fn run(arguments: &CargoCheck, global: &Global) -> Result<u8, Error> {
    let here = env::current_dir().map_err(|error| Error::Folder(".".into(), error))?;
    let manifest = arguments.build.manifest_path.as_deref().map(canonical).transpose()?;
    let near = manifest.as_deref().and_then(Path::parent).unwrap_or(&here);
    let repository = Repository::around(near)?;
    let Versions { base, head } =
        Versions::choose(&repository, arguments.base.as_deref(), arguments.head.as_deref())?;
    let room = Room::enter(&repository)?;
    check::run_made(&arguments.checking, global, || {
        let workspace = Workspace::read(&Site::default(), &arguments.build)?;
        let builder =
            Builder { arguments, global, here, manifest, repository, workspace, room: &room };
        // The head first, as the base may take over its Cargo.lock.
        let head = builder.build("head", &head)?;
        let base = builder.build("base", &base)?;
        Ok([base, head])
    })
}

/// All that both sides have in common.
struct Builder<'a> {
    arguments: &'a CargoCheck,
    global: &'a Global,
    /// Where the user is.
    here: PathBuf,
    /// The Cargo.toml that was named.
    manifest: Option<PathBuf>,
    repository: Repository,
    /// What is here.
    workspace: Workspace,
    room: &'a Room,
}

impl Builder<'_> {
    fn build(&self, side: &'static str, version: &Version) -> Result<Workload, Error> {
        message::note(&format!("the {side} is {version}"));
        let sources = self.sources(side, version)?;
        let folder = self.placed(&self.here, &sources);
        if !folder.is_dir() {
            return Err(version.has_no(&folder, &sources).into());
        }
        let made = self.program(side, folder, &sources);
        let failed = |error| {
            let (version, error) = (version.to_string(), Box::new(error));
            Error::Build { side, version, error }
        };
        let (label, git_revision) = (version.label(), version.commit.hash.clone());
        Workload::built(made.map_err(failed)?, Origin { label, git_revision, sources })
    }

    /// Has cargo build in a folder, and returns what is run.
    fn program(&self, side: &str, folder: PathBuf, sources: &Path) -> Result<Program, Error> {
        let CargoCheck { target, build, arguments, .. } = self.arguments;
        let manifest_path = self.manifest.as_deref().map(|path| self.placed(path, sources));
        let build = Build { manifest_path, ..build.clone() };
        let builds = self.workspace.target_directory.join(BUILDS).join(side);
        let site = Site { folder: Some(folder), target: Some(builds) };
        let (choice, mut program) =
            super::one(&site, target, &build, arguments, self.global.quiet)?;
        if let Some(place) = &mut program.place {
            program.argv[0] = place.folder.join(&program.argv[0]).into();
            // What `cargo run` runs is where the user is, and finds there what its arguments name.
            if choice.command == "run" {
                place.folder.clone_from(&self.here);
            }
        }
        Ok(program)
    }

    /// The folder with the files of a version.
    fn sources(&self, side: &str, version: &Version) -> Result<PathBuf, Error> {
        if version.is_here {
            return Ok(self.repository.root().to_owned());
        }
        let folders = [&*self.here, &*self.workspace.workspace_root];
        self.room.furnish(&self.repository, side, &version.commit, &folders)
    }

    /// The path that stands for `path` where the sources are; what is not of the repository stays
    /// where it is.
    fn placed(&self, path: &Path, sources: &Path) -> PathBuf {
        let inside = path.strip_prefix(self.repository.root()).map(|inside| sources.join(inside));
        inside.unwrap_or_else(|_| path.to_owned())
    }
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|error| Error::Read(path.to_owned(), error))
}
