//! Which code is where in a process: its maps, read again when they may have changed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sigspy_wire::module_map::ModuleMap;
use sigspy_wire::slot::{self, Slot, StackBounds};

use crate::address_space::{AddressSpace, Region};
use crate::journal::Journal;
use crate::maps::{self, Mapping};
use crate::modules::Modules;
use crate::system;

/// The maps are read again after this many times the time that it took last: at most 2 % of it.
const PAUSE_FACTOR: u32 = 50;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// A time in which the agent may have walked stacks by the tables of libraries that were gone.
#[derive(Clone, Copy)]
struct Uncertain {
    from_ns: u64,
    to_ns: u64,
    /// Only one library went, and it is known when: what a program counter belongs to is certain.
    knows_leaf: bool,
}

/// Uncertain times that are remembered: records come within a moment.
const MOST_UNCERTAIN: usize = 64;

pub struct Code {
    pid: u32,
    pub space: AddressSpace,
    read_at: Instant,
    /// Not to be read again before.
    pause: Duration,
    pages: Option<u64>,
    is_wanted: bool,
    /// What was there from the start, and so is not taken for something else.
    first: Vec<Region>,
    /// CLOCK_MONOTONIC at the last reading, ns.
    read_ns: u64,
    uncertain: VecDeque<Uncertain>,
    /// Threads whose stacks have no known bounds, and their stack pointers.
    pub unbounded: Vec<(u32, u64)>,
}

impl Code {
    pub fn new(pid: u32) -> Self {
        Self {
            pid,
            space: AddressSpace::default(),
            read_at: Instant::now(),
            pause: Duration::ZERO,
            pages: None,
            is_wanted: true,
            first: Vec::new(),
            read_ns: 0,
            uncertain: VecDeque::new(),
            unbounded: Vec::new(),
        }
    }

    /// For a child of fork: all is where it was.
    pub fn of_child(&self, pid: u32) -> Self {
        let (space, read_at) = (self.space.clone(), Instant::now());
        let first = self.first.clone();
        Self { space, read_at, is_wanted: false, pages: self.pages, first, ..Self::new(pid) }
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
        module_map: &ModuleMap,
        modules: &mut Modules,
        journal: &mut Journal,
    ) {
        if !self.may_read() {
            return;
        }
        let pages = system::address_space_pages(self.pid);
        if pages != self.pages || self.is_wanted || !self.unbounded.is_empty() {
            self.pages = pages;
            self.read(slots, module_map, None, modules, journal);
        }
    }

    /// Reads the maps. `since_ns`: when they have become what they are, where that is known.
    pub fn read(
        &mut self,
        slots: &[Slot],
        module_map: &ModuleMap,
        since_ns: Option<u64>,
        modules: &mut Modules,
        journal: &mut Journal,
    ) {
        let start = Instant::now();
        let time_ns = since_ns.unwrap_or_else(system::monotonic_ns);
        let Ok(mappings) = maps::read(self.pid) else { return };
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
        if self.first.is_empty() {
            self.first.clone_from(&regions);
        }
        self.read_ns = system::monotonic_ns();
        if self.space.update(time_ns, regions) {
            self.publish_modules(module_map, modules);
        }
        self.publish_bounds(slots, &mappings);
        self.is_wanted = false;
        self.read_at = Instant::now();
        self.pause = (start.elapsed() * PAUSE_FACTOR).max(SHORTEST_PAUSE);
    }

    /// Libraries were unloaded since the last reading, one of them at `unloaded_ns`, the only one if
    /// `is_one`. Call this before the maps are read again.
    pub fn unloaded(&mut self, unloaded_ns: u64, is_one: bool) {
        let from_ns = if is_one { unloaded_ns.max(self.read_ns) } else { self.read_ns };
        if self.uncertain.len() == MOST_UNCERTAIN {
            self.uncertain.pop_front();
        }
        let to_ns = system::monotonic_ns();
        self.uncertain.push_back(Uncertain { from_ns, to_ns, knows_leaf: is_one });
    }

    /// How many of the frames of a stack, leaf first, are certain: all but those from the first on
    /// that lies where a library may have taken the place of another.
    pub fn certain_frames(&self, pcs: &[u64], time_ns: u64) -> usize {
        let is_in = |time: &&Uncertain| (time.from_ns..=time.to_ns).contains(&time_ns);
        let Some(uncertain) = self.uncertain.iter().find(is_in) else { return pcs.len() };
        let stays = |pc: &u64| {
            let address = pc & !sigspy_unwind::EXACT;
            let behind = self.first.partition_point(|region| region.start <= address);
            let region = behind.checked_sub(1).and_then(|place| self.first.get(place));
            region.is_some_and(|region| address < region.end)
        };
        let certain = pcs.iter().take_while(|pc| stays(pc)).count();
        certain.max(usize::from(uncertain.knows_leaf)).min(pcs.len())
    }

    /// Tells the agent what is where.
    pub fn publish_modules(&self, module_map: &ModuleMap, modules: &Modules) {
        module_map.publish(&self.space.entries(modules));
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
        time_ns: u64,
        slots: &[Slot],
        module_map: Option<&ModuleMap>,
        modules: &mut Modules,
        journal: &mut Journal,
    ) -> u32 {
        let exact = pc & sigspy_unwind::EXACT != 0;
        // A return address belongs to the call before it, also where that ends a function.
        let address = (pc & !sigspy_unwind::EXACT).wrapping_sub(u64::from(!exact));
        let mut found = self.space.find(address, time_ns);
        if found.is_none() {
            self.is_wanted = true;
            if self.may_read()
                && let Some(module_map) = module_map
            {
                self.read(slots, module_map, None, modules, journal);
                found = self.space.find(address, time_ns);
            }
        }
        match found.and_then(|region| region.module) {
            Some((module, bias)) => journal.location(Some(module), address.wrapping_sub(bias)),
            None => journal.location(None, address),
        }
    }
}
