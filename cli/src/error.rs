//! What the command line fails with, and the exit status for it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::{error, fmt, io};

use crate::cargo::NoChoice;
use crate::git::GitError;

/// Everything that ends a command.
#[derive(Debug)]
pub enum Error {
    Collector(sigspy_collector::Error),
    Report(sigspy_report::Error),
    /// What another tool has written, and why it was not understood.
    Import(PathBuf, sigspy_import::Error),
    Merge(sigspy_model::MergeError),
    Read(PathBuf, io::Error),
    /// A file of that name exists and is not ours.
    Exists(PathBuf),
    Create(PathBuf, io::Error),
    /// Names can only be added to a whole recording.
    DamagedRecording(PathBuf),
    /// It has no end: it was cut, or is being written.
    UnfinishedRecording(PathBuf),
    /// Nobody has said in which format to write a file, and its name does not tell.
    UnknownFormat(PathBuf),
    /// Only folded stacks come in other units than time.
    UnitOfTime,
    /// A terminal shows text.
    BinaryToTerminal,
    /// There is no recording by the default name.
    NoRecording,
    /// There is no recording in this folder.
    NoRecordings(PathBuf),
    Folder(PathBuf, io::Error),
    /// Anything that kept `check` from an answer: it has exit statuses of its own.
    Check(Box<Error>),
    /// Ctrl-C, or SIGTERM.
    Interrupted,
    /// The command for stacks, and what is wrong with it.
    PostProcess(OsString, String),
    /// Several reports for standard output.
    SeveralToStdout,
    /// A result or a baseline of a check.
    ReadResult(PathBuf, io::Error),
    /// It is none, or damaged.
    NoResult(PathBuf, serde_json::Error),
    /// Another sigspy has written it.
    ResultVersion {
        path: PathBuf,
        schema: u32,
    },
    /// A folder that has something else in it.
    NoBaseline(PathBuf),
    /// A folder for recordings that has something in it.
    NotEmpty(PathBuf),
    /// `check` has no command to run.
    NothingToCheck,
    /// What a program has written.
    ReadOutput(PathBuf, io::Error),
    /// More of the time has no whole stack than was allowed, both in percent.
    Loss {
        loss: f64,
        most: f64,
    },
    /// The text says why.
    NoSamples(String),
    /// There is no folder for the agent.
    NoCache,
    /// `collect` was not started by an agent.
    NoSocket,
    /// Cargo has failed with this exit status, and has said why.
    Cargo(u8),
    NoCargo(io::Error),
    /// The answer of `cargo metadata` is not what it should be.
    CargoMetadata(serde_json::Error),
    /// Cargo and we have not understood one another.
    Handover(io::Error),
    /// What was to be run is not there, or not one.
    NoChoice(NoChoice),
    Git(GitError),
    /// One side of a check cannot be built from its commit.
    Build {
        side: &'static str,
        version: String,
        error: Box<Error>,
    },
    /// Cargo was to run nothing.
    NothingToRun,
    /// Cargo was to run all of these, and one is drawn.
    SeveralToRun(Vec<PathBuf>),
    /// The command line makes no sense.
    Usage(Box<clap::Error>),
    /// A file of settings cannot be read.
    ReadConfig(PathBuf, io::Error),
    /// A file of settings says what it cannot.
    Config {
        file: PathBuf,
        line: usize,
        problem: String,
    },
    /// A variable of the environment is no good as the option that it stands for.
    BadEnvironment(Box<clap::Error>),
}

impl Error {
    /// As an error of `check`.
    pub fn in_check(self) -> Self {
        match self {
            Self::Interrupted | Self::Usage(_) => self,
            other => Self::Check(Box::new(other)),
        }
    }

