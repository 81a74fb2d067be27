//! The monotonic clock, read without a system call where the vDSO offers it.
#![allow(unsafe_code, reason = "reads the vDSO's ELF image and calls into it")]

use crate::elf;
use crate::sys::{self, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, Timespec};

type ClockGettime = unsafe extern "C" fn(i32, *mut Timespec) -> i32;

/// How to read CLOCK_MONOTONIC.
#[derive(Clone, Copy)]
pub struct MonotonicClock(Option<ClockGettime>);

impl MonotonicClock {
    /// `image`: where the kernel has mapped the vDSO (AT_SYSINFO_EHDR); 0: nowhere.
    ///
    /// # Safety
    /// `image` comes from the auxiliary vector.
    pub unsafe fn find(image: usize) -> Self {
        if image == 0 {
            return Self(None);
        }
        // SAFETY: the caller says that the kernel mapped an ELF image there.
        let symbols = unsafe { elf::image_symbols(image) };
        let found = symbols.and_then(|symbols| symbols.find(c"__vdso_clock_gettime"));
        Self(found.map(|address| {
            // SAFETY: the kernel's function with this name has this type (vdso(7)).
            unsafe { core::mem::transmute::<usize, ClockGettime>(address) }
        }))
    }

    /// Nanoseconds. Async-signal-safe: the vDSO's function takes no lock and no stack to speak of.
    pub fn now_ns(self) -> u64 {
        self.read_ns(CLOCK_MONOTONIC)
    }

    /// Time since the kernel's last tick, ns: that is when the coarse clock was set.
    /// Async-signal-safe.
    pub fn since_kernel_tick_ns(self) -> u64 {
        let tick_ns = self.read_ns(CLOCK_MONOTONIC_COARSE);
        self.now_ns().saturating_sub(tick_ns)
    }

    fn read_ns(self, clock: i32) -> u64 {
        let Some(clock_gettime) = self.0 else { return sys::clock_ns(clock) };
        let mut time = Timespec::default();
        // SAFETY: `time` is valid for the one write; the vDSO stays mapped for good.
        unsafe { clock_gettime(clock, &mut time) };
        time.as_ns()
    }
}
