//! `sigspy record`: run a program and keep what it did.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sigspy_collector::{
    self as collector, ModuleFiles, Outcome, Place, Plan, Recorder, Settings, Wishes,
};
use sigspy_model::{Profile, Symbols};
use sigspy_report::{Quality, quality};

use crate::args::{Clock, Follow, Record, Sampling, When};
use crate::error::Error;
use crate::named::{self, Named};
use crate::{agent, interrupt, message, output, sources};

/// For benchmarks: a file for lines of frames and nanoseconds, one for each run of the handler.
const TIMES_FILE: &str = "SIGSPY_HANDLER_TIMES";

/// Without a sample in so many periods nobody was there to take one.
const MANY_PERIODS: u64 = 20;

/// A program to be run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// Where it runs; `None`: here, and as we do.
    pub place: Option<Place>,
    /// The commit that it was built from; `None`: the one that is checked out here.
    pub git_revision: Option<String>,
}

impl From<Vec<OsString>> for Program {
    fn from(argv: Vec<OsString>) -> Self {
        Self { argv, place: None, git_revision: None }
    }
}

/// What `record` has made.
pub struct Recorded {
    pub profile: Profile,
    /// What was put into the recording.
    pub symbols: Option<Symbols>,
    files: ModuleFiles,
    /// Why there are no samples, if there are none.
    pub diagnosis: Option<String>,
    pub ended: Ended,
}

/// How the program ended, if it did.
pub struct Ended {
    exit_code: Option<u8>,
    /// The program, which runs on.
    running: Option<u32>,
}

/// Runs the command.
pub fn run(arguments: Record) -> Result<u8, Error> {
    run_program(arguments.command.into(), &arguments.sampling, arguments.output)
}

/// Records a program, and returns its exit status.
pub fn run_program(
    program: Program,
    sampling: &Sampling,
    output: Option<PathBuf>,
) -> Result<u8, Error> {
    let recorded = match output {
        Some(path) => record(sampling, &path, program)?,
        None => {
            let path = output::default_recording(Path::new(&program.argv[0]));
            record_as_latest(sampling, &path, program)?
        }
    };
    if let Some(diagnosis) = &recorded.diagnosis {
        message::warning(diagnosis);
    }
    Ok(recorded.ended.exit_code())
}

impl Recorded {
    fn look_up(&self, sampling: &Sampling, volume: Volume) -> Symbols {
        let sources = sources::of(&sampling.places);
        let sources = sources::with_files(sources, &self.profile, &self.files);
        match volume {
            Volume::Aloud => named::look_up(&self.profile, sources),
            Volume::Quiet => named::look_up_quietly(&self.profile, &sources),
        }
    }

    /// With names, wherever they are to be kept.
    pub fn into_named(mut self, sampling: &Sampling) -> (Named, Ended) {
        let symbols = self.symbols.take().unwrap_or_else(|| self.look_up(sampling, Volume::Aloud));
        (Named { profile: self.profile, symbols }, self.ended)
    }
}

impl Ended {
    /// The exit status of the program, which is waited for if it runs on after the time that it
    /// was to be recorded for.
    pub fn exit_code(&self) -> u8 {
        const ENDED_BY_INTERRUPT: u8 = 130;
        let waited = || {
            if interrupt::INTERRUPTS.load(std::sync::atomic::Ordering::Relaxed) >= 2 {
                return None;
            }
            collector::wait_for_program(self.running?).map(|code| code as u8)
        };
        self.exit_code.or_else(waited).unwrap_or(ENDED_BY_INTERRUPT)
    }
}

/// As [`record`]; the recording is then what other commands read if they are given none.
pub fn record_as_latest(
    sampling: &Sampling,
    path: &Path,
    program: Program,
) -> Result<Recorded, Error> {
    let recorded = record(sampling, path, program)?;
    make_latest(path);
    Ok(recorded)
}

/// From now on, commands that are given no recording read this one.
pub fn make_latest(path: &Path) {
    if let Err(error) = output::point_to_latest(path) {
        let (latest, path) = (output::LATEST, path.display());
        message::warning(&format!("cannot point {latest} to {path}: {error}"));
    }
}

/// Records `program` and says so.
fn record(sampling: &Sampling, path: &Path, program: Program) -> Result<Recorded, Error> {
    record_saying(sampling, path, program, |quality| {
        message::note(&format!("{quality}; wrote {}", path.display()));
        quality.warnings().iter().for_each(|warning| message::warning(warning));
    })
}

/// Records `program`, and has `say` say so before names are looked up.
pub fn record_saying(
    sampling: &Sampling,
    path: &Path,
    program: Program,
    say: impl FnOnce(&Quality),
) -> Result<Recorded, Error> {
    record_with(sampling, path, program, Volume::Aloud, say)
}

/// Records `program` without a word.
pub fn record_quietly(
    sampling: &Sampling,
    path: &Path,
    program: Program,
) -> Result<Recorded, Error> {
    record_with(sampling, path, program, Volume::Quiet, |_| ())
}

/// How much is said while names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Volume {
    Aloud,
    Quiet,
}

