//! What to record, and what follows from it before the program starts.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use memmap2::MmapOptions;
use sigspy_wire::control::Clock;
use sigspy_wire::handshake::SOCKET_VARIABLE;

use crate::Error;
use crate::launch::{LD_PRELOAD, Place};
use crate::meeting::Meeting;
use crate::memory::Settings;
use crate::recording::{MetaEvent, clock_number};

/// Characters of the command line that are recorded.
const LONGEST_ARGV: usize = 16 << 10;

/// What to record, and how.
pub struct Plan<'a> {
    /// Program first.
    pub argv: Vec<OsString>,
    /// Where it runs; `None`: where and as we do.
    pub place: Option<Place>,
    /// The agent's shared object, as bytes,
    pub agent: &'a [u8],
    /// and as a file, where there is one.
    pub agent_file: Option<PathBuf>,
    pub settings: Settings,
    /// Only programs whose file has such a name.
    pub only: Option<glob::Pattern>,
    /// No samples before so much time has passed,
    pub delay: Option<Duration>,
    /// or until somebody says so.
    pub starts_paused: bool,
    /// The recording ends so long after its first sample could be.
    pub duration: Option<Duration>,
    /// Folder for unwind tables; `None`: they are not kept.
    pub cache: Option<PathBuf>,
    pub git_revision: Option<String>,
}

/// Where the loader finds the agent: the given file, or else one in the folder of this session.
pub fn agent_path(plan: &Plan<'_>, meeting: &Meeting) -> Result<PathBuf, Error> {
    if let Some(file) = plan.agent_file.as_ref().filter(|file| can_be_preloaded(file)) {
        return Ok(file.clone());
    }
    let copy = meeting.folder().join("libsigspy.so");
    if copy.exists() {
        return Ok(copy);
    }
    std::fs::write(&copy, plan.agent)
        .map_err(|error| Error::Session("write the agent to the folder of this session", error))?;
    Ok(copy)
}

/// What a program needs in its environment, `NAME=value` each ended by NUL.
pub fn environment(agent: &Path, socket: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let variable = |name: &str, value: &Path| {
        [name.as_bytes(), b"=", value.as_os_str().as_bytes(), b"\0"].concat()
    };
    let mut both = variable(LD_PRELOAD, agent);
    both.extend(variable(SOCKET_VARIABLE, socket));
    both
}

/// Whether programs can load the agent from `file`: LD_PRELOAD takes no path with a space or a colon
/// in it, and the loader none on a file system that is mounted noexec.
#[allow(unsafe_code, reason = "maps a file, as the loader will")]
pub fn can_be_preloaded(file: &Path) -> bool {
    let spelled = file.to_str().is_some_and(|path| !path.contains([' ', ':', '\t', '\n']));
    // SAFETY: the mapping is dropped without being looked at.
    let mapped = File::open(file).and_then(|file| unsafe { MmapOptions::new().map_exec(&file) });
    spelled && mapped.is_ok()
}

/// What the recording says about itself at its start.
pub fn meta(plan: &Plan<'_>, started_monotonic_ns: u64) -> MetaEvent {
    let mut room = LONGEST_ARGV;
    let fits = |argument: &String| {
        room = room.saturating_sub(argument.len());
        room > 0
    };
    let uname = nix::sys::utsname::uname().ok();
    let text = |field: &OsStr| field.to_string_lossy().into_owned();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    MetaEvent {
        argv: plan.argv.iter().map(|one| text(one)).take_while(fits).collect(),
        host: uname.as_ref().map(|uname| text(uname.nodename())).unwrap_or_default(),
        kernel: uname.as_ref().map(|uname| text(uname.release())).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").into(),
        git_revision: plan.git_revision.clone(),
        started_unix_s: since_1970.map_or(0, |time| time.as_secs()),
        started_monotonic_ns,
        duration_ns: 0,
        clock: clock_number(match plan.settings.clock {
            Clock::Thread => sigspy_model::Clock::Thread,
            Clock::Process => sigspy_model::Clock::Process,
            Clock::Perf => sigspy_model::Clock::Perf,
            Clock::Wall => sigspy_model::Clock::Wall,
        }),
        period_ns: plan.settings.period_ns,
        exit_code: None,
    }
}
