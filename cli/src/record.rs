//! `sigspy record`: run a program and keep what it did.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sigspy_collector::{self as collector, Outcome, Plan, Recorder, Settings};
use sigspy_model::Profile;
use sigspy_report::quality;

use crate::args::{Clock, Record, Sampling};
use crate::error::Error;
use crate::{agent, interrupt, message, output};

/// For benchmarks: a file for lines of frames and nanoseconds, one for each run of the handler.
const TIMES_FILE: &str = "SIGSPY_HANDLER_TIMES";
/// For tests: arms threads when they start also where the kernel makes that unnecessary.
const ARM_AT_THREAD_START: &str = "SIGSPY_ARM_AT_THREAD_START";

/// What `record` has made.
pub struct Recorded {
    pub profile: Profile,
    pub exit_code: u8,
    /// Why there are no samples, if there are none.
    pub diagnosis: Option<String>,
}

/// Runs the command.
pub fn run(arguments: Record) -> Result<u8, Error> {
    let recorded = record(&arguments.sampling, arguments.output, arguments.command)?;
    if let Some(diagnosis) = &recorded.diagnosis {
        message::warning(diagnosis);
    }
    Ok(recorded.exit_code)
}

/// Records `command` and says so.
pub fn record(
    sampling: &Sampling,
    output: Option<PathBuf>,
    command: Vec<OsString>,
) -> Result<Recorded, Error> {
    let program = PathBuf::from(&command[0]);
    let is_default = output.is_none();
    let path = output.unwrap_or_else(|| output::default_recording(&program));
    let outcome = run_recorder(sampling, command, &path)?;
    if is_default && let Err(error) = output::point_to_latest(&path) {
        message::warning(&format!(
            "cannot point {} to {}: {error}",
            output::LATEST,
            path.display()
        ));
    }
    let profile = collector::read(&path)?;
    let quality = quality(&profile);
    message::note(&format!("{quality}; wrote {}", path.display()));
    quality.warnings().iter().for_each(|warning| message::warning(warning));
    // Without an exit status the program still runs: the recording was ended by Ctrl-C.
    const ENDED_BY_INTERRUPT: i32 = 130;
    let exit_code = outcome.exit_code.unwrap_or(ENDED_BY_INTERRUPT) as u8;
    let diagnosis = (quality.samples == 0).then(|| diagnose(&program, &outcome, &profile));
    Ok(Recorded { profile, exit_code, diagnosis })
}

fn run_recorder(
    sampling: &Sampling,
    command: Vec<OsString>,
    path: &Path,
) -> Result<Outcome, Error> {
    let cache = cache_folder();
    let clock = match sampling.clock {
        Clock::Auto | Clock::Thread => collector::Clock::Thread,
        Clock::Process => collector::Clock::Process,
    };
    let times_file = env::var_os(TIMES_FILE);
    let settings = Settings {
        clock,
        period_ns: 1_000_000_000 / u64::from(sampling.rate),
        timed: times_file.is_some(),
        arm_at_thread_start: collector::prefers_main_thread()
            || env::var_os(ARM_AT_THREAD_START).is_some(),
    };
    let plan = Plan {
        argv: command,
        agent: agent::AGENT,
        agent_file: cache.as_deref().and_then(agent::unpack),
        settings,
        cache,
        git_revision: git_revision(),
    };
    interrupt::watch();
    let mut refused = None;
    let create = || -> Result<File, collector::Error> {
        output::create(path, sampling.force).map_err(|error| {
            refused = Some(error);
            collector::Error::Write(std::io::ErrorKind::Other.into())
        })
    };
    let recorder = Recorder::start(&plan, create);
    if let Some(refused) = refused {
        return Err(refused);
    }
    let recorder = recorder?;
    interrupt::set_program(recorder.program());
    let outcome = recorder.run(&interrupt::INTERRUPTS)?;
    if let Some(file) = times_file {
        let line = |(frames, ns): &(usize, u64)| format!("{frames} {ns}\n");
        let text: String = outcome.handler_times.iter().map(line).collect();
        std::fs::write(&file, text).map_err(|error| Error::Create(file.into(), error))?;
    }
    Ok(outcome)
}

/// `$XDG_CACHE_HOME/sigspy`, or `~/.cache/sigspy`.
fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("sigspy"))
}

/// The commit that is checked out here, if this is a repository.
fn git_revision() -> Option<String> {
    let is_repository = |folder: &&Path| folder.join(".git").exists();
    env::current_dir().ok()?.ancestors().find(is_repository)?;
    let mut git = Command::new("git");
    git.args(["rev-parse", "HEAD"]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn diagnose(program: &Path, outcome: &Outcome, profile: &Profile) -> String {
    let program = program.display();
    if let Some(error) = &outcome.agent_error {
        return format!("no samples: the agent could not start in {program}: {error}");
    }
    if outcome.agents == 0 {
        return format!(
            "no samples: the agent was not loaded into {program}; \
             run the program itself, if this one starts it with an environment of its own"
        );
    }
    let period_ms = profile.meta.period_ns as f64 / 1e6;
    let cpu_ms = profile.accounting.cpu_ns.unwrap_or(0) as f64 / 1e6;
    format!(
        "no samples: {program} used {cpu_ms:.1} ms of CPU time, and a sample is taken every \
         {period_ms:.1} ms; raise the rate with -F, or give it more work"
    )
}
