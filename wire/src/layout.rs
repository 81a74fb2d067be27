//! Where things are in the shared memory of one process.
//!
//! ```text
//! Control | Process x PROCESSES | Slot x SLOTS | Lane x lanes
//! ```
//! The memory is a memfd, sealed against shrinking and growing. The control page, the first
//! process and the lanes are allocated beforehand; the rest is sparse, as most processes have a
//! handful of threads and children.

use crate::process::{PROCESSES, Process};
use crate::{control::Control, lane::Lane, slot::SLOTS, slot::Slot};

const PAGE: usize = 4096;

const fn round_up(length: usize) -> usize {
    length.next_multiple_of(PAGE)
}

/// Offset of the first [`Process`].
pub const PROCESS_TABLE: usize = size_of::<Control>();
/// Offset behind the first [`Process`].
pub const MORE_PROCESSES: usize = PROCESS_TABLE + size_of::<Process>();
/// Offset of the first [`Slot`].
pub const SLOT_TABLE: usize = PROCESS_TABLE + PROCESSES * size_of::<Process>();
/// Offset of the first [`Lane`].
pub const LANES: usize = SLOT_TABLE + SLOTS * size_of::<Slot>();

/// Most lanes a process may have.
pub const MAX_LANES: usize = 256;
/// Lanes for each CPU. One would do if handlers were never held up. They are: by page faults, by
/// whoever has the lock on the address space when they read a stack, by threads that run instead;
/// and 64 threads that begin at once on 2 CPUs were seen to hold 8 lanes for some time.
pub const LANES_PER_CPU: usize = 8;
const FEWEST_LANES: usize = 32;

/// Offset of a lane, or behind the last one.
pub const fn lane(index: usize) -> usize {
    LANES + index * size_of::<Lane>()
}

/// Length of the memory of a process with so many lanes, bytes.
pub const fn length(lanes: usize) -> usize {
    round_up(lane(lanes))
}

/// Lanes for a machine with so many CPUs.
pub fn lanes_for(cpus: usize) -> usize {
    cpus.saturating_mul(LANES_PER_CPU).clamp(FEWEST_LANES, MAX_LANES)
}

/// The parts of a mapping.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub control: &'a Control,
    pub processes: &'a [Process],
    pub slots: &'a [Slot],
    pub lanes: &'a [Lane],
}

impl Parts<'_> {
    /// The parts of the mapping at `base`.
    ///
    /// # Safety
    /// `base` is page-aligned and the start of a readable and writable shared mapping of
    /// `length(lanes)` bytes or more that stays mapped for as long as the parts are used.
    #[allow(unsafe_code, reason = "this is where raw shared memory becomes typed")]
    pub unsafe fn at(base: *mut u8, lanes: usize) -> Self {
        // SAFETY: the caller guarantees size, alignment and lifetime of the mapping. All parts
        // consist of atomics, for which any bytes are valid and concurrent writes are defined.
        unsafe {
            Self {
                control: &*base.cast(),
                processes: core::slice::from_raw_parts(base.add(PROCESS_TABLE).cast(), PROCESSES),
                slots: core::slice::from_raw_parts(base.add(SLOT_TABLE).cast(), SLOTS),
                lanes: core::slice::from_raw_parts(base.add(LANES).cast(), lanes),
            }
        }
    }
}

const _: () = assert!(PROCESS_TABLE.is_multiple_of(PAGE) && MORE_PROCESSES.is_multiple_of(PAGE));
const _: () = assert!(SLOT_TABLE.is_multiple_of(PAGE) && LANES.is_multiple_of(PAGE));
