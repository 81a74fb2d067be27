//! The system calls of the agent, each as one small function. Async-signal-safe, all of them.
#![allow(unsafe_code, reason = "system calls take raw pointers")]

use core::mem::MaybeUninit;

pub mod perf;
pub mod process;
pub mod signal;
pub mod socket;
pub mod timer;

use crate::arch::{nr, syscall};

/// An error number, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u32);

/// No such process.
pub const ESRCH: Errno = Errno(3);
/// CPU time of the calling thread.
pub const CLOCK_THREAD_CPUTIME: i32 = 3;
/// CPU time of the process.
pub const CLOCK_PROCESS_CPUTIME: i32 = 2;
/// Never goes back.
pub const CLOCK_MONOTONIC: i32 = 1;

/// The same, as of the kernel's last tick.
pub const CLOCK_MONOTONIC_COARSE: i32 = 6;

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Timespec {
    pub seconds: i64,
    pub nanoseconds: i64,
}

const NS_PER_S: u64 = 1_000_000_000;

impl Timespec {
    /// Nanoseconds as the kernel wants them.
    pub fn from_ns(ns: u64) -> Self {
        Self { seconds: (ns / NS_PER_S) as i64, nanoseconds: (ns % NS_PER_S) as i64 }
    }

    /// In nanoseconds.
    pub fn as_ns(self) -> u64 {
        (self.seconds as u64).wrapping_mul(NS_PER_S).wrapping_add(self.nanoseconds as u64)
    }
}

fn check(result: isize) -> Result<usize, Errno> {
    if result < 0 { Err(Errno(result.unsigned_abs() as u32)) } else { Ok(result as usize) }
}

fn call<const N: usize>(number: usize, arguments: [usize; N]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    for (slot, argument) in all.iter_mut().zip(arguments) {
        *slot = argument;
    }
    // SAFETY: every function of this file passes pointers that are valid for its own call, as it
    // makes them from references; what it cannot know (a file descriptor, an address to read in
    // another process) the kernel checks.
    check(unsafe { syscall(number, all) })
}

fn address<T>(of: &T) -> usize {
    core::ptr::from_ref(of).addr()
}

pub fn getpid() -> u32 {
    call(nr::GETPID, []).unwrap_or(0) as u32
}

pub fn gettid() -> u32 {
    call(nr::GETTID, []).unwrap_or(0) as u32
}

/// The bytes of the calling thread's name as words, with zeros behind them.
pub fn thread_name() -> [u64; 2] {
    const PR_GET_NAME: usize = 16;
    let mut name = [0; 2];
    // The kernel writes through this pointer, so it comes from a unique reference.
    let out = core::ptr::from_mut(&mut name).addr();
    let _ = call(nr::PRCTL, [PR_GET_NAME, out]); // cannot fail with a valid pointer
    name
}

pub fn geteuid() -> u32 {
    call(nr::GETEUID, []).unwrap_or(u32::MAX as usize) as u32
}

/// Nanoseconds on a clock; 0 where the clock does not exist.
pub fn clock_ns(clock: i32) -> u64 {
    let mut time = Timespec::default();
    // The kernel writes through this pointer, so it comes from a unique reference.
    let out = core::ptr::from_mut(&mut time).addr();
    call(nr::CLOCK_GETTIME, [clock as usize, out]).map_or(0, |_| time.as_ns())
}

/// Whether a thread of this process exists.
pub fn thread_exists(pid: u32, tid: u32) -> bool {
    call(nr::TGKILL, [pid as usize, tid as usize, 0]) != Err(ESRCH)
}

/// Copies `into.len()` bytes from `from`, which need not be mapped; returns how many it could.
/// `tid` is the calling thread: the process has no memory by its pid once its first thread is gone.
/// The request is split at page borders, as the kernel copies each part whole or not.
pub fn read_own_memory(tid: u32, from: u64, into: &mut [MaybeUninit<u8>]) -> usize {
    const PAGE: u64 = 4096;
    let length = (into.len() as u64).min(PAGE);
    let first = (PAGE - from % PAGE).min(length);
    let local = [into.as_mut_ptr() as u64, length];
    let remote = [[from, first], [from.wrapping_add(first), length - first]];
    call(nr::PROCESS_VM_READV, [tid as usize, address(&local), 1, address(&remote), 2, 0])
        .unwrap_or(0)
}

/// Whether the word at `address` can be read: the kernel reads it as a signal mask, and then
/// finds that it is to do nothing that it knows with it.
pub fn is_readable(address: u64) -> bool {
    const NO_SUCH_CHANGE: usize = usize::MAX;
    const EFAULT: Errno = Errno(14);
    let arguments = [NO_SUCH_CHANGE, address as usize, 0, size_of::<u64>()];
    call(nr::RT_SIGPROCMASK, arguments) != Err(EFAULT)
}

/// Whether the word at `address` can be written; it is overwritten by that.
///
/// # Safety
/// What lies there is of no use to anybody.
pub unsafe fn is_writable(address: usize) -> bool {
    call(nr::RT_SIGPROCMASK, [0, 0, address, size_of::<u64>()]).is_ok()
}

/// Anonymous private memory that can be read and written.
pub fn map_anonymous(length: usize) -> Result<*mut u8, Errno> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS_NORESERVE: usize = 0x2 | 0x20 | 0x4000;
    let no_descriptor = usize::MAX;
    call(nr::MMAP, [0, length, READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE, no_descriptor, 0])
        .map(|address| address as *mut u8)
}

/// Maps a whole file shared.
pub fn map_shared(descriptor: i32, length: usize, writable: bool) -> Result<*mut u8, Errno> {
    const SHARED: usize = 1;
    let protection = if writable { 3 } else { 1 };
    call(nr::MMAP, [0, length, protection, SHARED, descriptor as usize, 0])
        .map(|address| address as *mut u8)
}

/// Makes one page at `page` inaccessible, for as long as the mapping lasts.
///
/// # Safety
/// The page belongs to the caller and nobody uses it.
pub unsafe fn guard(page: *mut u8) {
    const MADV_GUARD_INSTALL: usize = 102; // Linux 6.13; splits no mapping
    if call(nr::MADVISE, [page.addr(), 4096, MADV_GUARD_INSTALL]).is_err() {
        let _ = call(nr::MPROTECT, [page.addr(), 4096, 0]);
    }
}

/// The descriptors that this process may have: the limit on their numbers.
pub fn descriptor_limit() -> u64 {
    const RLIMIT_NOFILE: usize = 7;
    let mut limits = [0u64; 2];
    let out = core::ptr::from_mut(&mut limits).addr();
    let [soft, _hard] = match call(nr::PRLIMIT64, [0, RLIMIT_NOFILE, 0, out]) {
        Ok(_) => limits,
        Err(_) => [0; 2],
    };
    soft
}

/// Writes to standard error, if that can be written to.
pub fn write_error(text: &[u8]) {
    let _ = call(nr::WRITE, [2, text.as_ptr().addr(), text.len()]);
}

pub fn close(descriptor: i32) {
    let _ = call(nr::CLOSE, [descriptor as usize]);
}
