//! What a recording says, one event after another.
//!
//! Modules, locations, stacks, threads and processes get a number when they are first met and
//! are referred to by it. The numbers are written out, so that a hole in the file costs the
//! definitions that were in it and no others. A definition that comes again replaces the first.

use serde::{Deserialize, Serialize};
use sigspy_model::{Clock, Gap, Language, Limits, Meta, Shortfall, StackKind, Stop};

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Meta(MetaEvent),
    /// A process, or what it became by exec.
    Process {
        id: u32,
        pid: u32,
        /// 0: unknown.
        parent: u32,
        name: String,
        start_ns: u64,
    },
    ProcessEnd {
        process: u32,
        time_ns: u64,
    },
    /// The process is not sampled. `reason`: see [`gap_number`].
    Gap {
        process: u32,
        reason: u8,
    },
    /// CPU time charged to the process so far, ns.
    ProcessCpu {
        process: u32,
        cpu_ns: u64,
    },
    Thread {
        id: u32,
        process: u32,
        tid: u32,
        name: String,
        start_ns: u64,
    },
    ThreadEnd {
        thread: u32,
        time_ns: u64,
    },
    /// `image`: for modules that are no file, compressed with the rest of the chunk.
    Module {
        id: u32,
        path: String,
        build_id: Option<Vec<u8>>,
        image: Option<Vec<u8>>,
    },
    Location {
        id: u32,
        module: Option<u32>,
        address: u64,
    },
    /// `kind`: see [`kind_number`]. Leaf first.
    Stack {
        id: u32,
        kind: u8,
        locations: Vec<u32>,
    },
    /// `time_ns`: since [`MetaEvent::started_monotonic_ns`], as all times.
    Sample {
        time_ns: u64,
        thread: u32,
        stack: u32,
        weight_ns: u64,
        ticks: u32,
        is_waiting: bool,
    },
    Limits {
        timer_failures: u64,
        perf_failures: u64,
        without_kernel: u64,
        unentered_forks: u64,
    },
    Defects {
        unbalanced_ticks: u64,
        bad_records: u64,
    },
    /// The recording is complete.
    End,
    /// What the program calls the code at a location without a module.
    CodeName {
        location: u32,
        name: String,
    },
    /// A text that frames refer to.
    Text {
        id: u32,
        text: String,
    },
    /// Frames at a location, innermost first.
    Frames {
        location: u32,
        frames: Vec<FrameEvent>,
    },
    /// All locations have their frames.
    SymbolsEnd,
    /// The profile came from a recording of which so many bytes could not be read; `None`: which
    /// ended too early.
    Shortfall {
        damaged: Option<u64>,
    },
}

/// [`Frame`](sigspy_model::Frame), with its texts by number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameEvent {
    pub function: u32,
    pub file: Option<u32>,
    pub line: Option<u32>,
    /// See [`language_number`].
    pub language: u8,
    pub inlined: bool,
}

/// [`Meta`], as written: at the start, twice, and once more at the end, when all is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetaEvent {
    pub argv: Vec<String>,
    pub host: String,
    pub kernel: String,
    pub version: String,
    pub git_revision: Option<String>,
    pub started_unix_s: u64,
    pub started_monotonic_ns: u64,
    pub duration_ns: u64,
    /// See [`clock_number`].
    pub clock: u8,
    pub period_ns: u64,
    pub exit_code: Option<i32>,
}

/// That of the lowest rate, 1 Hz.
const LONGEST_PERIOD_NS: u64 = 1_000_000_000;

impl From<MetaEvent> for Meta {
    fn from(meta: MetaEvent) -> Self {
        Self {
            argv: meta.argv,
            host: meta.host,
            kernel: meta.kernel,
            version: meta.version,
            git_revision: meta.git_revision,
            started_unix_s: meta.started_unix_s,
            duration_ns: meta.duration_ns,
            clock: CLOCKS.get(meta.clock as usize).copied().unwrap_or(Clock::Thread),
            // A recorder writes no other; whoever calculates with a period shall not have to ask.
            period_ns: meta.period_ns.clamp(1, LONGEST_PERIOD_NS),
            exit_code: meta.exit_code,
        }
    }
}

