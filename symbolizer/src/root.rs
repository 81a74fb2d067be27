//! Root folders: ours, and those of programs in containers.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

use crate::sources::Kept;

/// A folder in which absolute paths begin.
#[derive(Clone, Copy)]
pub enum Root<'a> {
    /// Ours, where relative paths begin in the current folder.
    Own,
    /// That of a program. Links in it cannot lead out of it.
    Of(&'a OwnedFd),
}

impl<'a> Root<'a> {
    /// Where the paths of a module may begin, the likeliest first: the root of the program that
    /// it is part of, if that was kept, then ours.
    pub fn all(kept: Option<&'a Kept>) -> Vec<Self> {
        let program = kept.and_then(|kept| kept.root.as_deref()).map(Self::Of);
        program.into_iter().chain([Self::Own]).collect()
    }

    /// Opens a regular file. Nothing else is opened, as that alone can have effects: a pipe waits
    /// for its other end, and devices may begin to do something.
    pub fn open(self, path: &Path) -> io::Result<File> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let place: File = match self {
            Self::Own => nix::fcntl::open(path, flags, Mode::empty())?.into(),
            Self::Of(root) => {
                let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
                openat2(root, path, how)?.into()
            }
        };
        if !place.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))
    }
}
