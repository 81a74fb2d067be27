//! What a `siginfo_t` says about a SIGPROF.
#![allow(unsafe_code, reason = "siginfo_t is a union in kernel memory")]

/// The fields that tell our ticks from everything else. The last three mean something with
/// [`SI_TIMER`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigInfo {
    pub code: i32,
    /// The kernel's timer id.
    pub timer: u32,
    /// Expiries beyond the one that is delivered.
    pub overruns: u32,
    /// What `timer_create` was given as `sigev_value`.
    pub cookie: u64,
}

impl SigInfo {
    /// With [`SI_USER`]: whether it names no process. Only a signal that has lost its siginfo on
    /// the way does that, or one from outside of a namespace of processes.
    pub fn is_from_nobody(&self) -> bool {
        self.timer == 0 && self.overruns == 0
    }

    /// With [`SI_DESCRIPTOR`]: which one. It lies where other signals have their value.
    pub fn descriptor(&self) -> i32 {
        self.cookie as i32
    }
}

/// Sent by `kill`.
pub const SI_USER: i32 = 0;
/// Sent by `sigqueue`.
pub const SI_QUEUE: i32 = -1;
/// Sent by a POSIX timer.
pub const SI_TIMER: i32 = -2;
/// Sent by the kernel: `setitimer`.
pub const SI_KERNEL: i32 = 0x80;
/// Sent to a thread: `tgkill`.
pub const SI_TKILL: i32 = -6;
/// Sent by a descriptor, such as that of a perf event (POLL_IN to POLL_HUP).
pub const SI_DESCRIPTOR: core::ops::RangeInclusive<i32> = 1..=6;

impl SigInfo {
    /// Async-signal-safe.
    ///
    /// # Safety
    /// `info` is what the kernel passed to the handler that is now running.
    pub unsafe fn read(info: *const u8) -> Self {
        // SAFETY: a siginfo_t is 128 bytes, 8-aligned, and fully written by the kernel
        // (include/uapi/asm-generic/siginfo.h: code at 8, then the union at 16).
        unsafe {
            Self {
                code: info.add(8).cast::<i32>().read(),
                timer: info.add(16).cast::<u32>().read(),
                overruns: info.add(20).cast::<i32>().read().max(0).unsigned_abs(),
                cookie: info.add(24).cast::<u64>().read(),
            }
        }
    }
}
