//! Perf events that send SIGPROF to a thread.

use super::signal::tick_signal;
use super::{Errno, address, call, close};
use crate::arch::nr;

/// Opens an event on the task clock of thread `tid`, which sends it a signal every `period_ns`,
/// and lets it run. Its descriptor is `lowest` or higher, so that the program finds the numbers it
/// expects for its own files.
///
/// Source: perf_event_open(2), fcntl(2).
pub fn open_task_clock(
    tid: u32,
    period_ns: u64,
    without_kernel: bool,
    lowest: usize,
) -> Result<i32, Errno> {
    const SOFTWARE: u64 = 1;
    const TASK_CLOCK: u64 = 1;
    const SIZE: u64 = 64;
    const DISABLED: u64 = 1;
    const EXCLUDE_KERNEL: u64 = 1 << 5;
    const CLOSE_ON_EXEC: usize = 8;
    const ENABLE: usize = 0x2400;
    let any_cpu_no_group = usize::MAX;
    let flags = DISABLED | if without_kernel { EXCLUDE_KERNEL } else { 0 };
    // type and size, config, period, sample and read format, flags, wake up at each event
    let attributes = [SOFTWARE | SIZE << 32, TASK_CLOCK, period_ns, 0, 0, flags, 1, 0];
    let arguments =
        [address(&attributes), tid as usize, any_cpu_no_group, any_cpu_no_group, CLOSE_ON_EXEC];
    let event = move_up(call(nr::PERF_EVENT_OPEN, arguments)?, lowest)?;
    signal_thread(event, tid)
        .and_then(|()| call(nr::IOCTL, [event, ENABLE, 0]))
        .inspect_err(|_| close(event as i32))?;
    Ok(event as i32)
}

fn move_up(event: usize, lowest: usize) -> Result<usize, Errno> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    let higher = call(nr::FCNTL, [event, F_DUPFD_CLOEXEC, lowest]);
    close(event as i32);
    higher
}

fn signal_thread(event: usize, tid: u32) -> Result<(), Errno> {
    const F_SETFL: usize = 4;
    const F_SETSIG: usize = 10;
    const F_SETOWN_EX: usize = 15;
    const O_ASYNC: usize = 0o20000;
    const F_OWNER_TID: u32 = 0;
    call(nr::FCNTL, [event, F_SETOWN_EX, address(&[F_OWNER_TID, tid])])?;
    call(nr::FCNTL, [event, F_SETSIG, tick_signal() as usize])?;
    call(nr::FCNTL, [event, F_SETFL, O_ASYNC])?;
    Ok(())
}

/// Changes the time between two ticks of an event.
pub fn set_period(event: i32, period_ns: u64) {
    const PERIOD: usize = 0x4008_2404;
    let _ = call(nr::IOCTL, [event as usize, PERIOD, address(&period_ns)]); // else it stays as it is
}
