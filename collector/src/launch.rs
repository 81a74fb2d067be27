//! Finds a program, sees whether the agent can be loaded into it, and starts it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, io};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};
use sigspy_wire::handshake::SOCKET_VARIABLE;

use crate::{Error, open_files};

pub const LD_PRELOAD: &str = "LD_PRELOAD";
/// Interpreters of scripts may be scripts; the kernel follows so many.
const MOST_SCRIPTS: usize = 5;

/// Where a program runs, if not where and as we do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The current folder; a program that is named by a relative path is found from here.
    pub folder: PathBuf,
    /// All of the environment.
    pub environment: Vec<(OsString, OsString)>,
    /// A new file for its standard output, and nothing on its standard input; `None`: ours.
    pub output: Option<PathBuf>,
}

/// A command line whose program exists and can be profiled.
pub struct Launch<'a> {
    program: PathBuf,
    argv: &'a [OsString],
    place: Option<&'a Place>,
}

impl<'a> Launch<'a> {
    /// Looks at `argv`, whose first element is the program, as a shell would find it.
    pub fn new(argv: &'a [OsString], place: Option<&'a Place>) -> Result<Self, Error> {
        let name = argv.first().ok_or_else(|| Error::NotFound(PathBuf::new()))?;
        let program = match place {
            Some(place) if name.as_bytes().contains(&b'/') => {
                find(place.folder.join(name).as_os_str())?
            }
            _ => find(name)?,
        };
        check(&program)?;
        Ok(Self { program, argv, place })
    }

    /// Starts the program with the agent in front of what is preloaded anyway.
    pub fn spawn(&self, agent: &Path, socket: &Path) -> Result<Child, Error> {
        let mut command = Command::new(&self.program);
        std::os::unix::process::CommandExt::arg0(&mut command, &self.argv[0]);
        if let Some(place) = self.place {
            command.current_dir(&place.folder).env_clear();
            command.envs(place.environment.iter().map(|(name, value)| (name, value)));
        }
        let failed = |error| Error::Spawn(self.program.clone(), error);
        if let Some(output) = self.place.and_then(|place| place.output.as_deref()) {
            let mut file = File::options();
            let file = file.write(true).create_new(true).mode(0o600);
            command.stdin(Stdio::null()).stdout(file.open(output).map_err(failed)?);
        }
        let mut preload = agent.as_os_str().to_owned();
        if let Some(others) = self.preloaded().filter(|others| !others.is_empty()) {
            preload.push(":");
            preload.push(others);
        }
        command.args(&self.argv[1..]).env(LD_PRELOAD, preload).env(SOCKET_VARIABLE, socket);
        open_files::leave_limit_as_it_was(&mut command);
        command.spawn().map_err(failed)
    }

    /// What the program would have in LD_PRELOAD without us.
    fn preloaded(&self) -> Option<OsString> {
        let Some(place) = self.place else { return env::var_os(LD_PRELOAD) };
        let mut variables = place.environment.iter();
        Some(variables.find(|(name, _)| name == LD_PRELOAD)?.1.clone())
    }
}

/// The file of a program, as a shell would find it.
pub fn find(name: &OsStr) -> Result<PathBuf, Error> {
    let not_found = || Error::NotFound(name.into());
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match fs::metadata(&path) {
            Ok(file) if file.is_file() && is_executable(&path) => Ok(path),
            Ok(file) if file.is_dir() => Err(Error::Folder(path)),
            Ok(_) => Err(Error::NotExecutable(path)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(Error::NotExecutable(path))
            }
            Err(_) => Err(not_found()),
        };
    }
    if name.is_empty() {
        return Err(not_found());
    }
    let folders = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let files = env::split_paths(&folders).map(|folder| folder.join(name));
    let files: Vec<PathBuf> = files.filter(|file| file.is_file()).collect();
    match files.iter().find(|file| is_executable(file)) {
        Some(file) => Ok(file.clone()),
        None => {
            Err(files.first().map_or_else(not_found, |file| Error::NotExecutable(file.clone())))
        }
    }
}

fn is_executable(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// Sees whether the loader will load the agent into the program at `path`. Returns the file that
/// the kernel runs: for a script, its interpreter.
pub fn check(path: &Path) -> Result<PathBuf, Error> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_SCRIPTS {
        refuse_set_user_id(&path)?;
        let Some(start) = read_start(&path)? else { return Ok(path) };
        match interpreter(&start) {
            Some(interpreter) => path = interpreter,
            None => return check_elf(&path, &start).map(|()| path),
        }
    }
    Ok(path)
}

