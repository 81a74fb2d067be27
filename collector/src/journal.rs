//! What happened, on its way into the recording: events, with a number for each process,
//! thread, module, location and stack. Equal locations and stacks are written once.

use std::collections::HashMap;

use sigspy_model::StackKind;

use crate::recording::{Event, event};

/// Events that wait to be written, and what was numbered so far.
#[derive(Default)]
pub struct Journal {
    pub events: Vec<Event>,
    /// Names of all processes so far.
    processes: Vec<String>,
    threads: u32,
    /// How many there are, and those in modules.
    locations: u32,
    in_modules: HashMap<(u32, u64), u32>,
    stacks: HashMap<(u8, Vec<u32>), u32>,
    /// CLOCK_MONOTONIC at the start, ns.
    started_ns: u64,
    /// Frames of a record and how long its handler took, ns, where the agent was asked for that.
    pub handler_times: Vec<(usize, u64)>,
}

/// A part of the weight of a record, or of time without one.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// CLOCK_MONOTONIC, ns.
    pub time_ns: u64,
    pub ns: u64,
    pub ticks: u32,
    pub is_waiting: bool,
}

/// A process that has begun.
pub struct NewProcess {
    pub pid: u32,
    pub parent: Option<u32>,
    pub name: String,
    /// CLOCK_MONOTONIC, ns.
    pub time_ns: u64,
}

impl Journal {
    pub fn new(started_ns: u64) -> Self {
        Self { started_ns, ..Self::default() }
    }

    /// A new process, or what one became by exec.
    pub fn process(&mut self, process: NewProcess) -> u32 {
        let id = self.processes.len() as u32;
        let NewProcess { pid, parent, name, time_ns } = process;
        self.processes.push(name.clone());
        let (parent, start_ns) = (parent.unwrap_or(0), self.since_start(time_ns));
        self.events.push(Event::Process { id, pid, parent, name, start_ns });
        id
    }

    /// The name of a process, by its number.
    pub fn name_of(&self, process: u32) -> String {
        self.processes.get(process as usize).cloned().unwrap_or_default()
    }

    /// A new thread, with its start since that of the recording, ns.
    pub fn thread(&mut self, process: u32, tid: u32, name: String, start_ns: u64) -> u32 {
        let id = self.threads;
        self.threads += 1;
        self.events.push(Event::Thread { id, process, tid, name, start_ns });
        id
    }

    /// Whether a time of CLOCK_MONOTONIC, exact to 10 ms, lies before the recording, ns.
    pub fn is_before_start(&self, time_ns: u64) -> bool {
        time_ns + 10_000_000 < self.started_ns
    }

    /// A time of CLOCK_MONOTONIC as the recording counts it, ns.
    pub fn since_start(&self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(self.started_ns)
    }

    /// A location: a relative address in a module.
    pub fn location(&mut self, module: u32, address: u64) -> u32 {
        if let Some(&known) = self.in_modules.get(&(module, address)) {
            return known;
        }
        let id = self.new_location(Some(module), address);
        self.in_modules.insert((module, address), id);
        id
    }

    /// A new location: a runtime address. What is there differs between processes, and over time.
    pub fn location_without_module(&mut self, address: u64) -> u32 {
        self.new_location(None, address)
    }

    fn new_location(&mut self, module: Option<u32>, address: u64) -> u32 {
        let id = self.locations;
        self.locations += 1;
        self.events.push(Event::Location { id, module, address });
        id
    }

    /// What the program calls the code at a location without a module.
    pub fn name_location(&mut self, location: u32, name: &str) {
        self.events.push(Event::CodeName { location, name: name.to_owned() });
    }

    /// A stack, leaf first.
    pub fn stack(&mut self, kind: StackKind, locations: &[u32]) -> u32 {
        let id = self.stacks.len() as u32;
        let kind = event::kind_number(kind);
        *self.stacks.entry((kind, locations.to_vec())).or_insert_with(|| {
            self.events.push(Event::Stack { id, kind, locations: locations.to_vec() });
            id
        })
    }

    /// A sample, or time without one.
    pub fn sample(&mut self, thread: u32, stack: u32, weight: Weight) {
        let time_ns = self.since_start(weight.time_ns);
        let (weight_ns, ticks, is_waiting) = (weight.ns, weight.ticks, weight.is_waiting);
        self.events.push(Event::Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigspy_model::Stop;

    #[test]
    fn equal_things_are_written_once() {
        let mut journal = Journal::default();
        let first = journal.location(1, 16);
        assert_eq!(journal.location(1, 16), first);
        let other = journal.location_without_module(16);
        assert_ne!(first, other);
        let whole = StackKind::Walked(Stop::End);
        let stack = journal.stack(whole, &[first, other]);
        assert_eq!(journal.stack(whole, &[first, other]), stack);
        assert_ne!(journal.stack(StackKind::Lost, &[]), stack);
        assert_eq!(journal.events.len(), 4);
    }
}
