//! The perf map of a process, `/tmp/perf-PID.map`: found, followed as it grows, and asked for the
//! names of code that no module holds.
//!
//! The folder is opened when the process is met, and the file as soon as it is there. Both stay
//! open: programs write their maps late and remove them, and a process that has ended has no
//! `/proc/PID/root`. The file is looked at whenever such code was met since the last time, and
//! once more at the end. What had no name when it was met gets one then.
//!
//! Pids are used again, and these files are left behind: what is older than the process is not its.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::journal::Journal;
use crate::perf_map::PerfMap;
use crate::system;

/// Bytes of maps that are read for a process at most.
const LONGEST_MAP: u64 = if cfg!(test) { 1 << 20 } else { 128 << 20 };
/// Bytes that are read at a time. A line that is longer is none.
const BUFFER: usize = 64 << 10;
/// A map is as old as the process even if a program that it was before has written it so long ago.
const SLACK: Duration = Duration::from_secs(1);
/// Processes between which code was inherited by fork.
const MOST_ANCESTORS: usize = 8;

/// A location and what it is called: its address and its name.
type Named = (u64, Arc<str>);

pub struct CodeNames {
    pid: u32,
    /// As the process knows itself, and names its map.
    own_pid: u32,
    /// Its /tmp.
    folder: Option<Rc<OwnedFd>>,
    file: Option<MapFile>,
    since: SystemTime,
    /// The last look at the file, CLOCK_MONOTONIC in ns.
    looked_ns: u64,
    map: Rc<RefCell<PerfMap>>,
    /// The maps of processes that this one was forked from, latest first.
    inherited: Vec<Rc<RefCell<PerfMap>>>,
    named: HashMap<Named, u32>,
    unnamed: HashMap<u64, u32>,
    is_wanted: bool,
}

impl CodeNames {
    /// Of a process that has just said hello.
    pub fn new(pid: u32, own_pid: u32) -> Self {
        let folder = open(
            &*format!("/proc/{pid}/root/tmp"),
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        );
        Self::within(pid, own_pid, folder.ok().map(Rc::new), Vec::new())
    }

    /// Of a process that this one has forked: it has the same code, and goes on in a map of its own.
    pub fn of_child(&self, pid: u32) -> Self {
        let own = (!self.map.borrow().is_empty()).then_some(&self.map);
        let inherited = own.into_iter().chain(&self.inherited).take(MOST_ANCESTORS).cloned();
        Self::within(pid, pid, self.folder.clone(), inherited.collect())
    }

    fn within(
        pid: u32,
        own_pid: u32,
        folder: Option<Rc<OwnedFd>>,
        inherited: Vec<Rc<RefCell<PerfMap>>>,
    ) -> Self {
        let mut names = Self {
            pid,
            own_pid,
            folder,
            file: None,
            since: SystemTime::now(),
            looked_ns: system::monotonic_ns(),
            map: Rc::default(),
            inherited,
            named: HashMap::new(),
            unnamed: HashMap::new(),
            is_wanted: false,
        };
        names.open();
        names
    }

    /// The number of the location of code that no module holds.
    pub fn location(&mut self, address: u64, time_ns: u64, journal: &mut Journal) -> u32 {
        self.is_wanted = true;
        match self.find(address, time_ns) {
            Some(name) => self.named_location(address, name, journal),
            None => *self
                .unnamed
                .entry(address)
                .or_insert_with(|| journal.location_without_module(address)),
        }
    }

    fn named_location(&mut self, address: u64, name: Arc<str>, journal: &mut Journal) -> u32 {
        let key = (address, name);
        if let Some(&known) = self.named.get(&key) {
            return known;
        }
        let before = self.unnamed.remove(&address);
        let location = before.unwrap_or_else(|| journal.location_without_module(address));
        journal.name_location(location, &key.1);
        self.named.insert(key, location);
        location
    }

