//! Programs that somebody else starts, with the agent in LD_PRELOAD: `sigspy agent --path` says
//! where that is, and `sigspy collect` is what the agent starts to be recorded.
//!
//! `collect` belongs to nobody's terminal. It is told what to do by the environment of the program,
//! and says nothing but why it cannot.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Write, stdout};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::{env, fs};

use clap::Parser;
use nix::libc;
use nix::sys::socket::{getsockopt, sockopt};
use sigspy_collector::{ModuleFiles, Recorder, Wishes};

use crate::args::{Arguments, Collect, Command, Places, Sampling, When};
use crate::error::Error;
use crate::{agent, named, output, record, sources};

/// Prints the path of the agent, and makes sure that the agent finds this program.
pub fn print_agent() -> Result<u8, Error> {
    let agent = record::cache_folder().as_deref().and_then(agent::unpack).ok_or(Error::NoCache)?;
    agent::link_collector(&agent).map_err(|error| Error::Create(agent.clone(), error))?;
    let printed = writeln!(stdout(), "{}", agent.display());
    printed.map_err(|error| Error::Create("-".into(), error))?;
    Ok(0)
}

/// Records the program that has started us.
pub fn run(arguments: &Collect) -> Result<u8, Error> {
    static NOTHING: AtomicU32 = AtomicU32::new(0);
    let socket = take(arguments.socket)?;
    let peer = getsockopt(&socket, sockopt::PeerCredentials).map_err(|_| Error::NoSocket)?;
    let pid = peer.pid() as u32;
    let path = output_path(pid);
    let sampling = sampling()?;
    let plan = record::plan(&sampling, command_line(pid).into(), false);
    let mut refused = None;
    let recorder = Recorder::join(&plan, socket, || {
        output::create(&path, sampling.force).map_err(|error| {
            refused = Some(error);
            sigspy_collector::Error::Write(std::io::ErrorKind::Other.into())
        })
    });
    if let Some(refused) = refused {
        return Err(refused);
    }
    let recorder = recorder?;
    close_standard_error();
    let wishes = Wishes { interrupts: &NOTHING, toggles: &NOTHING };
    let outcome = recorder.run(&wishes, &mut |_| {})?;
    if sampling.symbols == When::Now {
        name_functions(&path, &outcome.files)?;
    }
    Ok(0)
}

/// Puts names into the recording. No server is asked: whoever has started the program does not know
/// that something would go on for minutes after its end.
fn name_functions(path: &Path, files: &ModuleFiles) -> Result<(), Error> {
    let profile = sigspy_collector::read(path)?.profile;
    let local = sources::local(&Places::default());
    let sources = sources::with_files(local, &profile, files);
    let symbols = named::look_up_quietly(&profile, &sources);
    named::append(path, &symbols, &profile)
}

/// Takes over the socket, and closes all else that the program had open.
#[allow(unsafe_code, reason = "descriptors that came by number")]
fn take(socket: RawFd) -> Result<OwnedFd, Error> {
    const FIRST: u32 = 3;
    let number = u32::try_from(socket).ok().filter(|&number| number >= FIRST);
    let number = number.ok_or(Error::NoSocket)?;
    // SAFETY: this process has opened nothing yet: what is open above standard error was the
    // program's, whose files must not stay open because of us. The socket was left open for us.
    unsafe {
        if number > FIRST {
            libc::close_range(FIRST, number - 1, 0);
        }
        libc::close_range(number + 1, u32::MAX, 0);
        if libc::fcntl(socket, libc::F_SETFD, libc::FD_CLOEXEC) < 0 {
            return Err(Error::NoSocket);
        }
        Ok(OwnedFd::from_raw_fd(socket))
    }
}

/// From now on there is nothing to say, and whoever reads the program's messages shall not have to
/// wait for us.
fn close_standard_error() {
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stderr(null); // else it stays open
    }
}

/// The variables of the environment that stand for options of `record`. gperftools' names come
/// first, so that ours count.
const OPTIONS: [(&str, &str); 10] = [
    ("CPUPROFILE_FREQUENCY", "--freq"),
    ("SIGSPY_FREQ", "--freq"),
    ("SIGSPY_CLOCK", "--clock"),
    ("SIGSPY_DELAY", "--delay"),
    ("SIGSPY_DURATION", "--duration"),
    ("SIGSPY_ONLY", "--only"),
    ("SIGSPY_SIGNAL", "--signal"),
    ("SIGSPY_SYMBOLS", "--symbols"),
    ("SIGSPY_TOGGLE_SIGNAL", "--toggle-signal"),
    ("CPUPROFILESIGNAL", "--toggle-signal"),
];

/// How to sample, as the environment says it.
fn sampling() -> Result<Sampling, Error> {
    let mut options: Vec<OsString> = vec!["sigspy".into(), "record".into()];
    for (variable, option) in OPTIONS {
        if let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) {
            options.extend([option.into(), value]);
        }
    }
    if env::var_os("SIGSPY_CHILDREN").is_some_and(|value| value == "0") {
        options.push("--follow=none".into());
    }
    let wants_signal = env::var_os("CPUPROFILESIGNAL").is_some();
    if wants_signal || env::var_os("SIGSPY_MODE").is_some_and(|mode| mode == "paused") {
        options.push("--start-paused".into());
    }
    options.extend(["--".into(), "program".into()]);
    match Arguments::try_parse_from(options) {
        Ok(Arguments { command: Command::Record(record), .. }) => Ok(record.sampling),
        Ok(_) => Err(Error::NoSocket),
        Err(error) => Err(Error::BadEnvironment(Box::new(error))),
    }
}

/// Where the recording goes.
fn output_path(pid: u32) -> PathBuf {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let template = env::var_os("SIGSPY_OUTPUT").or_else(|| env::var_os("CPUPROFILE"));
    let folder = PathBuf::from(format!("/proc/{pid}/cwd"));
    let folder = fs::read_link(folder).unwrap_or_default();
    match template.filter(|template| !template.is_empty()) {
        Some(template) => {
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            folder.join(fill_in(&template.to_string_lossy(), &name, pid))
        }
        None => folder.join(output::default_recording(&program)),
    }
}

/// `%e` program, `%p` pid, `%t` seconds since 1970, `%h` host, `%{NAME}` environment, `%%` a `%`.
fn fill_in(template: &str, program: &str, pid: u32) -> String {
    let mut filled = String::new();
    let mut rest = template.chars();
    while let Some(one) = rest.next() {
        if one != '%' {
            filled.push(one);
            continue;
        }
        match rest.next() {
            Some('e') => filled.push_str(program),
            Some('p') => filled.push_str(&pid.to_string()),
            Some('t') => filled.push_str(&output::seconds_since_1970().to_string()),
            Some('h') => filled.push_str(&host()),
            Some('{') => {
                let name: String = rest.by_ref().take_while(|&c| c != '}').collect();
                filled.push_str(&env::var(name).unwrap_or_default());
            }
            Some(other) => filled.extend([other].into_iter().filter(|&c| c == '%')),
            None => filled.push('%'),
        }
    }
    filled
}

fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn command_line(pid: u32) -> Vec<OsString> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|&byte| byte == 0);
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_in() {
        assert_eq!(fill_in("/tmp/%e-%p.sigspy", "app", 7), "/tmp/app-7.sigspy");
        assert_eq!(fill_in("100%%", "app", 7), "100%");
        assert_eq!(fill_in("%{NO_SUCH_VARIABLE}x%", "app", 7), "x%");
        assert_eq!(fill_in("%{", "app", 7), "");
    }
}