fn record_with(
    sampling: &Sampling,
    path: &Path,
    program: Program,
    volume: Volume,
    say: impl FnOnce(&Quality),
) -> Result<Recorded, Error> {
    let file = PathBuf::from(&program.argv[0]);
    let (outcome, program_pid) = run_recorder(sampling, program, path)?;
    let profile = collector::read(path)?.profile;
    let quality = quality(&profile);
    say(&quality);
    let exit_code = outcome.exit_code.map(|code| code as u8);
    let running = program_pid.filter(|_| exit_code.is_none());
    let diagnosis = (quality.samples == 0).then(|| diagnose(&file, &outcome, &profile));
    let ended = Ended { exit_code, running };
    let mut recorded = Recorded { profile, symbols: None, files: outcome.files, diagnosis, ended };
    if sampling.symbols == When::Now {
        let symbols = recorded.look_up(sampling, volume);
        if let Err(error) = named::append(path, &symbols, &recorded.profile) {
            // The recording is complete without.
            let error = message::with_causes(&error);
            message::warning(&format!("the recording has no names in it: {error}"));
        }
        recorded.symbols = Some(symbols);
    }
    Ok(recorded)
}

/// What is left of the program, when the one that was started has ended.
fn say_what_is_left(pids: &[u32]) {
    let list: Vec<String> = pids.iter().take(5).map(u32::to_string).collect();
    let more = if pids.len() > list.len() { ", ..." } else { "" };
    message::note(&format!(
        "the program has ended, and processes that it started run on (pid {}{more}): recording \
         until they end, or until Ctrl-C",
        list.join(", ")
    ));
}

fn run_recorder(
    sampling: &Sampling,
    program: Program,
    path: &Path,
) -> Result<(Outcome, Option<u32>), Error> {
    let times_file = env::var_os(TIMES_FILE);
    let plan = plan(sampling, program, times_file.is_some());
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
    let program = recorder.program();
    interrupt::set_program(program);
    let wishes = Wishes { interrupts: &interrupt::INTERRUPTS, toggles: &interrupt::TOGGLES };
    let outcome = recorder.run(&wishes, &mut say_what_is_left)?;
    if outcome.exit_code.is_some() {
        interrupt::unwatch();
    }
    if let Some(file) = times_file {
        let line = |(frames, ns): &(usize, u64)| format!("{frames} {ns}\n");
        let text: String = outcome.handler_times.iter().map(line).collect();
        std::fs::write(&file, text).map_err(|error| Error::Create(file.into(), error))?;
    }
    Ok((outcome, program))
}

/// What to record, and how.
pub fn plan(sampling: &Sampling, program: Program, timed: bool) -> Plan<'static> {
    let cache = cache_folder();
    let settings = Settings {
        clock: clock(sampling),
        period_ns: 1_000_000_000 / u64::from(sampling.rate),
        timed,
        follow: match sampling.follow {
            Follow::Auto => collector::Follow::All,
            Follow::Env => collector::Follow::Environment,
            Follow::None => collector::Follow::Nothing,
        },
        tick_signal: sampling.signal,
        toggle_signal: sampling.toggle_signal,
        max_depth: sampling.max_depth,
    };
    Plan {
        argv: program.argv,
        place: program.place,
        agent: agent::AGENT,
        agent_file: cache.as_deref().and_then(agent::unpack),
        settings,
        only: sampling.only.clone(),
        delay: sampling.delay,
        starts_paused: sampling.start_paused,
        duration: sampling.duration,
        cache,
        git_revision: program.git_revision.or_else(|| git_revision(&env::current_dir().ok()?)),
    }
}

fn clock(sampling: &Sampling) -> collector::Clock {
    match sampling.clock {
        Clock::Auto | Clock::Thread => collector::Clock::Thread,
        Clock::Process => collector::Clock::Process,
        Clock::Perf => collector::Clock::Perf,
        Clock::Wall => collector::Clock::Wall,
    }
}

/// `$XDG_CACHE_HOME/sigspy`, or `~/.cache/sigspy`; `None` if that would be in another user's folder.
pub fn cache_folder() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let find = || {
        let home = || Some(absolute("HOME")?.join(".cache"));
        let folder = absolute("XDG_CACHE_HOME").or_else(home)?.join("sigspy");
        let is_ours = sigspy_cache::can_be_ours(&folder);
        if !is_ours {
            let folder = folder.display();
            message::detail(&format!("nothing is kept in {folder}, which is another user's"));
        }
        is_ours.then_some(folder)
    };
    FOLDER.get_or_init(find).clone()
}

/// The commit that is checked out in a folder, if that is in a repository.
pub fn git_revision(folder: &Path) -> Option<String> {
    let is_repository = |folder: &&Path| folder.join(".git").exists();
    folder.ancestors().find(is_repository)?;
    let mut git = Command::new("git");
    git.args(["rev-parse", "HEAD"]).current_dir(folder);
    // A hook of git has these set, to its own repository.
    git.env_remove("GIT_DIR").env_remove("GIT_COMMON_DIR").env_remove("GIT_WORK_TREE");
    git.stdin(Stdio::null()).stderr(Stdio::null());
    collector::leave_limit_as_it_was(&mut git);
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
    if outcome.was_paused {
        return "no samples: the recording was paused all the time; resume it by SIGUSR1 to sigspy, by \
                the signal of --toggle-signal, or with a shorter --delay"
            .to_owned();
    }
    let (period_ns, cpu_ns) = (profile.meta.period_ns, profile.accounting.cpu_ns.unwrap_or(0));
    let (period_ms, cpu_ms) = (period_ns as f64 / 1e6, cpu_ns as f64 / 1e6);
    if cpu_ns > MANY_PERIODS * period_ns {
        return format!(
            "no samples: {program} and its children used {cpu_ms:.1} ms of CPU time, and no tick was \
             delivered: they had no agent in them (`sigspy report` says why), or had the signal of \
             ticks blocked (try --signal)"
        );
    }
    format!(
        "no samples: {program} used {cpu_ms:.1} ms of CPU time, and a sample is taken every \
         {period_ms:.1} ms; raise the rate with -F, or give it more work"
    )
}
