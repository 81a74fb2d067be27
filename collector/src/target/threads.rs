//! The threads of a process, as the recording knows them.

use std::collections::HashMap;

use crate::journal::Journal;
use crate::recording::Event;
use crate::system;

struct Known {
    number: u32,
    name: String,
    /// When it had this name, as a sample says: it may have had an earlier one before it named itself,
    /// and samples come in any order. Nothing is later than [`ASKED`].
    named_ns: u64,
    start_ns: u64,
    /// It was found to have ended. What it has left behind may still come.
    has_ended: bool,
}

/// The kernel has said so.
const ASKED: u64 = u64::MAX;
/// It is the main thread's name.
const GUESSED: u64 = 0;

pub struct Threads {
    program: Program,
    /// The main thread's name when we first looked, for threads that can be asked no more.
    first_name: String,
    known: HashMap<u32, Known>,
}

impl Threads {
    /// Those of a program that has just begun.
    pub fn new(pid: u32) -> Self {
        let program = Program { pid, stack_start: system::stack_start(pid, pid) };
        Self::of(program, program.thread_name(pid).unwrap_or_else(|| pid.to_string()))
    }

    /// Those of a child of fork, which may be another program by now.
    pub fn of_child(&self, pid: u32) -> Self {
        let program = Program { pid, ..self.program };
        Self::of(program, program.thread_name(pid).unwrap_or_else(|| self.first_name.clone()))
    }

    fn of(program: Program, first_name: String) -> Self {
        Self { program, first_name, known: HashMap::new() }
    }

    /// The number of a thread in the recording. `name`: when it was called what, as a sample says.
    pub fn number(
        &mut self,
        tid: u32,
        name: Option<(u64, String)>,
        process: u32,
        journal: &mut Journal,
    ) -> u32 {
        let (program, first_name) = (self.program, &self.first_name);
        let known = self.known.entry(tid).or_insert_with(|| {
            let asked = program.thread_name(tid).map(|name| (ASKED, name));
            let (named_ns, name) = asked.or_else(|| name.clone()).unwrap_or_else(|| {
                let of_main = program.thread_name(program.pid);
                (GUESSED, of_main.unwrap_or_else(|| first_name.clone()))
            });
            let now_ns = system::monotonic_ns();
            let start_ns = system::thread_start_ns(program.pid, tid).unwrap_or(now_ns).min(now_ns);
            let start_ns = journal.since_start(start_ns);
            let number = journal.thread(process, tid, name.clone(), start_ns);
            Known { number, name, named_ns, start_ns, has_ended: false }
        });
        if let Some((time_ns, name)) = name.filter(|(time_ns, _)| *time_ns > known.named_ns) {
            known.named_ns = time_ns;
            known.rename(name, process, tid, journal);
        }
        known.number
    }

    /// Threads get their names after they have begun to run, and some have ended.
    pub fn look(&mut self, process: u32, journal: &mut Journal) {
        let (program, time_ns) = (self.program, journal.since_start(system::monotonic_ns()));
        self.known.retain(|&tid, known| {
            match system::thread_name(program.pid, tid) {
                // Another one has its id by now, or has had enough time to tell all.
                _ if known.has_ended => return false,
                Some(name) if program.still_runs(tid) => {
                    known.named_ns = ASKED;
                    known.rename(name, process, tid, journal);
                }
                Some(_) => {}
                None => {
                    known.has_ended = true;
                    journal.events.push(Event::ThreadEnd { thread: known.number, time_ns });
                }
            }
            true
        });
    }

    /// All of them end with their process.
    pub fn end(&self, time_ns: u64, journal: &mut Journal) {
        for known in self.known.values().filter(|known| !known.has_ended) {
            journal.events.push(Event::ThreadEnd { thread: known.number, time_ns });
        }
    }
}

impl Known {
    fn rename(&mut self, name: String, process: u32, tid: u32, journal: &mut Journal) {
        if name != self.name {
            self.name.clone_from(&name);
            let (id, start_ns) = (self.number, self.start_ns);
            journal.events.push(Event::Thread { id, process, tid, name, start_ns });
        }
    }
}

/// A process as long as it is the same program. Its children of fork have its stack where it is; an
/// exec puts it at another random place.
#[derive(Clone, Copy)]
struct Program {
    pid: u32,
    stack_start: Option<u64>,
}

impl Program {
    /// The name of a thread. `None`: it has ended, with its program or before.
    fn thread_name(self, tid: u32) -> Option<String> {
        system::thread_name(self.pid, tid).filter(|_| self.still_runs(tid))
    }

    /// Whether the thread runs it now, and so has run it whenever it was asked for something before.
    fn still_runs(self, tid: u32) -> bool {
        system::stack_start(self.pid, tid) == self.stack_start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_be_asked_has_the_name_of_its_last_sample() {
        const NOBODY: u32 = u32::MAX; // larger than all ids
        let (mut threads, mut journal) = (Threads::new(NOBODY), Journal::new(0));
        for name in [None, Some((5, "app")), Some((7, "worker")), None, Some((6, "other"))] {
            let name = name.map(|(time_ns, name): (u64, &str)| (time_ns, name.to_owned()));
            threads.number(NOBODY, name, 0, &mut journal);
        }
        let name_of = |event: &Event| match event {
            Event::Thread { name, .. } => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = journal.events.iter().filter_map(name_of).collect();
        assert_eq!(names, [&NOBODY.to_string(), "app", "worker"]);
    }
}
