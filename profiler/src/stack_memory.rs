//! Reading the stack of the thread that was interrupted, without ever faulting.
//!
//! Where the collector has told the bounds of the mapping that holds the stack pointer, words
//! between the stack pointer and its end are plain loads, each page after a look whether it is
//! there: a program may take away what lies above the frame that it stands on, and does (stacks
//! that grow together with other memory, stacks that are cut). All else goes through
//! process_vm_readv, which reports what it cannot read, a window of a page at a time.
#![allow(unsafe_code, reason = "loads from the interrupted thread's stack")]

use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::Relaxed;

use sigspy_unwind::Memory;
use sigspy_wire::slot::{Slot, StackBounds};

use crate::{arch, sys};

const WINDOW: usize = 4096;
const PAGE: u64 = 4096;
/// Windows a walk may fetch, so that its time is bounded.
const MAX_WINDOWS: u32 = 64;

/// Memory above the interrupted stack pointer.
pub struct StackMemory {
    tid: u32,
    /// Loads are safe at `low <= address`, `address + 8 <= high`; empty: nowhere.
    low: u64,
    high: u64,
    /// Pages from that of `low` on, one bit each, that are known to be readable. Only the thread
    /// itself could change that, and it is here.
    readable: u64,
    /// The first `window_length` bytes are what lies at `window_start`. Not cleared beforehand:
    /// that would cost more than most walks, which never look through it.
    window: [MaybeUninit<u8>; WINDOW],
    window_start: u64,
    window_length: usize,
    windows_left: u32,
}

impl StackMemory {
    /// For thread `tid`, interrupted at stack pointer `sp`. Async-signal-safe.
    pub fn new(tid: u32, sp: u64, slot: Option<&Slot>) -> Self {
        let bounds = slot
            .and_then(|slot| StackBounds::unpack(slot.stack.load(Relaxed)))
            .filter(|bounds| bounds.low <= sp && sp < bounds.high);
        Self {
            tid,
            // The red zone below the stack pointer, as far as it is surely mapped: epilogues
            // leave registers there that they have just restored.
            low: sp.saturating_sub(arch::RED_ZONE).max(sp & !(PAGE - 1)),
            high: bounds.map_or(0, |bounds| bounds.high),
            readable: 0,
            window: [const { MaybeUninit::uninit() }; WINDOW],
            window_start: 0,
            window_length: 0,
            windows_left: MAX_WINDOWS,
        }
    }

    /// Whether plain loads can be used.
    pub fn has_bounds(&self) -> bool {
        self.high != 0
    }

    /// Whether the page of `address`, which is not below `low`, can be loaded from.
    fn is_readable(&mut self, address: u64) -> bool {
        let bit = 1u64.checked_shl(((address / PAGE) - (self.low / PAGE)) as u32).unwrap_or(0);
        if self.readable & bit == 0 {
            if !sys::is_readable(address) {
                return false;
            }
            self.readable |= bit;
        }
        true
    }

    fn in_window(&self, address: u64) -> Option<u64> {
        let offset = usize::try_from(address.checked_sub(self.window_start)?).ok()?;
        let bytes = self.window.get(..self.window_length)?.get(offset..)?;
        // SAFETY: the kernel has written the first `window_length` bytes.
        let word = bytes.first_chunk::<8>()?.map(|byte| unsafe { byte.assume_init() });
        Some(u64::from_le_bytes(word))
    }

    /// What is not on a stack with bounds is mostly code, and the next frame's may lie before that
    /// of this one.
    fn fetch_window(&mut self, address: u64) -> Option<()> {
        self.windows_left = self.windows_left.checked_sub(1)?;
        self.window_start = if self.has_bounds() { address & !(PAGE - 1) } else { address };
        self.window_length = sys::read_own_memory(self.tid, self.window_start, &mut self.window);
        Some(())
    }
}

impl Memory for StackMemory {
    fn word(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) {
            return None;
        }
        if self.low <= address && address < self.high && self.is_readable(address) {
            // SAFETY: the kernel has just read from this page. It lies in what was the mapping of
            // the interrupted thread's stack; other threads do not unmap that, and this one is
            // here. `address` is aligned, so the word does not reach beyond the page.
            return Some(unsafe { (address as *const u64).read_volatile() });
        }
        if let Some(word) = self.in_window(address) {
            return Some(word);
        }
        self.fetch_window(address)?;
        self.in_window(address)
    }
}
