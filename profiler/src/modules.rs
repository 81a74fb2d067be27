//! The target's modules and their unwind tables, as the collector has published them.

use sigspy_unwind::{Cache, Cached, Modules, Table};
use sigspy_wire::module_map::{Entry, List, ModuleMap, SharedEntry};
use sigspy_wire::process::Unloads;

/// The list of modules that was valid when a walk began.
pub struct MappedModules {
    map: &'static ModuleMap,
    generation: u64,
    list: &'static List,
    arena: &'static [u8],
    /// Rules that were found by this very list.
    cached: Option<Cached<'static>>,
    /// Libraries were unloaded since the list was made: only those that stay are where it says.
    is_outdated: bool,
    /// The module of the frame before: mostly that of the next, too.
    last: Entry,
}

impl MappedModules {
    /// `unloads`: of the process, when the walk begins. What is on this thread's stack cannot be
    /// unloaded while it is walked. Async-signal-safe.
    pub fn new(map: &'static ModuleMap, arena: &'static [u8], unloads: Unloads) -> Self {
        let (generation, list) = map.current();
        let is_outdated = unloads.settled() != Some(list.unloads());
        Self { map, generation, list, arena, cached: None, is_outdated, last: Entry::default() }
    }

    /// Keeps rules in `cache`, and finds those of other walks there. `forks`: how many lie between this
    /// process and the first that had the cache: each counts its lists by itself. Async-signal-safe.
    pub fn with_cache(self, cache: Option<&'static Cache>, forks: u32) -> Self {
        let cache = cache.filter(|_| !self.is_outdated);
        Self { cached: cache.map(|cache| cache.for_modules(forks, self.generation)), ..self }
    }

    /// Whether the list may have changed under the walk. Async-signal-safe.
    pub fn is_stale(&self) -> bool {
        self.map.is_stale(self.generation)
    }

    fn entry_of(&mut self, pc: u64) -> Option<Entry> {
        if pc < self.last.start || self.last.end <= pc {
            let entries = self.list.entries();
            let behind = partition_point(entries, pc);
            let entry = entries.get(behind.checked_sub(1)?)?.load();
            if pc < entry.start || entry.end <= pc || self.is_outdated && !entry.stays {
                return None;
            }
            self.last = entry;
        }
        Some(self.last)
    }
}

/// The number of entries that start at or below `pc`.
fn partition_point(entries: &[SharedEntry], pc: u64) -> usize {
    let (mut low, mut high) = (0, entries.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match entries.get(middle) {
            Some(entry) if entry.start() <= pc => low = middle + 1,
            _ => high = middle,
        }
    }
    low
}

impl Modules for MappedModules {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let entry = self.entry_of(pc)?;
        let start = entry.table_offset as usize;
        let end = start.checked_add(entry.table_length as usize)?;
        let table = Table::new(self.arena.get(start..end)?)?;
        Some((table, pc.wrapping_sub(entry.bias)))
    }

    fn cached(&self) -> Option<Cached<'_>> {
        self.cached
    }

    /// Code without a table is listed as such; what is not listed, or not to be believed, was mapped a
    /// moment ago.
    fn may_be_known_later(&mut self, pc: u64) -> bool {
        self.entry_of(pc).is_none()
    }
}
