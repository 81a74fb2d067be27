//! Which code is where in a process: its maps, read again when they may have changed.

use std::time::{Duration, Instant};

use sigspy_wire::module_map::ModuleMap;
use sigspy_wire::process::Process;
use sigspy_wire::slot::{self, Slot, StackBounds};

use super::code_names::CodeNames;
use crate::address_space::{AddressSpace, Found, Moment, Region};
use crate::journal::Journal;
use crate::maps::{self, Mapping};
use crate::modules::Modules;
use crate::system;

/// The maps are read again after this many times the CPU time that it took last, which is then at most
/// 2 % of a processor's.
const PAUSE_FACTOR: u32 = 50;
/// And after this many times as long as it took: it may have waited for the program, which then waits
/// for us as well. Not more, as we may have been preempted.
const PAUSE_FACTOR_OF_WALL: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

pub struct Code {
    pid: u32,
    pub space: AddressSpace,
    read_at: Instant,
    /// Not to be read again before.
    pause: Duration,
    pages: Option<u64>,
    is_wanted: bool,
    /// Threads whose stacks have no known bounds, and their stack pointers.
    pub unbounded: Vec<(u32, u64)>,
    /// Of code that no module holds.
    pub names: CodeNames,
}

impl Code {
    /// `own_pid`: as the process knows itself.
    pub fn new(pid: u32, own_pid: u32) -> Self {
        Self::with_names(pid, CodeNames::new(pid, own_pid))
    }

    fn with_names(pid: u32, names: CodeNames) -> Self {
        Self {
            pid,
            space: AddressSpace::default(),
            read_at: Instant::now(),
            pause: Duration::ZERO,
            pages: None,
            is_wanted: true,
            unbounded: Vec::new(),
            names,
        }
    }

    /// For a child of fork: all is where it was then.
    pub fn of_child(&self, pid: u32, forked_ns: u64) -> Self {
        let (space, read_at) = (self.space.clone().until(forked_ns), Instant::now());
        let new = Self::with_names(pid, self.names.of_child(pid));
        Self { space, read_at, is_wanted: false, pages: self.pages, ..new }
    }

    /// Whether something is to be looked up.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Somebody has met an address that is in no known mapping.
    pub fn want(&mut self) {
        self.is_wanted = true;
    }

    /// The process is another program from now on, or none: what is known stays valid for what
    /// it did before.
    pub fn freeze(&mut self) {
        self.pause = Duration::MAX;
    }

    fn may_read(&self) -> bool {
        self.read_at.elapsed() >= self.pause
    }

    /// Reads the maps again if something may have changed, not too often.
    pub fn follow(
        &mut self,
        slots: &[Slot],
        entry: &Process,
        modules: &mut Modules,
        journal: &mut Journal,
    ) {
        if !self.may_read() {
            return;
        }
        let pages = system::address_space_pages(self.pid);
        if pages != self.pages || self.is_wanted || !self.unbounded.is_empty() {
            self.pages = pages;
            self.read(slots, entry, modules, journal);
        }
    }

    /// Reads the maps. While a library is being unloaded they say nothing.
    pub fn read(
        &mut self,
        slots: &[Slot],
        entry: &Process,
        modules: &mut Modules,
        journal: &mut Journal,
    ) {
        let (start, time_ns) = (Instant::now(), system::monotonic_ns());
        let used_before = system::own_cpu_time();
        self.is_wanted = true;
        let Some(unloads) = entry.unloads().settled() else { return };
        let Ok(mappings) = maps::read(self.pid) else { return };
        self.read_at = Instant::now();
        let used = system::own_cpu_time().saturating_sub(used_before);
        let pause = (used * PAUSE_FACTOR).max(start.elapsed() * PAUSE_FACTOR_OF_WALL);
        self.pause = pause.max(SHORTEST_PAUSE);
        if entry.unloads().settled() != Some(unloads) {
            return;
        }
        if mappings.is_empty() {
            return; // it has ended
        }
        let region = |mapping: &Mapping| {
            let module = modules.of(self.pid, &mappings, mapping, journal);
            let module = module.and_then(|id| Some((id, modules.bias(id, mapping)?)));
            Region { start: mapping.start, end: mapping.end, module }
        };
        let regions: Vec<Region> =
            mappings.iter().filter(|mapping| mapping.executable).map(region).collect();
        if self.space.update(time_ns, unloads, regions) {
            self.publish_modules(&entry.module_map, modules);
        }
        self.publish_bounds(slots, &mappings);
        self.is_wanted = false;
    }

    /// Whether it will be known what was where at a moment, once the maps are read again.
    pub fn may_be_certain_later(&self, moment: Moment) -> bool {
        let is_ahead = |unloads| unloads < moment.unloads.begun;
        self.pause != Duration::MAX && self.space.unloads().is_none_or(is_ahead)
    }

    /// How many of the frames of a stack, leaf first, are certain: all but those from the first on
    /// that lies where one library may have taken the place of another.
    pub fn certain_frames(&self, pcs: &[u64], moment: Moment) -> usize {
        if self.space.is_certain(moment) {
            return pcs.len();
        }
        let is_certain = |pc: &&u64| self.space.find(address_of(**pc), moment) != Found::Uncertain;
        pcs.iter().take_while(is_certain).count()
    }

    /// Tells the agent what is where.
    pub fn publish_modules(&self, module_map: &ModuleMap, modules: &Modules) {
        let unloads = self.space.unloads().unwrap_or(0);
        module_map.publish(unloads, &self.space.entries(modules));
    }

    /// Tells threads between which addresses their stacks are.
    fn publish_bounds(&mut self, slots: &[Slot], mappings: &[Mapping]) {
        for (tid, sp) in self.unbounded.drain(..) {
            let mapping = maps::find(mappings, sp).filter(|mapping| mapping.readable);
            let bounds = |mapping: &Mapping| StackBounds { low: mapping.start, high: mapping.end };
            let packed = mapping.map(bounds).and_then(StackBounds::pack);
            if let (Some(slot), Some(packed)) = (slot::find(slots, tid), packed) {
                slot.stack.store(packed, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    /// The number of the location of a program counter, as a walk gives it.
    pub fn location(
        &mut self,
        pc: u64,
        moment: Moment,
        slots: &[Slot],
        entry: Option<&Process>,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> u32 {
        let address = address_of(pc);
        let mut found = self.space.find(address, moment);
        if found == Found::Nowhere {
            self.is_wanted = true;
            if self.may_read()
                && let Some(entry) = entry
            {
                self.read(slots, entry, modules, journal);
                found = self.space.find(address, moment);
            }
        }
        match found {
            Found::At(Region { module: Some((module, bias)), .. }) => {
                journal.location(module, address.wrapping_sub(bias))
            }
            _ => self.names.location(address, moment.time_ns, journal),
        }
    }
}

/// Where the code of a frame is: a return address belongs to the call before it, also where that
/// ends a function.
fn address_of(pc: u64) -> u64 {
    let is_exact = pc & sigspy_unwind::EXACT != 0;
    (pc & !sigspy_unwind::EXACT).wrapping_sub(u64::from(!is_exact))
}