/// The beginning of a program; `None` if it may be executed but not read.
fn read_start(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    const ENOUGH: u64 = 64 << 10;
    match File::open(path) {
        Ok(file) => {
            let mut start = Vec::new();
            file.take(ENOUGH)
                .read_to_end(&mut start)
                .map_err(|error| Error::Spawn(path.into(), error))?;
            Ok(Some(start))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(_) => Err(Error::NotFound(path.into())),
    }
}

/// The program behind `#!`.
fn interpreter(start: &[u8]) -> Option<PathBuf> {
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.next().map(|word| PathBuf::from(OsStr::from_bytes(word)))
}

fn refuse_set_user_id(path: &Path) -> Result<(), Error> {
    const SET_USER_ID: u32 = 0o4000;
    const SET_GROUP_ID: u32 = 0o2000;
    let Ok(file) = fs::metadata(path) else { return Ok(()) };
    let (user, group) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let mode = file.permissions().mode();
    let changes_user = mode & SET_USER_ID != 0 && file.uid() != user;
    let changes_group = mode & SET_GROUP_ID != 0 && file.gid() != group;
    if changes_user || changes_group || has_capabilities(path) {
        return Err(Error::SetUserId(path.into()));
    }
    Ok(())
}

/// Whether a file carries capabilities, which only matter to those who are not root.
#[allow(unsafe_code, reason = "getxattr has no safe wrapper")]
fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
    let name = c"security.capability";
    // SAFETY: both strings end with NUL; a length of 0 asks for the size and writes nothing.
    let size = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
    size > 0 && !nix::unistd::geteuid().is_root()
}

fn check_elf(path: &Path, start: &[u8]) -> Result<(), Error> {
    if !start.starts_with(&elf::ELFMAG) {
        return Err(Error::NotAProgram(path.into()));
    }
    let other = || Error::OtherArchitecture(path.into());
    let header = elf::FileHeader64::<Endianness>::parse(start).map_err(|_| other())?;
    let endian = header.endian().map_err(|_| other())?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return Err(other());
    }
    let programs = header.program_headers(endian, start);
    let programs = programs.map_err(|_| Error::NotAProgram(path.into()))?;
    let has_loader = programs.iter().any(|program| program.p_type(endian) == elf::PT_INTERP);
    if has_loader { Ok(()) } else { Err(Error::StaticallyLinked(path.into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let look = |argv: &[OsString]| Launch::new(argv, None).map(|launch| launch.program);
        assert!(look(&["sh".into()]).is_ok());
        assert!(look(&["/bin/sh".into()]).is_ok());
        assert!(matches!(look(&["/etc/passwd".into()]), Err(Error::NotExecutable(_))));
        assert!(matches!(look(&["/etc".into()]), Err(Error::Folder(_))));
        assert!(matches!(look(&["/no/such/file".into()]), Err(Error::NotFound(_))));
        assert!(matches!(look(&["no-such-program".into()]), Err(Error::NotFound(_))));
        assert!(matches!(look(&[]), Err(Error::NotFound(_))));
    }

    #[test]
    fn relative_paths_lead_from_the_folder_in_which_the_program_runs() {
        let place = Place { folder: "/bin".into(), environment: Vec::new(), output: None };
        let look = |name: &str| {
            Launch::new(&[name.into()], Some(&place)).map(|launch| launch.program).ok()
        };
        assert_eq!(look("./sh"), Some("/bin/./sh".into()));
        assert_eq!(look("/bin/sh"), Some("/bin/sh".into()));
        assert_eq!(look("./no-such-program"), None);
    }

    #[test]
    fn scripts_name_their_interpreter() {
        let path = |start: &[u8]| interpreter(start).map(|path| path.display().to_string());
        assert_eq!(path(b"#! /usr/bin/env python3\nprint()"), Some("/usr/bin/env".into()));
        assert_eq!(path(b"#!/bin/sh"), Some("/bin/sh".into()));
        assert_eq!(path(b"\x7fELF"), None);
    }

    #[test]
    fn only_dynamic_64_bit_programs_pass() {
        let path = Path::new("x");
        let own = fs::read("/proc/self/exe").unwrap();
        assert!(check_elf(path, &own).is_ok());
        let mut other = own.clone();
        other[4] = 1; // 32 bits
        assert!(matches!(check_elf(path, &other), Err(Error::OtherArchitecture(_))));
        other[4] = 2;
        other[18] = 183; // AArch64
        assert!(matches!(check_elf(path, &other), Err(Error::OtherArchitecture(_))));
        assert!(matches!(check_elf(path, b"echo hello"), Err(Error::NotAProgram(_))));
    }
}
