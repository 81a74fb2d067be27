//! The threads of a process, as the recording knows them.

use std::collections::HashMap;

use crate::journal::Journal;
use crate::recording::Event;
use crate::system;

struct Known {
    number: u32,
    name: String,
    start_ns: u64,
}

pub struct Threads {
    pid: u32,
    known: HashMap<u32, Known>,
}

impl Threads {
    pub fn new(pid: u32) -> Self {
        Self { pid, known: HashMap::new() }
    }

    /// The number of a thread in the recording.
    pub fn number(&mut self, tid: u32, process: u32, journal: &mut Journal) -> u32 {
        let pid = self.pid;
        let known = self.known.entry(tid).or_insert_with(|| {
            let name = system::thread_name(pid, tid)
                .or_else(|| system::thread_name(pid, pid))
                .unwrap_or_else(|| tid.to_string());
            let now_ns = system::monotonic_ns();
            let start_ns = system::thread_start_ns(pid, tid).unwrap_or(now_ns).min(now_ns);
            let start_ns = journal.since_start(start_ns);
            let number = journal.thread(process, tid, name.clone(), start_ns);
            Known { number, name, start_ns }
        });
        known.number
    }

    /// Threads get their names after they have begun to run, and some have ended.
    pub fn look(&mut self, process: u32, journal: &mut Journal) {
        let (pid, time_ns) = (self.pid, journal.since_start(system::monotonic_ns()));
        self.known.retain(|&tid, known| {
            let Some(name) = system::thread_name(pid, tid) else {
                journal.events.push(Event::ThreadEnd { thread: known.number, time_ns });
                return false;
            };
            if name != known.name {
                known.name.clone_from(&name);
                let (id, start_ns) = (known.number, known.start_ns);
                journal.events.push(Event::Thread { id, process, tid, name, start_ns });
            }
            true
        });
    }

    /// All of them end with their process.
    pub fn end(&self, time_ns: u64, journal: &mut Journal) {
        for known in self.known.values() {
            journal.events.push(Event::ThreadEnd { thread: known.number, time_ns });
        }
    }
}
