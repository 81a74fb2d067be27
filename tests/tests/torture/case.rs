//! One case: the same program bare and profiled, left alone and under forged SIGPROFs.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use sigspy_tests::statistics::tolerance_of_total;
use sigspy_tests::{
    Outcome, Program, Recorded, Running, TempDir, full, kernel_tick, program_in, record_in, run,
    spawn,
};

/// A program of `torture/`.
pub fn torture_program(source: &str) -> Program {
    program_in("torture", source, &[])
}

/// A torture program, with a factor as its first argument.
pub struct Case {
    launcher: Vec<OsString>,
    command: Vec<OsString>,
    threads: u32,
    rates: &'static [u32],
}

/// Who else fires SIGPROFs at the program, and what it does about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forgery {
    None,
    Counted,
    Ignored,
}

const HIGH_RATE: u32 = 4000;
const SHORT_FORM: [u32; 2] = [97, HIGH_RATE];

/// At what rates, one run after the other.
fn rates() -> &'static [u32] {
    if full() { &[97, HIGH_RATE, 997, 10_000, HIGH_RATE, 97, 10_000] } else { &SHORT_FORM }
}

impl Forgery {
    fn name(self) -> &'static str {
        match self {
            Self::None => "left alone",
            Self::Counted => "with forged signals, counted",
            Self::Ignored => "with forged signals, ignored",
        }
    }
}

impl Case {
    pub fn new(source: &str) -> Self {
        let factor = if full() { "10" } else { "1" };
        let command = vec![torture_program(source).path.into(), factor.into()];
        Self { launcher: Vec::new(), command, threads: 1, rates: rates() }
    }

    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.push(argument.as_ref().to_owned());
        self
    }

    /// At the two rates of the short form, where more of them would find nothing new.
    pub fn briefly(self) -> Self {
        Self { rates: &SHORT_FORM, ..self }
    }

    /// Lets `confine` take something away from the program before it starts.
    pub fn confined(mut self, restrictions: &[&str]) -> Self {
        self.launcher = vec![torture_program("confine.c").path.into()];
        self.launcher.extend(restrictions.iter().map(Into::into));
        self.launcher.push("--".into());
        self
    }

    /// How many threads or processes share the work, for the tolerance of the total.
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads * if full() { 10 } else { 1 };
        self
    }

    /// Runs the program in all ways, and compares all that can be seen from outside.
    pub fn check(&self) {
        let bare = self.run_bare(Forgery::None);
        let forged = self.run_bare(Forgery::Counted);
        assert_same(&bare, &forged, "bare, but not left alone");
        for hz in self.rates {
            self.check_once(&bare, *hz, Forgery::None);
            self.check_once(&bare, *hz, Forgery::Counted);
        }
        self.check_once(&bare, HIGH_RATE, Forgery::Ignored);
    }

    /// As [`Self::check`], for programs that say what signals do to them: nobody forges any.
    pub fn check_alone(&self) {
        let bare = self.run_bare(Forgery::None);
        for hz in self.rates {
            self.check_once(&bare, *hz, Forgery::None);
        }
    }

    fn check_once(&self, bare: &Outcome, hz: u32, forgery: Forgery) {
        let forger = Forger::start(forgery);
        let rate = hz.to_string();
        let recorded = record_in(&forger.environment(), &["-F", &rate], self.words());
        assert_same(bare, &recorded.outcome, &format!("at {hz} Hz, {}", forgery.name()));
        forger.end();
        self.assert_accounted(&recorded, hz);
    }

    fn run_bare(&self, forgery: Forgery) -> Outcome {
        let forger = Forger::start(forgery);
        let mut words = self.words();
        let mut command = Command::new(words.next().expect("a program"));
        let outcome = run(command.args(words).envs(forger.environment()));
        forger.end();
        outcome
    }

    fn words(&self) -> impl Iterator<Item = &OsString> {
        self.launcher.iter().chain(&self.command)
    }

    /// The recording opens, and its total is what the kernel charged.
    ///
    /// The program reads its CPU time shortly before it ends: up to 2 % and 5 ms come after that.
    /// Stacks are rounded down to microseconds: 1 % and 1 ms is more than that can make. Samples
    /// may stand for more than there was, as chance has it: by a tick of the kernel each, where
    /// that is longer than a period, and no more threads have timers of their own than ticks came.
    fn assert_accounted(&self, recorded: &Recorded, hz: u32) {
        let outcome = &recorded.outcome;
        for defect in ["unaccounted for", "made no sense", "panicked", "error: "] {
            assert!(!outcome.stderr.contains(defect), "`{defect}` at {hz} Hz:\n{outcome}");
        }
        assert!(!recorded.report().is_empty(), "{outcome}");
        let (cpu_ns, total_ns) = (outcome.number("total"), recorded.folded().total());
        let unit_ns = (1e9 / f64::from(hz)).max(kernel_tick().as_nanos() as f64);
        let threads = self.threads.min(1 + (cpu_ns as f64 / unit_ns) as u32);
        let by_chance = tolerance_of_total(cpu_ns, threads, unit_ns);
        let least = 0.99 * cpu_ns as f64 - 1e6;
        let most = (1.02 + by_chance) * cpu_ns as f64 + 5e6;
        assert!(
            (least..most).contains(&(total_ns as f64)),
            "{total_ns} ns in the profile at {hz} Hz, and not {least:.0} to {most:.0} ns:\n\
             {}\n{outcome}",
            recorded.folded().heaviest(10),
        );
    }
}

/// Same exit status, same output, and nothing new on stderr but what sigspy says.
pub fn assert_same(bare: &Outcome, other: &Outcome, how: &str) {
    assert_eq!(bare.code(), other.code(), "exit status {how}:\nbare:\n{bare}{other}");
    assert_eq!(answer(bare), answer(other), "stdout {how}:\n{other}");
    let own = |outcome: &Outcome| -> Vec<String> {
        let lines = outcome.stderr.lines().filter(|line| !line.starts_with("sigspy: "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(own(bare), own(other), "stderr {how}:\n{other}");
}

/// What a program computed: its output without its CPU time.
fn answer(outcome: &Outcome) -> Vec<String> {
    let text = outcome.text();
    text.lines().filter(|line| !line.starts_with("total ")).map(str::to_owned).collect()
}

/// A process that fires forged SIGPROFs at the program, a sibling of sigspy.
struct Forger {
    folder: TempDir,
    forgery: Forgery,
    running: Option<Running>,
}

impl Forger {
    fn start(forgery: Forgery) -> Self {
        let folder = TempDir::new();
        let running = (forgery != Forgery::None)
            .then(|| spawn(Command::new(torture_program("forge.c")).arg(folder.join("pid"))));
        Self { folder, forgery, running }
    }

    fn environment(&self) -> Vec<(&'static str, &str)> {
        let path = self.folder.path().to_str().expect("a plain path");
        match self.forgery {
            Forgery::None => Vec::new(),
            Forgery::Counted => vec![("TORTURE_READY", path), ("TORTURE_SIGPROF", "count")],
            Forgery::Ignored => vec![("TORTURE_READY", path), ("TORTURE_SIGPROF", "ignore")],
        }
    }

    /// After the end of the program, which is the end of the forger as well.
    fn end(self) {
        if let Some(running) = self.running {
            let outcome = running.wait().expect(0);
            assert!(outcome.number("sent") > 0, "nothing was forged:\n{outcome}");
        }
    }
}
