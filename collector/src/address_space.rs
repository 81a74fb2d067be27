//! Which code was where in a process, and when.
//!
//! A program loads and unloads modules as it runs, and a later one may take the place of an
//! earlier. Each reading of the maps that differs from the last is a version, valid from then
//! on; an address is looked up in the version of its time, then in later ones: the module was
//! there before we looked.

use sigspy_wire::module_map::{Entry, MAX_MODULES};

use crate::modules::{Modules, Table};

/// Versions kept; older ones are of no use, as samples arrive within a moment.
const MOST_VERSIONS: usize = 16;

/// An executable mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub start: u64,
    /// First address behind.
    pub end: u64,
    /// The module and the difference between runtime and relative addresses. `None`: anonymous
    /// memory, such as the output of a JIT compiler.
    pub module: Option<(u32, u64)>,
}

#[derive(Clone, Default)]
pub struct AddressSpace {
    /// CLOCK_MONOTONIC, ns, and the regions by rising address.
    versions: Vec<(u64, Vec<Region>)>,
}

impl AddressSpace {
    /// Enters what was read at `time_ns`, by rising address. True: it is new.
    pub fn update(&mut self, time_ns: u64, regions: Vec<Region>) -> bool {
        if self.versions.last().is_some_and(|(_, last)| *last == regions) {
            return false;
        }
        let time_ns = self.versions.last().map_or(time_ns, |&(last_ns, _)| time_ns.max(last_ns));
        if self.versions.len() == MOST_VERSIONS {
            self.versions.remove(0);
        }
        self.versions.push((time_ns, regions));
        true
    }

    /// The region that held `address` at `time_ns`.
    pub fn find(&self, address: u64, time_ns: u64) -> Option<Region> {
        let valid = self.versions.partition_point(|&(from_ns, _)| from_ns <= time_ns);
        let first = valid.saturating_sub(1);
        let versions = self.versions.get(first..).unwrap_or_default();
        versions.iter().find_map(|(_, regions)| find(regions, address))
    }

    /// The valid version, as an agent wants it: modules with their tables, and code without any.
    /// Left out is what will have a table soon.
    pub fn entries(&self, modules: &Modules) -> Vec<Entry> {
        let Some((_, regions)) = self.versions.last() else { return Vec::new() };
        let entry = |region: &Region| {
            let (table, bias) = match region.module {
                Some((module, bias)) => (modules.table(module), bias),
                None => (Table::Absent, 0),
            };
            let (table_offset, table_length) = match table {
                Table::At(offset, length) => (offset, length),
                Table::Absent => (0, 0),
                Table::Pending => return None,
            };
            Some(Entry { start: region.start, end: region.end, bias, table_offset, table_length })
        };
        let mut entries: Vec<_> = regions.iter().filter_map(entry).collect();
        if entries.len() > MAX_MODULES {
            entries.retain(|entry| entry.table_length > 0);
        }
        entries
    }

    /// Whether the table of a module in the valid version is still in the making.
    pub fn waits_for_tables(&self, modules: &Modules) -> bool {
        let pending = |region: &Region| {
            region.module.is_some_and(|(module, _)| modules.table(module) == Table::Pending)
        };
        self.versions.last().is_some_and(|(_, regions)| regions.iter().any(pending))
    }
}

fn find(regions: &[Region], address: u64) -> Option<Region> {
    let behind = regions.partition_point(|region| region.start <= address);
    regions.get(behind.checked_sub(1)?).copied().filter(|region| address < region.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, module: u32) -> Region {
        Region { start, end: start + 16, module: Some((module, 0)) }
    }

    fn module_at(space: &AddressSpace, address: u64, time_ns: u64) -> Option<u32> {
        space.find(address, time_ns)?.module.map(|(module, _)| module)
    }

    #[test]
    fn an_address_belongs_to_the_module_that_was_there_at_the_time() {
        let mut space = AddressSpace::default();
        assert!(space.update(100, vec![region(0, 1), region(32, 2)]));
        assert!(!space.update(150, vec![region(0, 1), region(32, 2)]));
        assert!(space.update(200, vec![region(0, 3), region(64, 4)]));
        assert_eq!(module_at(&space, 5, 199), Some(1));
        assert_eq!(module_at(&space, 5, 200), Some(3));
        assert_eq!(module_at(&space, 33, 150), Some(2));
        assert_eq!(module_at(&space, 33, 250), None);
    }

    #[test]
    fn a_module_that_was_loaded_before_we_looked_is_found() {
        let mut space = AddressSpace::default();
        space.update(100, vec![region(0, 1)]);
        space.update(200, vec![region(0, 1), region(64, 4)]);
        assert_eq!(module_at(&space, 70, 150), Some(4));
        assert_eq!(module_at(&space, 5, 50), Some(1));
    }

    #[test]
    fn old_versions_are_given_up() {
        let mut space = AddressSpace::default();
        for time in 0..2 * MOST_VERSIONS as u64 {
            space.update(time, vec![region(time * 16, 1)]);
        }
        assert_eq!(space.versions.len(), MOST_VERSIONS);
    }
}
