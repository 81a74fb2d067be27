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

/// Without a sample in so many periods nobody was there to take one.
const MANY_PERIODS: u64 = 20;

/// What `record` has made.
pub struct Recorded {
    pub profile: Profile,
    pub exit_code: u8,
    /// Why there are no samples, if there are none.
    pub diagnosis: Option<String>,
}

/// Runs the command.
pub fn run(arguments: Record) -> Result<u8, Error> {
    let recorded = match arguments.output {
        Some(path) => record(&arguments.sampling, &path, arguments.command)?,
        None => {
            let path = output::default_recording(Path::new(&arguments.command[0]));
            record_as_latest(&arguments.sampling, &path, arguments.command)?
        }
    };
    if let Some(diagnosis) = &recorded.diagnosis {
        message::warning(diagnosis);
    }
    Ok(recorded.exit_code)
}

/// As [`record`]; the recording is then what other commands read if they are given none.
pub fn record_as_latest(
    sampling: &Sampling,
    path: &Path,
    command: Vec<OsString>,
) -> Result<Recorded, Error> {
    let recorded = record(sampling, path, command)?;
    if let Err(error) = output::point_to_latest(path) {
        let (latest, path) = (output::LATEST, path.display());
        message::warning(&format!("cannot point {latest} to {path}: {error}"));
    }
    Ok(recorded)
}

/// Records `command` and says so.
fn record(sampling: &Sampling, path: &Path, command: Vec<OsString>) -> Result<Recorded, Error> {
    let program = PathBuf::from(&command[0]);
    let outcome = run_recorder(sampling, command, path)?;
    let profile = collector::read(path)?;
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
    let (period_ns, cpu_ns) = (profile.meta.period_ns, profile.accounting.cpu_ns.unwrap_or(0));
    let (period_ms, cpu_ms) = (period_ns as f64 / 1e6, cpu_ns as f64 / 1e6);
    if cpu_ns > MANY_PERIODS * period_ns {
        return format!(
            "no samples: what used {cpu_ms:.1} ms of CPU time had no agent in it, as {program} \
             started it with an environment of its own, or it is statically linked; record it \
             directly"
        );
    }
    format!(
        "no samples: {program} used {cpu_ms:.1} ms of CPU time, and a sample is taken every \
         {period_ms:.1} ms; raise the rate with -F, or give it more work"
    )
}
