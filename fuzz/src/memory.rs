#![allow(unsafe_code, reason = "an allocator is unsafe to implement")]
//! A limit on what one input may allocate.
//!
//! libFuzzer's own `-malloc_limit_mb` needs a sanitizer to tell it of allocations, and its
//! `-rss_limit_mb` looks once a second. Here an allocation beyond the limit fails at once, which
//! ends the process, and libFuzzer keeps the input. What libFuzzer itself allocates is C++ and is
//! not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all threads may have at the same time. Inputs are of 64 KiB at most.
const LIMIT: usize = 256 << 20;

#[global_allocator]
static ALLOCATOR: Limited = Limited { bytes: AtomicUsize::new(0) };

struct Limited {
    bytes: AtomicUsize,
}

impl Limited {
    /// Allocates if that stays within the limit.
    fn count(&self, size: usize, allocate: impl FnOnce() -> *mut u8) -> *mut u8 {
        // Relaxed: only a count.
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        let place = if before.saturating_add(size) > LIMIT { null_mut() } else { allocate() };
        if place.is_null() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        place
    }
}

// SAFETY: every request goes to `System` as it is, or fails.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `System` asks for.
        self.count(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.count(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above; what we hand out is what `System` handed out.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = self.count(new_size, || unsafe { System.realloc(place, layout, new_size) });
        if !moved.is_null() {
            self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        moved
    }
}
