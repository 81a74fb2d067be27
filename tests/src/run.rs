//! Runs a program to its end and keeps all that it wrote. Nothing waits for ever.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, SigHandler, Signal, kill, killpg};
use nix::unistd::Pid;

/// Longer than any run should take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where sigspy looks for settings.
const SETTINGS: &str = "XDG_CONFIG_HOME";

/// How a program ended. Printed with `{outcome}`, it is all that a failed test has to show.
#[derive(Clone)]
pub struct Outcome {
    command: String,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
}

impl Outcome {
    /// The exit status as a shell has it: 128 and the signal for a program that was killed.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(127))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The number in the line `name number` of the program's output.
    pub fn number(&self, name: &str) -> u64 {
        self.words(name).trim().parse().unwrap_or_else(|_| panic!("no number in `{name}`\n{self}"))
    }

    /// The rest of the line of the program's output that begins with `name`.
    pub fn words(&self, name: &str) -> String {
        let text = self.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no line begins with `{name}`\n{self}")).to_owned()
    }

    /// What sigspy calls an error, one line each.
    pub fn errors(&self) -> Vec<&str> {
        let messages =
            self.stderr.lines().map(|line| line.strip_prefix("sigspy: ").unwrap_or(line));
        messages.filter(|message| message.starts_with("error: ")).collect()
    }

    /// The line in which sigspy says what it has recorded.
    pub fn summary(&self) -> &str {
        let line = self.stderr.lines().find(|line| line.contains("; wrote "));
        line.unwrap_or_else(|| panic!("sigspy does not say what it recorded:\n{self}"))
    }

    /// Fails unless the exit status is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "exit status of\n{self}");
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.command)?;
        writeln!(f, "ended with {} ({}) after {:.1?}", self.code(), self.status, self.took)?;
        writeln!(f, "-- stderr --\n{}", shortened(&self.stderr))?;
        writeln!(f, "-- stdout --\n{}", shortened(&self.text()))
    }
}

fn shortened(text: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<_> = text.lines().collect();
    let Some(rest) = lines.len().checked_sub(LINES).filter(|rest| *rest > 0) else {
        return lines.join("\n");
    };
    format!("{}\n… and {rest} more lines", lines[..LINES].join("\n"))
}

/// A program that was started and is to be waited for.
pub struct Running {
    command: String,
    child: Child,
    started: Instant,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

/// Starts a program in a process group of its own, with nothing on its standard input.
pub fn spawn(command: &mut Command) -> Running {
    spawn_with_input(command, &[])
}

fn spawn_with_input(command: &mut Command, input: &[u8]) -> Running {
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // The settings of whoever runs the tests are none of theirs.
    if command.get_envs().all(|(name, _)| name != SETTINGS) {
        command.env(SETTINGS, "/nonexistent");
    }
    heed_signals();
    let started = Instant::now();
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // A program may end without reading all of its input; that is its own affair.
        thread::spawn(move || stdin.write_all(&input).ok());
    }
    let stdout = read_all(child.stdout.take().expect("it is piped"));
    let stderr = read_all(child.stderr.take().expect("it is piped"));
    Running { command: format!("{command:?}"), child, started, stdout, stderr }
}

/// Whoever started the tests may have told them to ignore signals, as shells do for what runs in the
/// background. Programs would inherit that.
#[allow(unsafe_code, reason = "sets what signals do")]
fn heed_signals() {
    for one in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        // SAFETY: the default action runs no code of ours, and no test handles these signals.
        unsafe { signal::signal(one, SigHandler::SigDfl) }.expect("the signal exists");
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the program has not been waited for");
    }

    /// Sends a signal to the program and its children, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        killpg(self.pid(), signal).expect("the program has not been waited for");
    }

    /// Waits for the end of the program itself, then kills what is left of its process group.
    pub fn wait_and_kill_the_rest(mut self, patience: Duration) -> Outcome {
        while self.child.try_wait().expect("a child can be waited for").is_none() {
            assert!(self.started.elapsed() < patience, "{} is still running", self.command);
            thread::sleep(Duration::from_millis(5));
        }
        // No such group: nothing is left.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        self.wait()
    }

    /// Waits for the end of the program and of all others that hold its output.
    pub fn wait(self) -> Outcome {
        self.wait_within(PATIENCE)
    }

    /// As [`Self::wait`]; a program that takes longer is killed, and the test fails.
    pub fn wait_within(mut self, patience: Duration) -> Outcome {
        let watchdog = Watchdog::new(self.pid(), patience.saturating_sub(self.started.elapsed()));
        let stdout = self.stdout.join().expect("the reader does not panic");
        let stderr = self.stderr.join().expect("the reader does not panic");
        let status = self.child.wait().expect("a child can be waited for");
        let outcome = Outcome {
            command: self.command,
            status,
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            took: self.started.elapsed(),
        };
        assert!(!watchdog.barked(), "killed, as it was not done after {patience:?}:\n{outcome}");
        outcome
    }
}

/// Kills a process group when it takes too long.
struct Watchdog {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<bool>,
}

impl Watchdog {
    fn new(group: Pid, patience: Duration) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let late = stopped.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
            // The group may be gone by itself in the last moment.
            late && killpg(group, Signal::SIGKILL).is_ok()
        });
        Self { stop, thread }
    }

    fn barked(self) -> bool {
        drop(self.stop);
        self.thread.join().expect("the watchdog does not panic")
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Outcome {
    spawn(command).wait()
}

/// Runs a program that must end within a time.
pub fn run_within(patience: Duration, command: &mut Command) -> Outcome {
    spawn(command).wait_within(patience)
}

/// Waits until `ready` says yes, and fails when that takes too long.
pub fn wait_until(what: &str, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a mask in the `status` of a process or thread, such as `SigCgt`, has a signal.
pub fn mask_has(status: &str, mask: &str, signal: i32) -> bool {
    let value = |line: &str| line.strip_prefix(mask)?.strip_prefix(':').map(str::to_owned);
    let mask = status.lines().find_map(value);
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// Runs a program to its end with something on its standard input.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Outcome {
    spawn_with_input(command, input).wait()
}