impl From<Limits> for Event {
    fn from(limits: Limits) -> Self {
        let Limits { timer_failures, perf_failures, without_kernel, unentered_forks } = limits;
        Self::Limits { timer_failures, perf_failures, without_kernel, unentered_forks }
    }
}

impl From<&Shortfall> for Event {
    fn from(shortfall: &Shortfall) -> Self {
        match *shortfall {
            Shortfall::CutShort => Self::Shortfall { damaged: None },
            Shortfall::Damaged { bytes } => Self::Shortfall { damaged: Some(bytes) },
        }
    }
}

const CLOCKS: [Clock; 4] = [Clock::Thread, Clock::Process, Clock::Perf, Clock::Wall];

/// A clock as a number in a file.
pub fn clock_number(clock: Clock) -> u8 {
    CLOCKS.iter().position(|&one| one == clock).unwrap_or(0) as u8
}

const GAPS: [Gap; 7] = [
    Gap::StaticallyLinked,
    Gap::OtherArchitecture,
    Gap::SetUserId,
    Gap::Environment,
    Gap::BareFork,
    Gap::NotWanted,
    Gap::Unknown,
];

/// A reason as a number in a file.
pub fn gap_number(gap: Gap) -> u8 {
    GAPS.iter().position(|&one| one == gap).unwrap_or(GAPS.len() - 1) as u8
}

/// The inverse of [`gap_number`].
pub fn gap_of(number: u8) -> Gap {
    GAPS.get(number as usize).copied().unwrap_or(Gap::Unknown)
}

const LANGUAGES: [Language; 3] = [Language::Plain, Language::Rust, Language::Cpp];

/// A language as a number in a file.
pub fn language_number(language: Language) -> u8 {
    LANGUAGES.iter().position(|&one| one == language).unwrap_or(0) as u8
}

/// The inverse of [`language_number`].
pub fn language_of(number: u8) -> Language {
    LANGUAGES.get(number as usize).copied().unwrap_or_default()
}

const STOPS: [Stop; 6] =
    [Stop::End, Stop::NoTable, Stop::BadRule, Stop::OutOfStack, Stop::Truncated, Stop::Stale];
const WITHOUT_FRAMES: [StackKind; 3] = [StackKind::Lost, StackKind::Blocked, StackKind::Unsampled];
/// Numbers of kinds without frames begin here.
const FIRST_WITHOUT_FRAMES: u8 = 128;

/// A kind of stack as a number in a file.
pub fn kind_number(kind: StackKind) -> u8 {
    let place = |found: Option<usize>| found.unwrap_or(0) as u8;
    match kind {
        StackKind::Walked(stop) => place(STOPS.iter().position(|&one| one == stop)),
        _ => FIRST_WITHOUT_FRAMES + place(WITHOUT_FRAMES.iter().position(|&one| one == kind)),
    }
}

/// The inverse of [`kind_number`].
pub fn kind_of(number: u8) -> Option<StackKind> {
    match number.checked_sub(FIRST_WITHOUT_FRAMES) {
        None => STOPS.get(number as usize).map(|&stop| StackKind::Walked(stop)),
        Some(place) => WITHOUT_FRAMES.get(place as usize).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_one_that_can_be() {
        let period_ns =
            |period_ns| Meta::from(MetaEvent { period_ns, ..MetaEvent::default() }).period_ns;
        let periods = [0, 10_309_278, u64::MAX].map(period_ns);
        assert_eq!(periods, [1, 10_309_278, LONGEST_PERIOD_NS]);
    }

    #[test]
    fn kinds_survive_the_trip() {
        let kinds = STOPS.map(StackKind::Walked).into_iter().chain(WITHOUT_FRAMES);
        for kind in kinds {
            assert_eq!(kind_of(kind_number(kind)), Some(kind));
        }
        for gap in GAPS {
            assert_eq!(gap_of(gap_number(gap)), gap);
        }
        assert_eq!(kind_of(17), None);
        assert_eq!(kind_of(255), None);
    }
}
