//! Profiles a program and reads the recording back, all through the command line.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::{Folded, Outcome, Program, TempDir, program_in, run, sigspy};

/// A run of `sigspy record`, and the recording that it left.
pub struct Recorded {
    pub outcome: Outcome,
    pub path: PathBuf,
    folder: Arc<TempDir>,
}

/// Profiles a program at the default rate.
pub fn record<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Recorded {
    record_with(&[], command)
}

/// Profiles a program at `hz`.
pub fn record_at<S: AsRef<OsStr>>(hz: u32, command: impl IntoIterator<Item = S>) -> Recorded {
    record_with(&["-F", &hz.to_string()], command)
}

/// Profiles a program with options of `sigspy record`.
pub fn record_with<S: AsRef<OsStr>>(
    options: &[&str],
    command: impl IntoIterator<Item = S>,
) -> Recorded {
    record_in(&[], options, command)
}

/// The library that kills a program when its handler does what no handler may; with
/// `SIGSPY_TRIPWIRE=1` it is in all that is recorded.
pub fn tripwire() -> Program {
    program_in("tripwire", "tripwire.c", &["-shared", "-fPIC", "-ldl"])
}

/// As [`record_with`], with more environment variables for sigspy and the program.
pub fn record_in<S: AsRef<OsStr>>(
    environment: &[(&str, &str)],
    options: &[&str],
    command: impl IntoIterator<Item = S>,
) -> Recorded {
    let folder = Arc::new(TempDir::new());
    let path = folder.join("recording.sigspy");
    let mut sigspy = Command::new(sigspy());
    if env::var_os("SIGSPY_TRIPWIRE").is_some_and(|value| value == "1") {
        sigspy.env("LD_PRELOAD", tripwire().path);
    }
    sigspy.envs(environment.iter().copied());
    sigspy.arg("record").args(options).arg("-o").arg(&path).arg("--").args(command);
    Recorded { outcome: run(&mut sigspy), path, folder }
}

impl Recorded {
    /// Fails unless sigspy passed on the exit status `code` and had nothing to complain about.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        Self { outcome: self.outcome.expect(code), ..self }
    }

    /// The stacks and their weights in nanoseconds, rounded to microseconds.
    pub fn folded(&self) -> Folded {
        self.export(&[])
    }

    /// As [`Self::folded`], with `NAME-PID/TID` in front of each stack.
    pub fn folded_by_thread(&self) -> Folded {
        self.export(&["--threads"])
    }

    fn export(&self, options: &[&str]) -> Folded {
        let outcome = run(export(&self.path).args(options)).expect(0);
        Folded::parse(&outcome.text(), 1000).unwrap_or_else(|error| panic!("{error} in\n{outcome}"))
    }

    /// The CPU time that one sample at `hz` stands for, ns, for statistics: a period, or a tick of
    /// the kernel where that is longer. Samples of unequal weight tell as much as fewer equal ones do,
    /// each of the weight `Σw² / Σw` (Kish, Survey Sampling, 1965). No more than twice the mean is
    /// allowed: so much it is where threads compete for CPUs, and the kernel's ticks find them at
    /// random.
    pub fn unit_ns(&self, hz: u32) -> f64 {
        let weights = self.weights_ns();
        let sum: f64 = weights.iter().sum();
        let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
        let least = (1e9 / f64::from(hz)).max(crate::kernel_tick().as_nanos() as f64);
        let most = least.max(2.0 * sum / weights.len().max(1) as f64);
        (squares / sum.max(1.0)).clamp(least, most)
    }

    /// What each sample with a stack stands for, ns.
    fn weights_ns(&self) -> Vec<f64> {
        let outcome = run(&mut export_as("json", &self.path)).expect(0);
        let json: Value = serde_json::from_str(&outcome.text()).expect("JSON");
        let has_stack = |sample: &&Value| {
            let index = sample["stack"].as_u64().expect("an index") as usize;
            matches!(json["stacks"][index]["kind"].as_str(), Some("whole" | "incomplete"))
        };
        let samples = json["samples"].as_array().expect("samples").iter().filter(has_stack);
        samples.map(|sample| sample["weight_ns"].as_f64().expect("a weight")).collect()
    }

    /// The text of `sigspy report`.
    pub fn report(&self) -> String {
        run(Command::new(sigspy()).arg("report").arg("-i").arg(&self.path)).expect(0).text()
    }

    /// A folder that lives as long as the recording.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The command that exports a recording as folded stacks in microseconds.
pub fn export(recording: &Path) -> Command {
    let mut command = export_as("folded", recording);
    command.args(["--unit", "us"]);
    command
}

/// The command that exports a recording in another format.
fn export_as(format: &str, recording: &Path) -> Command {
    let mut command = Command::new(sigspy());
    command.args(["export", "--format", format, "-i"]).arg(recording);
    command
}
