//! Signals: actions, masks, sending and taking them.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{Errno, address, call};
use crate::arch::{nr, restorer};

const SIGPROF: u32 = 27;
/// See [`tick_signal`]. A value of its own that is set once, before any handler is there.
static TICK_SIGNAL: AtomicU32 = AtomicU32::new(SIGPROF);

/// The signal that ticks arrive as: SIGPROF, unless the collector wants another.
pub fn tick_signal() -> i32 {
    TICK_SIGNAL.load(Relaxed) as i32
}

/// The same in a signal mask.
pub fn tick_bit() -> u64 {
    1 << ((TICK_SIGNAL.load(Relaxed).wrapping_sub(1)) & 63)
}

/// Makes another signal that of ticks.
pub fn set_tick_signal(signal: u32) {
    TICK_SIGNAL.store(signal, Relaxed);
}

/// All 64 signals.
pub const ALL_SIGNALS: u64 = u64::MAX;

/// The kernel's `struct sigaction`, which is not libc's.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct KernelAction {
    pub handler: usize,
    pub flags: u64,
    pub restorer: usize,
    pub mask: u64,
}

/// Sends a signal to a thread of this process.
pub fn send_signal(pid: u32, tid: u32, signal: i32) {
    let _ = call(nr::TGKILL, [pid as usize, tid as usize, signal as usize]);
}

/// Sets the action of a signal, with our restorer, and returns the one before; with `None` only
/// returns it.
pub fn set_action(signal: i32, new: Option<&KernelAction>) -> Result<KernelAction, Errno> {
    const SA_RESTORER: u64 = 0x0400_0000;
    let mut old = KernelAction::default();
    let out = core::ptr::from_mut(&mut old).addr();
    let new = new.map(|action| KernelAction {
        flags: action.flags | SA_RESTORER,
        restorer: restorer as *const () as usize,
        ..*action
    });
    let new = new.as_ref().map_or(0, address);
    call(nr::RT_SIGACTION, [signal as usize, new, out, size_of::<u64>()])?;
    Ok(old)
}

/// Sets the calling thread's signal mask.
pub fn set_mask(mask: u64) {
    const SIG_SETMASK: usize = 2;
    let _ = call(nr::RT_SIGPROCMASK, [SIG_SETMASK, address(&mask), 0, size_of::<u64>()]);
}

/// The calling thread's signal mask.
pub fn mask() -> u64 {
    let mut mask = 0u64;
    let out = core::ptr::from_mut(&mut mask).addr();
    let _ = call(nr::RT_SIGPROCMASK, [0, 0, out, size_of::<u64>()]); // cannot fail
    mask
}

/// Takes a pending signal of the ticks' number that the calling thread has blocked.
pub fn take_pending_tick() -> Option<RawSigInfo> {
    let mut info = RawSigInfo::default();
    let out = core::ptr::from_mut(&mut info).addr();
    let (set, at_once) = (tick_bit(), [0u64; 2]);
    let arguments = [address(&set), out, address(&at_once), size_of::<u64>()];
    call(nr::RT_SIGTIMEDWAIT, arguments).is_ok().then_some(info)
}

/// A `siginfo_t`.
#[repr(C, align(8))]
#[derive(Default)]
pub struct RawSigInfo([u64; 16]);

impl RawSigInfo {
    pub fn as_ptr(&self) -> *const u8 {
        core::ptr::from_ref(self).cast()
    }
}

/// Sends a signal of the ticks' number that was taken, or is being handled, once more: to the process, or where the
/// kernel does not allow that with this `siginfo_t`, to the calling thread.
///
/// # Safety
/// `info` points to a `siginfo_t`.
#[allow(unsafe_code, reason = "passes on a pointer of the caller")]
pub unsafe fn send_again(pid: u32, tid: u32, info: *const u8, to_thread: bool) {
    let (pid, tid, signal) = (pid as usize, tid as usize, tick_signal() as usize);
    let to_process = || call(nr::RT_SIGQUEUEINFO, [pid, signal, info.addr()]);
    if to_thread || to_process().is_err() {
        let _ = call(nr::RT_TGSIGQUEUEINFO, [pid, tid, signal, info.addr()]);
    }
}