    fn find(&self, address: u64, time_ns: u64) -> Option<Arc<str>> {
        let maps = std::iter::once(&self.map).chain(&self.inherited);
        maps.filter_map(|map| map.borrow().find(address, time_ns).cloned()).next()
    }

    /// Reads what is new in the map, if somebody has asked for a name since the last time.
    pub fn follow(&mut self, journal: &mut Journal) {
        if std::mem::take(&mut self.is_wanted) {
            self.read(journal);
        }
    }

    /// The last look.
    pub fn finish(&mut self, journal: &mut Journal) {
        if !self.unnamed.is_empty() {
            self.read(journal);
        }
    }

    /// Reads what is new in the map.
    pub fn read(&mut self, journal: &mut Journal) {
        let since_ns = std::mem::replace(&mut self.looked_ns, system::monotonic_ns());
        let mut has_grown = self.read_file(since_ns);
        if self.file.as_ref().is_none_or(MapFile::is_removed) {
            self.open();
            has_grown |= self.read_file(since_ns);
        }
        if has_grown {
            self.name_the_unnamed(journal);
        }
    }

    fn read_file(&mut self, since_ns: u64) -> bool {
        let mut append = |text: &[u8]| self.map.borrow_mut().append(since_ns, text);
        self.file.as_mut().is_some_and(|file| file.read(&mut append))
    }

    /// Opens the map that is there now, if it is one of this process.
    fn open(&mut self) {
        let Some(folder) = &self.folder else { return };
        let name = format!("perf-{}.map", self.own_pid);
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let Ok(file) = openat(&**folder, &*name, flags, Mode::empty()) else { return };
        let (file, before) = (File::from(file), self.since.checked_sub(SLACK));
        let left = self.file.as_ref().map_or(LONGEST_MAP, |file| file.left);
        if let Some(opened) = MapFile::new(file, self.pid, before, left) {
            self.file = Some(opened);
        }
    }

    /// Code that was met before its name was told.
    fn name_the_unnamed(&mut self, journal: &mut Journal) {
        let addresses: Vec<u64> = self.unnamed.keys().copied().collect();
        for address in addresses {
            if let Some(name) = self.find(address, 0) {
                self.named_location(address, name, journal);
            }
        }
    }
}

/// A map, and how far it was read.
struct MapFile {
    file: File,
    offset: u64,
    /// Bytes that may still be read, in its successors too.
    left: u64,
}

impl MapFile {
    /// `None`: it is no file, or of somebody else than process `pid`. What was last written before
    /// `before` is left out.
    fn new(file: File, pid: u32, before: Option<SystemTime>, left: u64) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let owner = fs::metadata(format!("/proc/{pid}")).map(|data| data.uid());
        let owners = [0, owner.unwrap_or_else(|_| nix::unistd::geteuid().as_raw())];
        if !metadata.is_file() || !owners.contains(&metadata.uid()) {
            return None;
        }
        let is_older = metadata.modified().is_ok_and(|written| Some(written) < before);
        let offset = if is_older { metadata.len() } else { 0 };
        Some(Self { file, offset, left })
    }

    /// Another one may have come in its place.
    fn is_removed(&self) -> bool {
        self.file.metadata().is_ok_and(|data| data.nlink() == 0)
    }

    /// Gives what is new to `take`, which says how much it has taken. True: there was something.
    fn read(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) -> bool {
        let Ok(length) = self.file.metadata().map(|data| data.len()) else { return false };
        if length < self.offset {
            self.offset = 0; // it was begun anew
        }
        let mut buffer = Vec::new();
        let start = self.offset;
        while self.offset < length && self.left > 0 {
            buffer.resize(BUFFER, 0);
            let Ok(count @ 1..) = self.file.read_at(&mut buffer, self.offset) else { break };
            let taken = match take(&buffer[..count]) {
                0 if count == BUFFER => count, // a line without an end
                taken => taken,
            };
            if taken == 0 {
                break;
            }
            self.offset += taken as u64;
            self.left = self.left.saturating_sub(taken as u64);
        }
        self.offset > start
    }
}

#[cfg(test)]
mod tests;
