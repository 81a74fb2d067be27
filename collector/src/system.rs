//! Small questions to the kernel about time and processes.
#![allow(unsafe_code, reason = "pidfd_open and wait4 have no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_getcpuclockid, clock_getres, clock_gettime};
use nix::unistd::Pid;

/// CLOCK_MONOTONIC, ns.
pub fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

/// CPU time of this thread so far.
pub fn own_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// CPU time charged to a process so far, ns; also to one that has ended and was not waited for.
pub fn cpu_ns(pid: u32) -> Option<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid as i32)).ok()?;
    clock_gettime(clock).ok().map(|time| Duration::from(time).as_nanos() as u64)
}

/// A descriptor that polls as readable when the process has ended.
pub fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and returns a new descriptor, closed on exec.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(descriptor as i32))
    }
}

/// Length of the kernel's tick, ns: the resolution of its coarse clock.
pub fn kernel_tick_ns() -> u64 {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE);
    tick.map_or(4_000_000, |tick| Duration::from(tick).as_nanos() as u64)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As a shell reports it: the exit status, or 128 + the signal.
    pub exit_code: i32,
    /// CPU time of the child and of the descendants that it has waited for, ns.
    pub cpu_ns: u64,
}

/// Waits for a child that has ended; `None` while it runs.
pub fn try_wait(pid: u32) -> io::Result<Option<Ended>> {
    wait_with(pid, libc::WNOHANG)
}

/// Waits for a child to end.
pub fn wait(pid: u32) -> io::Result<Ended> {
    wait_with(pid, 0)?.ok_or_else(|| io::ErrorKind::Interrupted.into())
}

fn wait_with(pid: u32, options: i32) -> io::Result<Option<Ended>> {
    let mut status = 0;
    // SAFETY: a rusage of zeros is valid, and both pointers are good for the call.
    let (waited, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid as i32, &mut status, options, &mut usage), usage)
    };
    match waited {
        0 => return Ok(None),
        -1 => return Err(io::Error::last_os_error()),
        _ => {}
    }
    let exit_code = if libc::WIFSIGNALED(status) {
        128 + libc::WTERMSIG(status)
    } else {
        libc::WEXITSTATUS(status)
    };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    Ok(Some(Ended { exit_code, cpu_ns: ns(usage.ru_utime) + ns(usage.ru_stime) }))
}

/// Whether a descriptor polls as readable.
pub fn is_readable(descriptor: &impl AsFd) -> bool {
    let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The process that has made this one, or has inherited it.
pub fn parent_of(pid: u32) -> Option<u32> {
    stat_field(&format!("/proc/{pid}/stat"), 4)?.try_into().ok().filter(|&parent| parent != 0)
}

/// When a thread began, CLOCK_MONOTONIC in ns. (The kernel counts from the start of the machine,
/// times of sleep included, in hundredths of a second.)
pub fn thread_start_ns(pid: u32, tid: u32) -> Option<u64> {
    const TICK_NS: u64 = 10_000_000;
    let started_ns = stat_field(&format!("/proc/{pid}/task/{tid}/stat"), 22)? * TICK_NS;
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    let asleep_ns = (Duration::from(since_boot).as_nanos() as u64).saturating_sub(monotonic_ns());
    Some(started_ns.saturating_sub(asleep_ns))
}

/// Where the stack begins of the program that a thread runs in, as an address; 0 if that is kept
/// from us, or if the thread has ended and is still there.
pub fn stack_start(pid: u32, tid: u32) -> Option<u64> {
    stat_field(&format!("/proc/{pid}/task/{tid}/stat"), 28)
}

/// Field `number`, from 1, of a file like `/proc/PID/stat`; the second may hold anything.
fn stat_field(path: &str, number: usize) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let (_, behind_name) = text.rsplit_once(')')?;
    behind_name.split_whitespace().nth(number - 3)?.parse().ok()
}

/// The name of a thread, and of a process where `tid` is its pid.
pub fn thread_name(pid: u32, tid: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
}

/// File name of the executable of a process.
pub fn process_name(pid: u32) -> String {
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let name = executable.as_deref().and_then(|path| path.file_name());
    let name = name.map(|name| name.to_string_lossy().trim_end_matches(" (deleted)").to_owned());
    name.or_else(|| thread_name(pid, pid)).unwrap_or_else(|| pid.to_string())
}

/// Pages of address space that a process has: a cheap sign that its mappings have changed.
pub fn address_space_pages(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    text.split(' ').next()?.parse().ok()
}
