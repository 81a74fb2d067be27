//! Whether perf events can be opened.
#![allow(unsafe_code, reason = "perf_event_open has no safe wrapper")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::libc;

/// Opens an event on this thread's task clock, as `--clock perf` does, and closes it.
///
/// Source: perf_event_open(2), `struct perf_event_attr` of the size PERF_ATTR_SIZE_VER0.
pub fn try_to_open(with_kernel: bool) -> io::Result<()> {
    const SIZE: u64 = 64;
    const SOFTWARE: u64 = 1;
    const TASK_CLOCK: u64 = 1;
    const PERIOD_NS: u64 = 10_000_000;
    const DISABLED: u64 = 1;
    const EXCLUDE_KERNEL: u64 = 1 << 5;
    const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
    let flags = DISABLED | if with_kernel { 0 } else { EXCLUDE_KERNEL };
    let attributes: [u64; 8] = [SOFTWARE | SIZE << 32, TASK_CLOCK, PERIOD_NS, 0, 0, flags, 0, 0];
    let (this_thread, any_cpu, no_group): (libc::pid_t, libc::c_int, RawFd) = (0, -1, -1);
    // SAFETY: the attributes are as long as they say and live until the call returns.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            attributes.as_ptr(),
            this_thread,
            any_cpu,
            no_group,
            CLOSE_ON_EXEC,
        )
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) });
    Ok(())
}
