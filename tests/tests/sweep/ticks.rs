//! Which tick a thread would get from the kernel, and what has become of those that it got.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use sigspy_tests::ptrace::{self, SigInfo, Tid};

/// Sent by a POSIX timer, by `setitimer`, and by another process with a value.
const SI_TIMER: i32 = -2;
const SI_KERNEL: i32 = 0x80;
const SI_QUEUE: i32 = -1;

/// Ticks that were delivered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Ours, and those of the kernel, which a sample has to show for.
    pub injected: u64,
    pub genuine: u64,
    /// Expiries that genuine ones stood for, beyond one each.
    pub overruns: u64,
    /// Of the process-wide timer, for threads with their own: no sample.
    pub duplicates: u64,
    /// Ours, for a thread that was just about to get a timer of its own, or another: a sample or a
    /// duplicate.
    pub either: u64,
}

/// Knows the timers of a process.
pub struct Ticks {
    pid: Tid,
    /// The first tick that the kernel sent to the main thread.
    genuine: Option<SigInfo>,
    /// Timers of threads that are known to have one.
    own: BTreeMap<Tid, Timer>,
    /// Threads that the collector has told to get a timer: they may have been about to, and have two
    /// for a moment.
    knocked: BTreeSet<Tid>,
    pub counts: Counts,
}

impl Ticks {
    pub fn of(pid: Tid) -> Self {
        Self {
            pid,
            genuine: None,
            own: BTreeMap::new(),
            knocked: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// The process has become another program: its timers are gone.
    pub fn executed(&mut self) {
        self.own.clear();
        self.knocked.clear();
    }

    /// Whether a timer of the thread can be seen. `/proc` does not show that of `setitimer`.
    pub fn has_own_timer(&self, tid: Tid) -> bool {
        timer_for(self.pid, tid).is_some_and(|timer| timer.thread.is_some())
    }

    /// The tick that a thread would get now.
    pub fn for_thread(&mut self, tid: Tid) -> SigInfo {
        let genuine = self.genuine.expect("the main thread has burned time for a tick");
        if genuine.code == SI_KERNEL {
            return genuine;
        }
        let own = self.own.get(&tid).copied();
        let timer = own.or_else(|| timer_for(self.pid, tid)).expect("the process has a timer");
        if timer.thread.is_some() && self.is_certain(tid) {
            self.own.insert(tid, timer);
        }
        genuine.of_timer(timer.id, timer.cookie)
    }

    /// Whether a thread is known to have one timer and no more.
    pub fn is_certain(&self, tid: Tid) -> bool {
        !self.knocked.contains(&tid)
    }

    /// The thread has left the region in which the collector may have knocked.
    pub fn settle(&mut self, tid: Tid) {
        self.knocked.remove(&tid);
    }

    /// Counts a tick that the kernel has sent to a thread. The collector may knock at a thread that
    /// takes its time to get a timer, as one does that is swept: that is no tick.
    pub fn notice(&mut self, tid: Tid) {
        let info = ptrace::signal_info(tid);
        if info.code == SI_QUEUE && info.sender() == parent_of(self.pid) {
            self.own.remove(&tid);
            self.knocked.insert(tid);
            return;
        }
        let mut is_for_main = tid == self.pid;
        if info.code == SI_TIMER {
            let timers = timers(self.pid);
            let sender = timers.iter().find(|timer| timer.id == info.timer);
            let sender = sender.unwrap_or_else(|| panic!("{info:?} is of none of {timers:?}"));
            assert_eq!(sender.cookie, info.value, "a timer and its tick");
            let has_own = timers.iter().any(|timer| timer.thread == Some(tid));
            if sender.thread.is_none() && has_own {
                self.counts.duplicates += 1;
                return;
            }
            is_for_main &= sender.thread.is_some();
            self.counts.overruns += u64::from(info.overruns.unsigned_abs());
        } else {
            assert_eq!(info.code, SI_KERNEL, "a SIGPROF that is no tick: {info:?}");
        }
        self.counts.genuine += 1;
        if is_for_main {
            self.genuine.get_or_insert(info);
        }
    }
}

/// A timer that sends SIGPROF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timer {
    id: u32,
    /// `sigev_value`.
    cookie: u64,
    /// The thread that gets the signal; `None`: any of the process.
    thread: Option<Tid>,
}

/// The thread's own timer, or else the one that stands for all threads without.
fn timer_for(pid: Tid, tid: Tid) -> Option<Timer> {
    let timers = timers(pid);
    let own = timers.iter().find(|timer| timer.thread == Some(tid));
    own.or_else(|| timers.iter().find(|timer| timer.thread.is_none())).copied()
}

/// The collector, for the program that it has started.
fn parent_of(pid: Tid) -> Option<Tid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn timers(pid: Tid) -> Vec<Timer> {
    let path = format!("/proc/{pid}/timers");
    let text = fs::read_to_string(&path);
    parse(&text.unwrap_or_else(|error| {
        panic!("{path}: {error}; a kernel with CONFIG_CHECKPOINT_RESTORE has it")
    }))
}

fn parse(text: &str) -> Vec<Timer> {
    let mut timers = Vec::new();
    for entry in text.split("ID: ").skip(1) {
        let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name));
        let id = entry.lines().next().and_then(|line| line.parse().ok());
        let cookie = field("signal: 27/").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let thread = field("notify: signal/tid.").and_then(|tid| tid.parse().ok());
        if let (Some(id), Some(cookie)) = (id, cookie) {
            timers.push(Timer { id, cookie, thread });
        }
    }
    timers
}

#[test]
fn timers_are_told_apart() {
    let text = "ID: 1\nsignal: 27/00001234abcdffff\nnotify: signal/pid.40\nClockID: -318\n\
                ID: 2\nsignal: 14/0000000000000000\nnotify: signal/pid.40\nClockID: 1\n\
                ID: 0\nsignal: 27/00001234abcd0000\nnotify: signal/tid.41\nClockID: -322\n";
    let process = Timer { id: 1, cookie: 0x1234_abcd_ffff, thread: None };
    let own = Timer { id: 0, cookie: 0x1234_abcd_0000, thread: Some(41) };
    assert_eq!(parse(text), [process, own]);
}
