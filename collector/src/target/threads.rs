//! The threads of a process, as the recording knows them.

use std::collections::HashMap;

use crate::journal::Journal;
use crate::recording::Event;
use crate::system;

struct Known {
    number: u32,
    name: String,
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
            Known { number: journal.thread(process, tid, name.clone()), name }
        });
        known.number
    }

    /// Threads get their names after they have begun to run.
    pub fn rename(&mut self, process: u32, journal: &mut Journal) {
        for (&tid, known) in &mut self.known {
            if let Some(name) = system::thread_name(self.pid, tid)
                && name != known.name
            {
                known.name.clone_from(&name);
                journal.events.push(Event::Thread { id: known.number, process, tid, name });
            }
        }
    }
}
