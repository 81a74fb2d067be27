//! The memory that holds all unwind tables of a session, shared read-only by all its targets.
//!
//! Append-only: a table, once placed, is never moved or changed. A target learns of it from its
//! module map, which is published (Release) after the table is there.
#![allow(unsafe_code, reason = "writes to shared memory")]

use std::io;
use std::os::fd::AsFd;

use memmap2::MmapRaw;

use crate::memory::{Seal, SealedMemory};

/// Room for the tables of some 1.5 GB of code. Sparse: what is not used costs nothing.
pub const LENGTH: usize = 64 << 20;

pub struct Arena {
    memory: SealedMemory,
    used: usize,
}

impl Arena {
    pub fn new() -> io::Result<Self> {
        let memory = SealedMemory::new(c"sigspy-tables", LENGTH, Seal::ReadOnlyForOthers)?;
        Ok(Self { memory, used: 0 })
    }

    /// What a target maps.
    pub fn descriptor(&self) -> impl AsFd + '_ {
        self.memory.descriptor()
    }

    /// A table that was placed.
    pub fn table(&self, offset: u32, length: u32) -> Option<&[u8]> {
        let end = (offset as usize).checked_add(length as usize)?;
        // SAFETY: what lies below `used` is mapped and is never written again by us; others
        // cannot write where the kernel has the seal, and elsewhere have no writable mapping
        // unless they work at it: then they get wrong stacks.
        (end <= self.used).then(|| unsafe {
            std::slice::from_raw_parts(
                self.memory.map().as_mut_ptr().add(offset as usize),
                length as usize,
            )
        })
    }

    /// Places a table; its offset and length, or `None` when the arena is full.
    pub fn place(&mut self, table: &[u8]) -> Option<(u32, u32)> {
        let end = self.used.checked_add(table.len())?;
        if end > LENGTH {
            return None;
        }
        let map: &MmapRaw = self.memory.map();
        // SAFETY: the mapping is LENGTH bytes long and `end` within. Nobody reads behind `used`
        // yet: no target has been told of this place.
        unsafe {
            let place = map.as_mut_ptr().add(self.used);
            place.copy_from_nonoverlapping(table.as_ptr(), table.len());
        }
        let offset = self.used as u32;
        self.used = end.next_multiple_of(64);
        Some((offset, table.len() as u32))
    }
}
