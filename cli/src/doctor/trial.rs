//! A recording of a busy loop of our own: the whole way from the agent to the profile.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::time::{ClockId, clock_gettime};
use sigspy_collector::{self as collector, Outcome, Recorder, Wishes};
use sigspy_model::Profile;
use sigspy_report::quality;

use super::check::{Check, State};
use crate::args::{Arguments, Busy, Command};
use crate::error::Error;
use crate::{command_line, message, record};

const NAME: &str = "trial";

/// Uses CPU time for as long as is asked for.
pub fn use_cpu_time(arguments: &Busy) -> u8 {
    let used = || clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from);
    let enough = Duration::from_millis(arguments.ms);
    while used().is_ok_and(|used| used < enough) {}
    0
}

/// Profiles this very program: twice if the first time leaves something to be desired, as then unwind
/// tables are kept, and the host may be less busy.
pub fn check() -> Check {
    let first = check_once();
    if first.state == State::Warn { check_once() } else { first }
}

fn check_once() -> Check {
    match record_ourselves() {
        Ok((outcome, profile)) => judge(&outcome, &profile),
        Err(Error::Collector(error @ collector::Error::StaticallyLinked(_))) => Check::warn(
            NAME,
            "there was none, as this sigspy is statically linked",
            message::with_causes(&error),
        ),
        Err(error) => Check::no(
            NAME,
            format!("a busy loop could not be recorded: {}", message::with_causes(&error)),
            "docs/messages.md says more about this message",
        ),
    }
}

/// The recording is in memory, and nothing of it stays.
fn record_ourselves() -> Result<(Outcome, Profile), Error> {
    let failed = |error| collector::Error::Session("make a recording in memory", error);
    static NOTHING: AtomicU32 = AtomicU32::new(0);
    let own = std::env::current_exe().map_err(failed)?;
    let words = ["sigspy", "record", "-F", "997", "--clock", "thread", "--"].map(OsString::from);
    let busy = [own.into(), "busy".into()];
    let words: Vec<OsString> = words.into_iter().chain(busy).collect();
    let Ok(Arguments { command: Command::Record(arguments), .. }) = command_line::parse(&words)
    else {
        unreachable!("the words are those of a recording");
    };
    let plan = record::plan(&arguments.sampling, arguments.command.into(), false);
    let memory = memfd_create("sigspy-trial", MFdFlags::MFD_CLOEXEC);
    let recording = File::from(memory.map_err(|error| failed(error.into()))?);
    let output = recording.try_clone().map_err(failed)?;
    let recorder = Recorder::start(&plan, || Ok(output))?;
    let wishes = Wishes { interrupts: &NOTHING, toggles: &NOTHING };
    let outcome = recorder.run(&wishes, &mut |_| {})?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", recording.as_raw_fd()));
    let profile = collector::read(&path)?.profile;
    Ok((outcome, profile))
}

fn judge(outcome: &Outcome, profile: &Profile) -> Check {
    /// Of the CPU time: the rest is mostly the start of the program.
    const MOST_UNSAMPLED: f64 = 0.2;
    /// Of the CPU time with a stack.
    const LEAST_WHOLE: f64 = 0.9;
    if let Some(error) = &outcome.agent_error {
        let found = format!("the agent could not start: {error}");
        return Check::no(NAME, found, "see whether a filter of system calls is in the way");
    }
    if outcome.agents == 0 {
        let remedy = "see what the loader says about libsigspy.so";
        return Check::no(NAME, "the agent was not loaded", remedy);
    }
    let quality = quality(profile);
    if quality.samples == 0 {
        let remedy = "try --signal USR2, --clock process or --clock perf";
        return Check::no(NAME, "no tick was delivered", remedy);
    }
    let cpu_ns = profile.accounting.cpu_ns.unwrap_or(0);
    let unsampled = profile.accounting.unsampled_ns as f64 / cpu_ns.max(1) as f64;
    let (cpu_s, percent) = (cpu_ns as f64 / 1e9, 100.0 * (1.0 - unsampled));
    let found = format!(
        "{} samples in {cpu_s:.3} s of CPU time ({:.0} a second), {percent:.1} % of it accounted for",
        quality.samples,
        quality.samples as f64 / cpu_s,
    );
    let checked = if quality.whole_share() < LEAST_WHOLE {
        let whole = 100.0 * quality.whole_share();
        let found = format!("{found}, and {whole:.0} % of the stacks are whole");
        Check::warn(NAME, found, "record a program of your own, and see `sigspy report --quality`")
    } else if unsampled > MOST_UNSAMPLED {
        Check::warn(NAME, found, "try again while the host is less busy")
    } else {
        Check::ok(NAME, found)
    };
    checked.with_detail(quality.to_string())
}
