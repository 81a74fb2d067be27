//! Which code was where in a process, and when.
//!
//! A program loads and unloads modules as it runs, and a later one may take the place of an
//! earlier. Each reading of the maps that differs from the last is a version. Between two
//! unloads, an address has belonged to one module at most: a version is valid for all samples
//! that were taken after as many unloads as it was read. Only memory without a module comes and
//! goes uncounted: among versions of one count, an address is looked up in that of its time,
//! then in later ones: it was there before we looked.
//!
//! For some counts there is no version, as the next unload came before we looked. What lay there
//! is not known, except for modules that were there from the start.

use sigspy_wire::module_map::{Entry, MAX_MODULES};
use sigspy_wire::process::Unloads;

use crate::modules::{Modules, Table};

/// Versions kept; older ones are of no use, as samples arrive within a moment.
const MOST_VERSIONS: usize = 16;
/// Unloads at a time that are looked into.
const MOST_UNDER_WAY: u32 = 8;

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

/// When a sample was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
    pub unloads: Unloads,
}

/// What is known about an address at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    At(Region),
    /// In no mapping that was seen.
    Nowhere,
    /// One library or another.
    Uncertain,
}

#[derive(Clone)]
struct Version {
    from_ns: u64,
    unloads: u32,
    /// By rising address.
    regions: Vec<Region>,
}

#[derive(Clone, Default)]
pub struct AddressSpace {
    /// Modules that were there before the program began: they stay.
    first: Vec<Region>,
    /// By rising time.
    versions: Vec<Version>,
}

impl AddressSpace {
    /// Enters what was read at `from_ns`, by rising address, while `unloads` was what it is and no
    /// unload was under way. True: it is new.
    pub fn update(&mut self, from_ns: u64, unloads: u32, regions: Vec<Region>) -> bool {
        let is_known = |last: &Version| last.unloads == unloads && last.regions == regions;
        if self.versions.last().is_some_and(is_known) {
            return false;
        }
        if self.first.is_empty() {
            self.first = regions.iter().filter(|region| region.module.is_some()).copied().collect();
        }
        // A constructor may have loaded one of them: then it can go.
        self.first.retain(|one| find(&regions, one.start) == Some(*one));
        if self.versions.len() == MOST_VERSIONS {
            self.versions.remove(0);
        }
        self.versions.push(Version { from_ns, unloads, regions });
        true
    }

    /// How many libraries had been unloaded when the maps were last read.
    pub fn unloads(&self) -> Option<u32> {
        self.versions.last().map(|version| version.unloads)
    }

    /// For a child of fork: without what was read later.
    pub fn until(mut self, time_ns: u64) -> Self {
        self.versions.retain(|version| version.from_ns <= time_ns);
        self
    }

    /// What held `address` at a moment. While a library goes, that is what does so before and
    /// afterwards.
    pub fn find(&self, address: u64, moment: Moment) -> Found {
        if let Some(region) = find(&self.first, address) {
            return Found::At(region);
        }
        let Unloads { begun, ended } = moment.unloads;
        if begun.wrapping_sub(ended) > MOST_UNDER_WAY {
            return Found::Uncertain;
        }
        let before = self.find_after(ended, address, moment.time_ns);
        let is_same = |unloads| match (before, self.find_after(unloads, address, moment.time_ns)) {
            (Found::At(one), Found::At(other)) => one.module == other.module,
            (one, other) => one == other,
        };
        if (ended..=begun).skip(1).all(is_same) { before } else { Found::Uncertain }
    }

    /// Whether all addresses are certain at a moment.
    pub fn is_certain(&self, moment: Moment) -> bool {
        let is_known = |unloads| self.versions.iter().any(|version| version.unloads == unloads);
        moment.unloads.settled().is_some_and(is_known)
    }

    fn find_after(&self, unloads: u32, address: u64, time_ns: u64) -> Found {
        let from = self.versions.partition_point(|version| version.unloads < unloads);
        let behind = self.versions.partition_point(|version| version.unloads <= unloads);
        let Some(versions @ [_, ..]) = self.versions.get(from..behind) else {
            return Found::Uncertain;
        };
        let valid = versions.partition_point(|version| version.from_ns <= time_ns);
        let later = versions.get(valid.saturating_sub(1)..).unwrap_or_default();
        let region = later.iter().find_map(|version| find(&version.regions, address));
        region.map_or(Found::Nowhere, Found::At)
    }