    /// Whether nobody reads any more what we write.
    fn is_broken_pipe(&self) -> bool {
        use sigspy_report::Error as Report;
        match self {
            Self::Create(_, error) | Self::Read(_, error) | Self::Report(Report::Write(error)) => {
                error.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }

    /// Whether whoever is to know, knows: nobody reads any more what we write, or cargo has said it.
    pub fn is_known(&self) -> bool {
        self.is_broken_pipe() || matches!(self, Self::Cargo(_))
    }

    /// As env(1): 127 not found, 126 not executable, 125 anything else.
    pub fn exit_code(&self) -> u8 {
        use sigspy_collector::Error as Collector;
        const KILLED_BY_SIGPIPE: u8 = 128 + 13;
        const KILLED_BY_SIGINT: u8 = 128 + 2;
        match self {
            _ if self.is_broken_pipe() => KILLED_BY_SIGPIPE,
            Self::Check(_) => crate::check::FAILED,
            Self::Interrupted => KILLED_BY_SIGINT,
            Self::Collector(Collector::NotFound(_)) => 127,
            Self::Collector(
                Collector::Folder(_)
                | Collector::NotExecutable(_)
                | Collector::NotAProgram(_)
                | Collector::Spawn(..),
            ) => 126,
            Self::Cargo(code) => *code,
            Self::Loss { .. } => 1,
            _ => 125,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collector(error) => error.fmt(f),
            Self::Report(error) => error.fmt(f),
            Self::Exists(path) => write!(
                f,
                "{} exists, and is no recording or flame graph of sigspy; choose another name, \
                 or replace it with --force",
                path.display()
            ),
            Self::Create(path, _) if path.as_os_str() == "-" => {
                f.write_str("cannot write to standard output; make room where it goes")
            }
            Self::Create(path, _) => {
                write!(f, "cannot write {}; choose another place, or make room there", path.display())
            }
            Self::DamagedRecording(path) => write!(
                f,
                "{} is damaged, so names cannot be added to it; write a copy with -o",
                path.display()
            ),
            Self::UnfinishedRecording(path) => write!(
                f,
                "{} has no end, as it was cut or is still being written, so names cannot be added \
                 to it; write a copy with -o",
                path.display()
            ),
            Self::Import(path, error) => write!(f, "cannot import {}: {error}", path.display()),
            Self::Merge(error) => error.fmt(f),
            Self::Read(path, _) => write!(f, "cannot read {}", path.display()),
            Self::UnknownFormat(path) => write!(
                f,
                "the name of {} does not tell its format; say it with --format",
                path.display()
            ),
            Self::UnitOfTime => f.write_str(
                "--unit is for folded stacks; all other formats have nanoseconds and their own units",
            ),
            Self::BinaryToTerminal => f.write_str(
                "this is no text for a terminal; write a file with -o, or send the output to \
                 another program",
            ),
            Self::NoRecording => f.write_str(
                "there is no recording here; make one with `sigspy record -- PROGRAM`, \
                 or name one",
            ),
            Self::Check(error) => error.fmt(f),
            Self::Interrupted => f.write_str("interrupted, and nothing can be told"),
            Self::PostProcess(command, reason) => write!(
                f,
                "--post-process `{}` gives no stacks to draw: {reason}; it is to read folded stacks and \
                 to write such",
                command.display()
            ),
            Self::SeveralToStdout => f.write_str(
                "one result at most can go to standard output; give the others the names of files",
            ),
            Self::ReadResult(path, _) => write!(
                f,
                "cannot read {}; --json and --save-baseline of `sigspy check` write what is read \
                 here",
                path.display()
            ),
            Self::NoResult(path, _) => write!(
                f,
                "{} is no result of `sigspy check`, or is damaged; make another",
                path.display()
            ),
            Self::ResultVersion { path, schema } => write!(
                f,
                "{} is of version {schema}, which this sigspy does not know; make it again, or use \
                 the sigspy that has written it",
                path.display()
            ),
            Self::NoBaseline(path) => write!(
                f,
                "{} has something else than a baseline in it; name a new folder",
                path.display()
            ),
            Self::NotEmpty(path) => write!(
                f,
                "{} has files in it that may be overwritten; name a new folder, or replace them with \
                 --force",
                path.display()
            ),
            Self::NothingToCheck => f.write_str(
                "there is no command to run; give it behind --, or between quotes that match",
            ),
            Self::ReadOutput(path, _) => {
                write!(f, "cannot read the output of the program, {}", path.display())
            }
            Self::NoRecordings(folder) => write!(
                f,
                "there are no recordings in {}; their names end with .sigspy",
                folder.display()
            ),
            Self::Folder(folder, _) => {
                write!(f, "cannot read the folder {}; name the recordings in it", folder.display())
            }
            Self::Loss { loss, most } => write!(
                f,
                "{loss:.2} % of the time has no whole stack, more than --fail-on-loss {most}; \
                 `sigspy report --quality` says why"
            ),
            Self::NoSamples(why) => f.write_str(why),
            Self::NoCache => f.write_str(
                "there is no folder to put the agent or sources into; set XDG_CACHE_HOME or HOME to one that \
                 can be written to",
            ),
            Self::NoSocket => {
                f.write_str("`sigspy collect` is for the agent to start; see `sigspy agent --help`")
            }
            Self::Cargo(code) => write!(f, "cargo has failed with exit status {code}"),
            Self::NoCargo(_) => {
                f.write_str("cannot run cargo; put it into PATH, or set CARGO to where it is")
            }
            Self::CargoMetadata(_) => f.write_str(
                "cannot understand what `cargo metadata` says; cargo 1.80 and newer are known to work",
            ),
            Self::Handover(_) => f.write_str(
                "cannot learn from cargo what it would run; build it, and run \
                 `sigspy flamegraph -- PROGRAM`",
            ),
            Self::NoChoice(error) => error.fmt(f),
            Self::Git(error) => error.fmt(f),
            Self::Build { side, version, error } => {
                write!(f, "the {side}, {version}, cannot be built to be compared: {error}")
            }
            Self::NothingToRun => f.write_str(
                "cargo has nothing to run for these flags, or runs it for another target than this \
                 machine's; name the target with --target if its programs run here",
            ),
            Self::SeveralToRun(programs) => {
                let names: Vec<_> = programs.iter().map(|path| path.display().to_string()).collect();
                write!(f, "one program is run at a time, and cargo would run {}; choose one by its flag", names.join(", "))
            }
            Self::Usage(error) => f.write_str(&reason(error)),
            Self::ReadConfig(path, _) => write!(
                f,
                "cannot read the settings in {}; name another file, or say --no-config",
                path.display()
            ),
            Self::Config { file, line, problem } => {
                write!(f, "{}:{line}: {problem}", file.display())
            }
            Self::BadEnvironment(error) => {
                write!(f, "the environment does not say how to record: {}", reason(error))
            }
        }
    }
}

/// What clap has to say, without help.
pub fn reason(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Check(error) | Self::Build { error, .. } => error.source(),
            Self::Git(error) => error.source(),
            Self::Collector(error) => error.source(),
            Self::Report(error) => error.source(),
            Self::Import(_, error) => error.source(),
            Self::Create(_, error)
            | Self::Folder(_, error)
            | Self::Read(_, error)
            | Self::ReadOutput(_, error)
            | Self::ReadResult(_, error)
            | Self::NoCargo(error)
            | Self::Handover(error) => Some(error),
            Self::CargoMetadata(error) | Self::NoResult(_, error) => Some(error),
            Self::ReadConfig(_, error) => Some(error),
            _ => None,
        }
    }
}

impl From<sigspy_collector::Error> for Error {
    fn from(error: sigspy_collector::Error) -> Self {
        Self::Collector(error)
    }
}

impl From<sigspy_report::Error> for Error {
    fn from(error: sigspy_report::Error) -> Self {
        Self::Report(error)
    }
}

impl From<GitError> for Error {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<NoChoice> for Error {
    fn from(error: NoChoice) -> Self {
        Self::NoChoice(error)
    }
}

impl From<sigspy_model::MergeError> for Error {
    fn from(error: sigspy_model::MergeError) -> Self {
        Self::Merge(error)
    }
}
