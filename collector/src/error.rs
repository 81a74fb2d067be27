//! What can go wrong between a command line and a recording.

use std::path::PathBuf;
use std::{error, fmt, io};

/// Everything this crate fails with.
#[derive(Debug)]
pub enum Error {
    /// No such program, here or in `PATH`.
    NotFound(PathBuf),
    /// No program is a folder.
    Folder(PathBuf),
    /// A file that may not be executed.
    NotExecutable(PathBuf),
    /// Neither an ELF file nor a script.
    NotAProgram(PathBuf),
    /// The agent comes in through the dynamic loader, and the program has none.
    StaticallyLinked(PathBuf),
    /// The loader drops LD_PRELOAD for programs that gain privileges.
    SetUserId(PathBuf),
    /// For another processor or word size than sigspy.
    OtherArchitecture(PathBuf),
    /// The system refused to start the program.
    Spawn(PathBuf, io::Error),
    /// Sockets, shared memory or the like; the text says what for.
    Session(&'static str, io::Error),
    /// The recording could not be written; the program ran to its end.
    Write(io::Error),
    /// The recording cannot be opened or read.
    OpenRecording(PathBuf, io::Error),
    /// Not a file of ours.
    NotARecording(PathBuf),
    /// It ends before the first event.
    EmptyRecording(PathBuf),
    /// Written by another version of sigspy.
    OtherVersion(PathBuf, u32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(program) => write!(
                f,
                "cannot find {}; give its path, or put its folder into PATH",
                program.display()
            ),
            Self::Folder(path) => {
                write!(f, "{} is a folder and no program; name the program in it", path.display())
            }
            Self::NotExecutable(program) => write!(
                f,
                "{} is not executable; run chmod +x on it, or name the program that runs it",
                program.display()
            ),
            Self::NotAProgram(program) => write!(
                f,
                "{} is neither an ELF program nor a script that begins with #!; \
                 name the program that runs it",
                program.display()
            ),
            Self::StaticallyLinked(program) => write!(
                f,
                "{} is statically linked, so the agent cannot be loaded into it; \
                 link it dynamically and run again",
                program.display()
            ),
            Self::SetUserId(program) => write!(
                f,
                "{} runs with the rights of its owner (set-user-ID, set-group-ID or file \
                 capabilities), so the loader refuses the agent; run a copy without them",
                program.display()
            ),
            Self::OtherArchitecture(program) => write!(
                f,
                "{} is not a 64-bit x86-64 program, so the agent cannot be loaded into it; \
                 build it for x86-64 and run again",
                program.display()
            ),
            Self::Spawn(program, _) => {
                write!(f, "cannot run {}; see whether it runs without sigspy", program.display())
            }
            Self::Session(what, _) => {
                write!(f, "cannot {what}; `sigspy doctor` says what is missing here")
            }
            Self::Write(_) => f.write_str(
                "cannot write the recording; it holds what was written before, \
                 so free some space and record again",
            ),
            Self::OpenRecording(path, _) => write!(
                f,
                "cannot read {}; name a recording, or make one with `sigspy record`",
                path.display()
            ),
            Self::NotARecording(path) => write!(
                f,
                "{} is not a sigspy recording; make one with `sigspy record`",
                path.display()
            ),
            Self::EmptyRecording(path) => write!(
                f,
                "{} ends before its first sample, so there is nothing to show; record again",
                path.display()
            ),
            Self::OtherVersion(path, version) => write!(
                f,
                "{} has recording format {version}, which this sigspy does not read; \
                 read it with the version that wrote it, or record again",
                path.display()
            ),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Spawn(_, error)
            | Self::Session(_, error)
            | Self::Write(error)
            | Self::OpenRecording(_, error) => Some(error),
            _ => None,
        }
    }
}
