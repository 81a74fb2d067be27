//! Walks that the agent could not finish, as they came into a module that was mapped a moment
//! before: here they go on, with the table that is there by now and a copy of the stack. Code is
//! read from the process, as far as it is still there.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

use sigspy_unwind::{Frame, Memory, Modules as KnownModules, Stop, walk};
use sigspy_wire::record::{MAX_FRAMES, Unfinished};

use crate::address_space::{AddressSpace, Found, Moment};
use crate::modules::{Modules, Table};

/// The frames behind those of the record, and why the walk ended now. [`Stop::Unknown`]: tables
/// are still missing.
pub fn resume(
    pid: u32,
    unfinished: &Unfinished<'_>,
    known_frames: usize,
    most_frames: usize,
    moment: Moment,
    space: &AddressSpace,
    modules: &Modules,
) -> (Vec<u64>, Stop) {
    let mut frame = Frame::from_words(unfinished.state);
    let stack = CopiedStack { start: frame.stack_pointer(), words: unfinished.stack };
    let mut memory = Copied { stack, pid, memory: OnceCell::new(), moment, space };
    let mut known = At { moment, space, modules };
    let mut frames = Vec::new();
    let room = most_frames.min(MAX_FRAMES).saturating_sub(known_frames);
    let mut is_first = true;
    let stop = walk(&mut frame, &mut known, &mut memory, &mut |pc| {
        if !std::mem::take(&mut is_first) {
            frames.push(pc); // the first one is the last of the record
        }
        frames.len() <= room
    });
    (frames, stop)
}

struct CopiedStack<'a> {
    start: u64,
    words: &'a [u64],
}

impl CopiedStack<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.start).filter(|offset| offset.is_multiple_of(8))?;
        self.words.get(usize::try_from(offset / 8).ok()?).copied()
    }
}

/// The stack as it was, and code as it is.
struct Copied<'a> {
    stack: CopiedStack<'a>,
    pid: u32,
    /// Of the process; `None` if it cannot be read.
    memory: OnceCell<Option<File>>,
    moment: Moment,
    space: &'a AddressSpace,
}

impl Copied<'_> {
    fn code(&self, address: u64) -> Option<u64> {
        if !matches!(self.space.find(address, self.moment), Found::At(_)) {
            return None;
        }
        let open = || File::open(format!("/proc/{}/mem", self.pid)).ok();
        let mut word = [0; 8];
        self.memory.get_or_init(open).as_ref()?.read_exact_at(&mut word, address).ok()?;
        Some(u64::from_le_bytes(word))
    }
}

impl Memory for Copied<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        self.stack.word(address).or_else(|| self.code(address))
    }
}

/// The modules of a process at the time of a sample.
struct At<'a> {
    moment: Moment,
    space: &'a AddressSpace,
    modules: &'a Modules,
}

impl KnownModules for At<'_> {
    fn find(&mut self, pc: u64) -> Option<(sigspy_unwind::Table<'_>, u64)> {
        let Found::At(region) = self.space.find(pc, self.moment) else { return None };
        let (module, bias) = region.module?;
        let bytes = self.modules.table_bytes(self.modules.table(module))?;
        Some((sigspy_unwind::Table::new(bytes)?, pc.wrapping_sub(bias)))
    }

    fn may_be_known_later(&mut self, pc: u64) -> bool {
        match self.space.find(pc, self.moment) {
            Found::At(region) => region
                .module
                .is_some_and(|(module, _)| self.modules.table(module) == Table::Pending),
            Found::Nowhere => true,
            Found::Uncertain => false,
        }
    }
}
