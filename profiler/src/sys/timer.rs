//! Timers that send SIGPROF.

use super::signal::tick_signal;
use super::{Errno, Timespec, address, call};
use crate::arch::nr;

/// Who gets the signal of a timer.
#[derive(Clone, Copy)]
pub enum Notify {
    /// Any thread of the process, if possible the one that runs.
    Process,
    /// This thread.
    Thread(u32),
}

#[repr(C)]
struct SigEvent {
    value: u64,
    signal: i32,
    notify: i32,
    tid: u32,
    pad: [u32; 11],
}

/// Creates a timer that sends SIGPROF with `cookie`. Returns the kernel's id.
pub fn timer_create(clock: i32, notify: Notify, cookie: u64) -> Result<u32, Errno> {
    const SIGEV_SIGNAL: i32 = 0;
    const SIGEV_THREAD_ID: i32 = 4;
    let (notify, tid) = match notify {
        Notify::Process => (SIGEV_SIGNAL, 0),
        Notify::Thread(tid) => (SIGEV_THREAD_ID, tid),
    };
    let event = SigEvent { value: cookie, signal: tick_signal(), notify, tid, pad: [0; 11] };
    let mut id = 0u32;
    let out = core::ptr::from_mut(&mut id).addr();
    call(nr::TIMER_CREATE, [clock as usize, address(&event), out])?;
    Ok(id)
}

/// Lets a timer expire after `first_ns` of its clock, then every `period_ns`.
pub fn timer_start(id: u32, first_ns: u64, period_ns: u64) -> Result<(), Errno> {
    let setting = [Timespec::from_ns(period_ns), Timespec::from_ns(first_ns)];
    call(nr::TIMER_SETTIME, [id as usize, 0, address(&setting), 0]).map(drop)
}

pub fn timer_delete(id: u32) {
    let _ = call(nr::TIMER_DELETE, [id as usize]); // a timer that is gone is what we want
}

/// Sets ITIMER_PROF; `period_ns` 0 stops it.
pub fn set_profiling_itimer(first_ns: u64, period_ns: u64) -> Result<(), Errno> {
    const ITIMER_PROF: usize = 2;
    let microseconds = |ns: u64| ns.div_ceil(1000);
    let split = |us: u64| [us / 1_000_000, us % 1_000_000];
    let setting = [split(microseconds(period_ns)), split(microseconds(first_ns))];
    call(nr::SETITIMER, [ITIMER_PROF, address(&setting), 0]).map(drop)
}
