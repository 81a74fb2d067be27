//! The profile itself: who ran, for how long, and what it was doing.

use std::collections::BTreeMap;

use crate::{Accounting, Location, LocationId, Module, Shortfall};

/// Index into [`Profile::processes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// Index into [`Profile::threads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

/// Index into [`Profile::stacks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u32);

/// What decided when a tick came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// CPU time of each thread (`timer_create`).
    Thread,
    /// CPU time of the whole process (`setitimer(ITIMER_PROF)`).
    Process,
    /// CPU time of each thread, by a perf event.
    Perf,
    /// Wall time of each thread, whether it runs or waits.
    Wall,
}

/// What was recorded, where and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The command line as given, program first.
    pub argv: Vec<String>,
    /// Host name.
    pub host: String,
    /// Kernel release, as `uname -r`.
    pub kernel: String,
    /// Version of sigspy that recorded.
    pub version: String,
    /// Commit of the repository in which the command ran, if it was one.
    pub git_revision: Option<String>,
    /// Start of the recording, seconds since 1970 (UTC).
    pub started_unix_s: u64,
    /// Wall time from first to last event, nanoseconds.
    pub duration_ns: u64,
    /// What ticked.
    pub clock: Clock,
    /// CPU time between two ticks, nanoseconds.
    pub period_ns: u64,
    /// Exit status of the command (128 + signal when it was killed); `None` while unknown.
    pub exit_code: Option<i32>,
}

/// One process, from its start or exec to its end or next exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// Pid of the process that has made it, where known.
    pub parent: Option<u32>,
    /// File name of the executable.
    pub name: String,
    /// CPU time that the kernel charged to it, nanoseconds, where known.
    pub cpu_ns: Option<u64>,
    /// When it was there.
    pub life: Life,
    /// Why it was not sampled, if it was not.
    pub gap: Option<Gap>,
}

/// From when to when a process or a thread was there, nanoseconds since the start of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub start_ns: u64,
    /// `None`: it was there at the end of the recording, or nobody saw it go.
    pub end_ns: Option<u64>,
}

/// Why the agent was not in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// It has no dynamic loader.
    StaticallyLinked,
    /// It is for another processor or word size.
    OtherArchitecture,
    /// It gains privileges (set-user-ID, file capabilities), and the loader ignores LD_PRELOAD.
    SetUserId,
    /// It was started with an environment of its own.
    Environment,
    /// It was made by a bare system call and has not executed a program since.
    BareFork,
    /// It was not asked for.
    NotWanted,
    /// It ended before the agent was ready, or nobody knows why.
    Unknown,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    pub process: ProcessId,
    pub tid: u32,
    /// As in `/proc/PID/task/TID/comm`.
    pub name: String,
    /// When it was there.
    pub life: Life,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// At the end of the stack: `main`'s caller or the thread's entry. The stack is whole.
    End,
    /// The code has no unwind table and no frame pointer that could be trusted.
    NoTable,
    /// The table's rule for this place cannot be followed.
    BadRule,
    /// A frame lies outside of the thread's stack.
    OutOfStack,
    /// The depth limit was reached.
    Truncated,
    /// Modules changed while the walk was under way.
    Stale,
}

/// What a stack stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StackKind {
    /// A walk, and why it ended.
    Walked(Stop),
    /// Samples dropped because every lane was full or busy: no frames.
    Lost,
    /// SIGPROF was blocked by the program: no frames.
    Blocked,
    /// CPU time that no tick stands for: no frames.
    Unsampled,
}

impl StackKind {
    /// True for a stack that reaches from the interrupted instruction to the thread's entry.
    pub fn is_whole(self) -> bool {
        self == Self::Walked(Stop::End)
    }
}

/// Where a thread was: leaf first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    pub kind: StackKind,
    /// Leaf first; empty unless walked.
    pub locations: Vec<LocationId>,
}

/// One stack, its thread, its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub time_ns: u64,
    pub thread: ThreadId,
    pub stack: StackId,
    /// CPU time that this sample stands for, nanoseconds.
    pub weight_ns: u64,
    /// Signals delivered for it: 1 for a walked stack, 0 for time without a stack of its own.
    pub ticks: u32,
    /// The thread did not run, it waited in a system call. Only with [`Clock::Wall`].
    pub is_waiting: bool,
}

/// A recording, resolved to modules and relative addresses.
#[derive(Clone, Debug)]
pub struct Profile {
    pub meta: Meta,
    pub processes: Vec<Process>,
    pub threads: Vec<Thread>,
    pub modules: Vec<Module>,
    pub locations: Vec<Location>,
    /// What programs call their code at locations without a module, as far as they have told.
    pub code_names: BTreeMap<LocationId, String>,
    pub stacks: Vec<Stack>,
    /// In the order they were drained. Lost, blocked and unsampled time are samples here too, so
    /// the weights add up to [`Accounting::total_ns`].
    pub samples: Vec<Sample>,
    pub accounting: Accounting,
    pub shortfalls: Vec<Shortfall>,
}

impl Profile {
    /// Panics on an id from another profile.
    pub fn stack(&self, id: StackId) -> &Stack {
        &self.stacks[id.0 as usize]
    }

    /// Panics on an id from another profile.
    pub fn thread(&self, id: ThreadId) -> &Thread {
        &self.threads[id.0 as usize]
    }

    /// Panics on an id from another profile.
    pub fn process(&self, id: ProcessId) -> &Process {
        &self.processes[id.0 as usize]
    }
}
