//! One entry for each process that shares this memory: the one that came to the collector, and
//! those that it and they have forked. All of them use the same slots and lanes.
//!
//! A child of fork claims an entry for itself (`pid`: 0 -> [`CLAIMED`], compare-exchange with
//! Acquire), fills it in, and stores its pid (Release); the collector, who loads that (Acquire),
//! then sees the rest. The collector frees the entry (stores 0, Release) when the process has
//! ended and its records are read, so an index in a record means one process only. The first entry
//! is that of the process that came to the collector, and nobody's after that. What else is
//! in an entry is a value of its own that orders nothing: `Relaxed`, but for [`Unloads`].

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::module_map::ModuleMap;

/// Processes that can share one memory; children of fork beyond that are not profiled.
pub const PROCESSES: usize = 256;
/// In `pid` while a new process fills in its entry.
const CLAIMED: u32 = u32::MAX;

/// What is known about one process.
#[repr(C, align(4096))]
pub struct Process {
    pid: AtomicU32,
    /// Pid of the process that has forked it; 0 for the first.
    pub parent: AtomicU32,
    unloads: AtomicU64,
    /// CLOCK_MONOTONIC when it began, ns.
    pub started_ns: AtomicU64,
    /// CPU time that it had used when it last said so, as it does at its end, ns.
    pub cpu_ns: AtomicU64,
    pub module_map: ModuleMap,
}

const _: () = assert!(size_of::<Process>().is_multiple_of(4096));

/// How often libraries were unloaded so far.
///
/// While the two numbers are the same and do not change, nothing goes, and each address has
/// belonged to one module at most. So a list of modules that was read meanwhile, and a sample that
/// was taken meanwhile, are about the same code, whichever came first. Threads that run code of a
/// new library in the place of an old one see what was counted before: the loader and the program
/// have seen to that. The collector has the maps between two
/// loads (Acquire), and the agent counts before and behind the unloading (AcqRel): the kernel's
/// lock of the maps does the rest. (What the C library unloads for itself is seen at the next
/// `dlopen`, before something else can come to its place that way.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unloads {
    pub begun: u32,
    pub ended: u32,
}

const ONE_BEGUN: u64 = 1 << 32;
const ONE_ENDED: u64 = 1;

impl Unloads {
    /// Async-signal-safe.
    pub fn to_word(self) -> u64 {
        u64::from(self.begun) << 32 | u64::from(self.ended)
    }

    /// Async-signal-safe.
    pub fn from_word(word: u64) -> Self {
        Self { begun: (word >> 32) as u32, ended: word as u32 }
    }

    /// How many they were, if none is under way. Async-signal-safe.
    pub fn settled(self) -> Option<u32> {
        Some(self.begun).filter(|&begun| begun == self.ended)
    }
}

impl Process {
    /// The process that has this entry.
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Acquire)).filter(|&pid| pid != 0 && pid != CLAIMED)
    }

    /// Gives the entry, which nobody uses, to a process that the collector welcomes.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Release);
    }

    /// What has been unloaded so far. Async-signal-safe.
    pub fn unloads(&self) -> Unloads {
        Unloads::from_word(self.unloads.load(Acquire))
    }

    /// A library is about to be unloaded.
    pub fn begin_unload(&self) {
        self.unloads.fetch_add(ONE_BEGUN, AcqRel);
    }

    /// What was begun has ended: a library is gone, or was kept, as somebody else needs it.
    pub fn end_unload(&self, is_gone: bool) {
        if is_gone {
            self.unloads.fetch_add(ONE_ENDED, AcqRel);
        } else {
            self.unloads.fetch_sub(ONE_BEGUN, AcqRel);
        }
    }

    /// Frees the entry of a process that has ended.
    pub fn free(&self) {
        self.unloads.store(0, Relaxed);
        self.cpu_ns.store(0, Relaxed);
        self.module_map.publish(0, &[]);
        self.pid.store(0, Release);
    }
}

/// Enters the calling process, a child of `parent`, which has the entry `of_parent`: its code is
/// where that of its parent was, after so many `unloads`. `None`: there is no room.
/// Async-signal-safe.
pub fn enter_child(
    processes: &[Process],
    pid: u32,
    parent: u32,
    of_parent: &Process,
    unloads: Unloads,
    now_ns: u64,
) -> Option<usize> {
    let claim = |entry: &Process| entry.pid.compare_exchange(0, CLAIMED, Acquire, Relaxed).is_ok();
    let (index, entry) = processes.iter().enumerate().skip(1).find(|(_, entry)| claim(entry))?;
    entry.parent.store(parent, Relaxed);
    entry.started_ns.store(now_ns, Relaxed);
    entry.unloads.store(unloads.to_word(), Relaxed);
    entry.module_map.copy_from(&of_parent.module_map);
    entry.pid.store(pid, Release);
    Some(index)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::module_map::Entry;
    use std::vec::Vec;

    fn processes() -> Vec<Process> {
        let empty = || Process {
            pid: 0.into(),
            parent: 0.into(),
            unloads: 0.into(),
            started_ns: 0.into(),
            cpu_ns: 0.into(),
            module_map: ModuleMap::default(),
        };
        (0..3).map(|_| empty()).collect()
    }

    #[test]
    fn a_child_has_the_modules_of_its_parent() {
        let processes = processes();
        let [first, ..] = &processes[..] else { unreachable!() };
        first.set_pid(10);
        let module = Entry { start: 4096, end: 8192, table_length: 32, ..Entry::default() };
        first.module_map.publish(0, &[module]);
        first.begin_unload();
        first.begin_unload();
        first.end_unload(false);
        first.end_unload(true);
        let index = enter_child(&processes, 11, 10, first, first.unloads(), 5).unwrap();
        assert_eq!(processes[index].pid(), Some(11));
        assert_eq!(processes[index].unloads().settled(), Some(1));
        let entries = processes[index].module_map.current().1.entries();
        assert_eq!(entries.iter().map(|entry| entry.load()).collect::<Vec<_>>(), [module]);
    }

    #[test]
    fn a_full_table_takes_nobody_until_one_is_freed() {
        let processes = processes();
        let [first, ..] = &processes[..] else { unreachable!() };
        first.set_pid(10);
        let none = Unloads::default();
        assert_eq!(enter_child(&processes, 11, 10, first, none, 5), Some(1));
        assert_eq!(enter_child(&processes, 12, 10, first, none, 5), Some(2));
        assert_eq!(enter_child(&processes, 13, 10, first, none, 5), None);
        processes[1].free();
        assert_eq!(enter_child(&processes, 13, 10, first, none, 5), Some(1));
    }

    #[test]
    fn the_entry_of_the_first_process_is_taken_by_nobody_else() {
        let processes = processes();
        let [first, ..] = &processes[..] else { unreachable!() };
        first.set_pid(10);
        first.free();
        assert_eq!(enter_child(&processes, 11, 10, first, Unloads::default(), 5), Some(1));
    }
}
