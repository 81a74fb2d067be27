//! Why a module has fewer names than it could have.

use std::path::PathBuf;
use std::{error, fmt, io};

use sigspy_model::{BuildId, ModuleId};

use crate::demangle::clean;
use crate::split::MissingUnits;

/// What kept one module from being symbolized fully. The report goes on without.
#[derive(Debug)]
pub struct Problem {
    pub module: ModuleId,
    /// As recorded, without control characters.
    pub path: String,
    pub cause: Cause,
}

/// The ways in which a module can disappoint.
#[derive(Debug)]
pub enum Cause {
    /// The file cannot be opened.
    Missing(io::Error),
    /// The file is no longer the one that was recorded; it was not used.
    Replaced { recorded: BuildId, found: Option<BuildId> },
    /// The module has no build-id, and the file that ran was not kept: nothing tells whether what is
    /// at its path is the same. It was not used.
    Unproven,
    /// A file of another build lies where this module, or debug information of it, could be. It was
    /// not used.
    Foreign { path: PathBuf, found: Option<BuildId>, wanted: Option<BuildId> },
    /// Another file is at the module's path by now, with this build-id. Its names are right: they
    /// come from the file that ran.
    ReplacedWhileRunning { found: Option<BuildId> },
    /// Nothing is at the module's path any more. Its names are right, as above.
    Removed,
    /// What several debug files have in common (by `dwz`) is missing, and with it names and lines.
    SharedMissing { path: PathBuf, wanted: BuildId },
    /// The file is no ELF file, or a damaged one.
    Unreadable(object::Error),
    /// Functions are known from the symbol table alone: no lines, no inlined functions.
    NoDebugInfo,
    /// Neither debug information nor a full symbol table: only what the module exports or imports
    /// has a name.
    NoSymbols,
    /// Debug information exists, but cannot be read.
    BadDebugInfo(gimli::Error),
    /// Parts of the debug information are in `.dwo` files that are not there, or are of another
    /// build: no inlined functions in that code.
    MissingUnits(MissingUnits),
}

impl fmt::Display for Problem {
    /// Paths come from others, and terminals obey control characters: there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sentence = String::new();
        self.describe(&mut sentence)?;
        f.write_str(&clean(&sentence))
    }
}

impl Problem {
    fn describe(&self, f: &mut impl fmt::Write) -> fmt::Result {
        let path = &self.path;
        match &self.cause {
            Cause::Missing(_) => {
                write!(f, "{path} cannot be opened; put the file back to see its functions by name")
            }
            Cause::Replaced { recorded, found } => write!(
                f,
                "{path} has changed since the recording ({}, recorded {recorded}); \
                 restore the recorded file, or record again",
                spelled(found.as_ref())
            ),
            Cause::Unproven => write!(
                f,
                "{path} has no build-id, and the file that ran was not kept, so its functions are \
                 shown as addresses; link it with --build-id"
            ),
            Cause::Foreign { path: other, found, wanted: Some(wanted) } => write!(
                f,
                "{} is of another build than {path} ({}, wanted {wanted})",
                other.display(),
                spelled(found.as_ref())
            ),
            Cause::Foreign { path: other, wanted: None, .. } => write!(
                f,
                "{} is of another build than {path}, which wants one with another checksum",
                other.display()
            ),
            Cause::ReplacedWhileRunning { found } => write!(
                f,
                "{path} is another file by now ({}); its functions are named after the one that ran",
                spelled(found.as_ref())
            ),
            Cause::Removed => write!(
                f,
                "{path} is no longer there; its functions are named after the file that ran"
            ),
            Cause::SharedMissing { path: shared, wanted } => write!(
                f,
                "{} with a part of the debug information of {path} is missing (build-id \
                 {wanted}); install the whole debug package",
                shared.display()
            ),
            Cause::Unreadable(_) => {
                write!(f, "{path} is not a valid ELF file; its functions are shown as addresses")
            }
            Cause::NoDebugInfo => write!(
                f,
                "{path} has no debug information, so lines and inlined functions are missing; \
                 build with -g (Rust: debug = \"line-tables-only\") or install its debug package"
            ),
            Cause::NoSymbols => write!(
                f,
                "{path} is stripped, so functions it does not export are shown as addresses; \
                 keep its symbols or install its debug package"
            ),
            Cause::MissingUnits(MissingUnits { first, count }) => write!(
                f,
                "{path} has its inlined functions in .dwo files, and {count} were not found, or are of \
                 another build, such as {}; restore them, or pack them into {path}.dwp when you \
                 build",
                first.display()
            ),
            Cause::BadDebugInfo(_) => write!(
                f,
                "the debug information of {path} is damaged; \
                 rebuild it to see lines and inlined functions"
            ),
        }
    }
}

impl error::Error for Problem {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.cause {
            Cause::Missing(error) => Some(error),
            Cause::Unreadable(error) => Some(error),
            Cause::BadDebugInfo(error) => Some(error),
            _ => None,
        }
    }
}

fn spelled(found: Option<&BuildId>) -> String {
    found.map_or("no build-id".to_owned(), |found| format!("build-id {found}"))
}
