//! One entry for each process that shares this memory: the one that came to the collector, and
//! those that it and they have forked. All of them use the same slots and lanes.
//!
//! A child of fork claims an entry for itself (`pid`: 0 -> [`CLAIMED`], compare-exchange with
//! Acquire), fills it in, and stores its pid (Release); the collector, who loads that (Acquire),
//! then sees the rest. The collector frees the entry (stores 0, Release) when the process has
//! ended and its records are read, so an index in a record means one process only. What else is
//! in an entry is a value of its own that orders nothing: `Relaxed`.

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
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
    /// Grows when libraries were unloaded: the maps are to be read again.
    pub unloads: AtomicU32,
    reserved: AtomicU32,
    /// CLOCK_MONOTONIC when it began, ns.
    pub started_ns: AtomicU64,
    /// CLOCK_MONOTONIC when a library was last unloaded, ns.
    pub unloaded_ns: AtomicU64,
    /// CPU time that it had used when it last said so, as it does at its end, ns.
    pub cpu_ns: AtomicU64,
    pub module_map: ModuleMap,
}

const _: () = assert!(size_of::<Process>().is_multiple_of(4096));

impl Process {
    /// The process that has this entry.
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Acquire)).filter(|&pid| pid != 0 && pid != CLAIMED)
    }

    /// Gives the entry, which nobody uses, to a process that the collector welcomes.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Release);
    }

    /// Frees the entry of a process that has ended.
    pub fn free(&self) {
        self.unloads.store(0, Relaxed);
        self.cpu_ns.store(0, Relaxed);
        self.module_map.publish(&[]);
        self.pid.store(0, Release);
    }
}

/// Enters the calling process, a child of `parent`, which has the entry `of_parent`: its code is
/// where that of its parent was. `None`: there is no room. Async-signal-safe.
pub fn enter_child(
    processes: &[Process],
    pid: u32,
    parent: u32,
    of_parent: &Process,
    now_ns: u64,
) -> Option<usize> {
    let is_free =
        |entry: &Process| entry.pid.compare_exchange(0, CLAIMED, Acquire, Relaxed).is_ok();
    let index = processes.iter().position(is_free)?;
    let entry = processes.get(index)?;
    entry.parent.store(parent, Relaxed);
    entry.started_ns.store(now_ns, Relaxed);
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
            reserved: 0.into(),
            started_ns: 0.into(),
            unloaded_ns: 0.into(),
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
        let module = Entry { start: 4096, end: 8192, bias: 0, table_offset: 64, table_length: 32 };
        first.module_map.publish(&[module]);
        let index = enter_child(&processes, 11, 10, first, 5).unwrap();
        assert_eq!(processes[index].pid(), Some(11));
        let entries = processes[index].module_map.current().1.entries();
        assert_eq!(entries.iter().map(|entry| entry.load()).collect::<Vec<_>>(), [module]);
    }

    #[test]
    fn a_full_table_takes_nobody_until_one_is_freed() {
        let processes = processes();
        let [first, ..] = &processes[..] else { unreachable!() };
        first.set_pid(10);
        assert_eq!(enter_child(&processes, 11, 10, first, 5), Some(1));
        assert_eq!(enter_child(&processes, 12, 10, first, 5), Some(2));
        assert_eq!(enter_child(&processes, 13, 10, first, 5), None);
        processes[1].free();
        assert_eq!(enter_child(&processes, 13, 10, first, 5), Some(1));
    }
}
