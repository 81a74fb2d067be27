//! How cargo hands over what it would run.
//!
//! Which program that is, with which arguments, in which folder and with which environment
//! (`CARGO_MANIFEST_DIR`, `LD_LIBRARY_PATH` for build scripts' libraries, `[env]` of its
//! configuration and so on): cargo knows, and nothing short of running says all of it. So cargo is
//! told that this program is its runner, and a runner is started with just that. It runs nothing,
//! but writes down what it was given and ends well ([`take_note`]). When cargo is done, so are the
//! notes ([`ask`]), and the programs are run from here, one after another, with their terminal,
//! Ctrl-C and exit status as with every other program that is recorded.
//!
//! Notes are words, each ended by NUL: the folder, the number of arguments, the arguments, the number
//! of variables, the variables.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::{env, process};

use nix::sys::memfd::{MFdFlags, memfd_create};
use sigspy_collector::Place;

use crate::error::Error;
use crate::message;
use crate::record::Program;

/// Where the runner writes.
const NOTES: &str = "SIGSPY_CARGO_NOTES";
/// What sigspy runs on. A runner is set for each by itself, as a runner of the user's own for one
/// of them would win over one for all.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"];

/// Where cargo runs and builds; by default here, and into the folder that it knows.
#[derive(Debug, Default)]
pub struct Site {
    pub folder: Option<PathBuf>,
    pub target: Option<PathBuf>,
}

impl Site {
    /// The cargo that has started us, or the one in `PATH`.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        if let Some(folder) = &self.folder {
            cargo.current_dir(folder);
        }
        sigspy_collector::leave_limit_as_it_was(&mut cargo);
        cargo
    }

    /// Flags for what is built.
    pub fn flags(&self) -> Vec<OsString> {
        let folder = self.target.as_ref();
        folder.map_or_else(Vec::new, |folder| vec!["--target-dir".into(), folder.into()])
    }
}

/// Exit status as a shell has it.
pub fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Has cargo build, and returns the programs that it would run then. Cargo says itself what is
/// wrong: [`Error::Cargo`].
pub fn ask(site: &Site, flags: &[OsString], target: Option<&str>) -> Result<Vec<Program>, Error> {
    let mut notes = notes().map_err(Error::Handover)?;
    let runner = runner().map_err(Error::Handover)?;
    let mut cargo = site.cargo();
    cargo.args(flags).env(NOTES, place_of(&notes));
    for variable in runner_variables(target) {
        cargo.env(variable, &runner);
    }
    message::detail(&format!("{cargo:?}"));
    let status = cargo.status().map_err(Error::NoCargo)?;
    if !status.success() {
        return Err(Error::Cargo(code(status)));
    }
    let mut bytes = Vec::new();
    notes.rewind().and_then(|()| notes.read_to_end(&mut bytes)).map_err(Error::Handover)?;
    let mut programs =
        parse(&bytes).ok_or_else(|| Error::Handover(io::ErrorKind::InvalidData.into()))?;
    for place in programs.iter_mut().filter_map(|program| program.place.as_mut()) {
        restore(&mut place.environment, target);
    }
    Ok(programs)
}

/// If cargo has started us as its runner: notes what was to be run, and returns the exit status.
pub fn take_note() -> Option<u8> {
    let notes = env::var_os(NOTES)?;
    let written = || -> io::Result<()> {
        let folder = env::current_dir()?;
        let arguments: Vec<OsString> = env::args_os().skip(1).collect();
        let note = note(&folder.into_os_string(), &arguments, &env::vars_os().collect::<Vec<_>>());
        File::options().append(true).open(notes)?.write_all(&note)
    };
    match written() {
        Ok(()) => Some(0),
        Err(error) => {
            let error = Error::Handover(error);
            message::error(&error);
            Some(error.exit_code())
        }
    }
}

/// A file without a name, so that nothing is left behind.
fn notes() -> io::Result<File> {
    let file: OwnedFd = memfd_create(c"sigspy-cargo", MFdFlags::MFD_CLOEXEC)?;
    Ok(file.into())
}

/// As long as we live, the file has this name.
fn place_of(notes: &File) -> String {
    format!("/proc/{}/fd/{}", process::id(), notes.as_raw_fd())
}