    /// The valid version, as an agent wants it: modules with their tables, and code without any.
    /// Left out is what will have a table soon.
    pub fn entries(&self, modules: &Modules) -> Vec<Entry> {
        let Some(Version { regions, .. }) = self.versions.last() else { return Vec::new() };
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
            let &Region { start, end, .. } = region;
            let stays = find(&self.first, start).is_some();
            Some(Entry { start, end, bias, table_offset, table_length, stays })
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
        self.versions.last().is_some_and(|last| last.regions.iter().any(pending))
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

    fn moment(time_ns: u64, ended: u32, begun: u32) -> Moment {
        Moment { time_ns, unloads: Unloads { begun, ended } }
    }

    /// `None`: uncertain. 0: nowhere.
    fn module_at(space: &AddressSpace, address: u64, moment: Moment) -> Option<u32> {
        match space.find(address, moment) {
            Found::At(region) => region.module.map(|(module, _)| module),
            Found::Nowhere => Some(0),
            Found::Uncertain => None,
        }
    }

    /// What stays, a library, another one in its place, and one beside.
    fn space() -> AddressSpace {
        let mut space = AddressSpace::default();
        assert!(space.update(50, 0, vec![region(0, 1)]));
        assert!(space.update(100, 0, vec![region(0, 1), region(32, 2), region(96, 7)]));
        assert!(!space.update(150, 0, vec![region(0, 1), region(32, 2), region(96, 7)]));
        assert!(space.update(200, 1, vec![region(0, 1), region(32, 3), region(64, 4)]));
        space
    }

    #[test]
    fn an_address_belongs_to_the_module_that_was_there_after_as_many_unloads() {
        let space = space();
        for time_ns in [10, 120, 300] {
            assert_eq!(module_at(&space, 33, moment(time_ns, 0, 0)), Some(2));
            assert_eq!(module_at(&space, 33, moment(time_ns, 1, 1)), Some(3));
            assert_eq!(module_at(&space, 64, moment(time_ns, 0, 0)), Some(0));
        }
        assert!(space.is_certain(moment(0, 1, 1)));
    }

    #[test]
    fn while_a_library_goes_only_what_was_and_is_in_its_place_is_certain() {
        let space = space();
        let going = moment(180, 0, 1);
        let modules = [5, 33, 64, 96].map(|address| module_at(&space, address, going));
        assert_eq!(modules, [Some(1), None, None, None]);
        let mut space = space;
        space.update(300, 2, vec![region(0, 1), region(32, 3)]);
        assert_eq!(module_at(&space, 33, moment(250, 1, 2)), Some(3));
        assert_eq!(module_at(&space, 64, moment(250, 1, 2)), None);
        assert!(!space.is_certain(going));
    }

    #[test]
    fn between_two_unloads_of_which_nothing_was_seen_only_what_stays_is_certain() {
        let space = space();
        for unseen in [moment(250, 2, 2), moment(250, 1, 2), moment(250, 2, 1), moment(0, 0, 90)] {
            assert_eq!(module_at(&space, 5, unseen), Some(1));
            assert_eq!(module_at(&space, 64, unseen), None);
            assert!(!space.is_certain(unseen));
        }
    }

    #[test]
    fn what_a_constructor_has_loaded_can_go() {
        let mut space = space();
        space.update(300, 2, vec![region(0, 9)]);
        assert_eq!(module_at(&space, 5, moment(310, 2, 2)), Some(9));
        assert_eq!(module_at(&space, 5, moment(310, 1, 1)), Some(1));
        assert_eq!(module_at(&space, 5, moment(310, 3, 3)), None);
    }

    #[test]
    fn old_versions_are_given_up() {
        let mut space = AddressSpace::default();
        for time in 0..2 * MOST_VERSIONS as u64 {
            space.update(time, 0, vec![region(time * 16, 1)]);
        }
        assert_eq!(space.versions.len(), MOST_VERSIONS);
    }
}