/// This program, by a path without spaces: cargo takes what follows one for an argument.
fn runner() -> io::Result<PathBuf> {
    let path = env::current_exe()?;
    let has_space = path.as_os_str().as_bytes().iter().any(u8::is_ascii_whitespace);
    Ok(if has_space { format!("/proc/{}/exe", process::id()).into() } else { path })
}

/// The variables that name a runner.
fn runner_variables(target: Option<&str>) -> impl Iterator<Item = String> {
    let variable = |target: &str| {
        let triple = target.to_ascii_uppercase().replace(['-', '.'], "_");
        format!("CARGO_TARGET_{triple}_RUNNER")
    };
    TARGETS.into_iter().chain(target).map(variable)
}

/// Makes the environment what it would be without us.
fn restore(environment: &mut Vec<(OsString, OsString)>, target: Option<&str>) {
    environment.retain(|(name, _)| name != NOTES);
    for variable in runner_variables(target) {
        let name = OsString::from(variable);
        environment.retain(|(other, _)| *other != name);
        environment.extend(env::var_os(&name).map(|value| (name, value)));
    }
}

fn note(folder: &OsStr, arguments: &[OsString], environment: &[(OsString, OsString)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut word = |word: &[u8]| {
        bytes.extend_from_slice(word);
        bytes.push(0);
    };
    word(folder.as_bytes());
    word(arguments.len().to_string().as_bytes());
    arguments.iter().for_each(|argument| word(argument.as_bytes()));
    word(environment.len().to_string().as_bytes());
    for (name, value) in environment {
        word(&[name.as_bytes(), b"=", value.as_bytes()].concat());
    }
    bytes
}

/// The programs of all notes; `None` if they make no sense.
fn parse(notes: &[u8]) -> Option<Vec<Program>> {
    let mut words = notes.split_inclusive(|&byte| byte == 0).peekable();
    let mut programs = Vec::new();
    while words.peek().is_some() {
        let folder = word(&mut words)?;
        let argv = list(&mut words)?;
        let variables = list(&mut words)?.into_iter();
        let environment = variables.map(|variable| split(&variable)).collect::<Option<_>>()?;
        let place = Place { folder: folder.into(), environment, output: None };
        programs.push(Program { argv, place: Some(place), git_revision: None });
    }
    Some(programs).filter(|programs| programs.iter().all(|program| !program.argv.is_empty()))
}

fn word<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Option<OsString> {
    words.next()?.strip_suffix(&[0]).map(|word| OsString::from_vec(word.to_vec()))
}

fn list<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Option<Vec<OsString>> {
    let count: usize = word(words)?.to_str()?.parse().ok()?;
    (0..count).map(|_| word(words)).collect()
}

/// A name may begin with `=`.
fn split(variable: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = variable.as_bytes();
    let at = 1 + bytes.get(1..)?.iter().position(|&byte| byte == b'=')?;
    let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    Some((part(&bytes[..at]), part(&bytes[at + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let variables = [("A", "b=c"), ("EMPTY", "")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let mut notes = note("/w".as_ref(), &strings(&["app", "", "two words"]), &variables);
        notes.extend(note("/w/b".as_ref(), &strings(&["b"]), &[]));
        let programs = parse(&notes).unwrap();
        assert_eq!(programs.len(), 2);
        assert_eq!(programs[0].argv, strings(&["app", "", "two words"]));
        let place = programs[0].place.as_ref().unwrap();
        assert_eq!(place.folder, PathBuf::from("/w"));
        assert_eq!(place.environment, variables);
        assert_eq!(programs[1].argv, strings(&["b"]));
    }

    #[test]
    fn notes_that_make_no_sense_are_no_programs() {
        let whole = note("/w".as_ref(), &strings(&["app"]), &[("A".into(), "b".into())]);
        assert!(parse(&whole).is_some());
        for cut in 1..whole.len() {
            assert!(parse(&whole[..cut]).is_none(), "cut at {cut}");
        }
        assert!(parse(b"/w\x00999999999999\0app\0").is_none());
        assert!(parse(&note("/w".as_ref(), &[], &[])).is_none(), "a program has a name");
    }

    #[test]
    fn a_runner_is_set_by_the_name_of_its_target() {
        let names: Vec<String> = runner_variables(Some("thumbv8m.main-none-eabi")).collect();
        assert_eq!(names[0], "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
        assert_eq!(names[2], "CARGO_TARGET_THUMBV8M_MAIN_NONE_EABI_RUNNER");
    }
}
