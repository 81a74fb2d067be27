//! The system calls of the agent, each as one small function. Async-signal-safe, all of them.
#![allow(unsafe_code, reason = "system calls take raw pointers")]

use core::{mem::MaybeUninit, ptr::null};

use crate::arch::{nr, restorer, syscall};

/// An error number, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u32);

/// No such process.
pub const ESRCH: Errno = Errno(3);
/// The signal that ticks arrive as.
pub const SIGPROF: i32 = 27;
/// All 64 signals.
pub const ALL_SIGNALS: u64 = u64::MAX;

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

/// The kernel's `struct sigaction`, which is not libc's.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct KernelAction {
    pub handler: usize,
    pub flags: u64,
    pub restorer: usize,
    pub mask: u64,
}

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

/// Creates a timer that sends SIGPROF with `cookie`. Returns the kernel's id.
pub fn timer_create(clock: i32, notify: Notify, cookie: u64) -> Result<u32, Errno> {
    const SIGEV_SIGNAL: i32 = 0;
    const SIGEV_THREAD_ID: i32 = 4;
    let (notify, tid) = match notify {
        Notify::Process => (SIGEV_SIGNAL, 0),
        Notify::Thread(tid) => (SIGEV_THREAD_ID, tid),
    };
    let event = SigEvent { value: cookie, signal: SIGPROF, notify, tid, pad: [0; 11] };
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

/// Whether a thread of this process exists.
pub fn thread_exists(pid: u32, tid: u32) -> bool {
    call(nr::TGKILL, [pid as usize, tid as usize, 0]) != Err(ESRCH)
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
pub fn set_signal_mask(mask: u64) {
    const SIG_SETMASK: usize = 2;
    let _ = call(nr::RT_SIGPROCMASK, [SIG_SETMASK, address(&mask), 0, size_of::<u64>()]);
}

/// Copies `into.len()` bytes from `from`, which need not be mapped; returns how many it could.
/// The request is split at page borders, as the kernel copies each part whole or not.
pub fn read_own_memory(pid: u32, from: u64, into: &mut [MaybeUninit<u8>]) -> usize {
    const PAGE: u64 = 4096;
    let length = (into.len() as u64).min(PAGE);
    let first = (PAGE - from % PAGE).min(length);
    let local = [into.as_mut_ptr() as u64, length];
    let remote = [[from, first], [from.wrapping_add(first), length - first]];
    call(nr::PROCESS_VM_READV, [pid as usize, address(&local), 1, address(&remote), 2, 0])
        .unwrap_or(0)
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

/// Makes one page at `page` inaccessible.
///
/// # Safety
/// The page belongs to the caller and nobody uses it.
pub unsafe fn guard(page: *mut u8) {
    let _ = call(nr::MPROTECT, [page.addr(), 4096, 0]);
}

/// A connected socket that closes when dropped.
pub struct Socket(i32);

impl Drop for Socket {
    fn drop(&mut self) {
        close(self.0);
    }
}

pub fn close(descriptor: i32) {
    let _ = call(nr::CLOSE, [descriptor as usize]);
}

const SOL_SOCKET: usize = 1;

impl Socket {
    /// Connects to the Unix socket at `path` (a name of a file, without NUL), SOCK_SEQPACKET.
    /// Neither sends nor receives wait longer than `patience_ns`.
    pub fn connect(path: &[u8], patience_ns: u64) -> Result<Self, Errno> {
        const AF_UNIX: u16 = 1;
        const SEQPACKET_CLOEXEC: usize = 5 | 0o2000000;
        const SO_RCVTIMEO: usize = 20;
        const SO_SNDTIMEO: usize = 21;
        const ENAMETOOLONG: Errno = Errno(36);
        #[repr(C)]
        struct Address {
            family: u16,
            path: [u8; 108],
        }
        let mut to = Address { family: AF_UNIX, path: [0; 108] };
        // One byte is left for the NUL.
        let room = to.path.get_mut(..107).and_then(|room| room.get_mut(..path.len()));
        room.ok_or(ENAMETOOLONG)?.copy_from_slice(path);
        let socket = call(nr::SOCKET, [AF_UNIX as usize, SEQPACKET_CLOEXEC, 0])?;
        let socket = Self(socket as i32);
        let patience = [Timespec::from_ns(patience_ns).seconds, 0];
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            call(nr::SETSOCKOPT, [socket.number(), SOL_SOCKET, option, address(&patience), 16])?;
        }
        call(nr::CONNECT, [socket.number(), address(&to), size_of::<Address>()])?;
        Ok(socket)
    }

    fn number(&self) -> usize {
        self.0 as usize
    }

    /// Effective user at the other end when it began to listen.
    pub fn peer_user(&self) -> Result<u32, Errno> {
        const SO_PEERCRED: usize = 17;
        let mut credentials = [0u32; 3];
        let mut length = size_of_val(&credentials) as u32;
        let out = core::ptr::from_mut(&mut credentials).addr();
        let length_out = core::ptr::from_mut(&mut length).addr();
        call(nr::GETSOCKOPT, [self.number(), SOL_SOCKET, SO_PEERCRED, out, length_out])?;
        let [_pid, user, _group] = credentials;
        Ok(user)
    }

    /// Sends one message. A peer that is gone is an error, not SIGPIPE.
    pub fn send(&self, message: &[u8]) -> Result<(), Errno> {
        const MSG_NOSIGNAL: usize = 0x4000;
        let (start, length) = (message.as_ptr().addr(), message.len());
        call(nr::SENDTO, [self.number(), start, length, MSG_NOSIGNAL, 0, 0]).map(drop)
    }

    /// Receives one message of `N` bytes with the two descriptors that come with it.
    pub fn receive<const N: usize>(&self) -> Result<([u8; N], [i32; 2]), Errno> {
        const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
        const EPROTO: Errno = Errno(71);
        #[repr(C)]
        struct Ancillary {
            length: usize,
            level: i32,
            kind: i32,
            descriptors: [i32; 2],
        }
        #[repr(C)]
        struct Message {
            name: *const u8,
            name_length: u32,
            parts: *mut [usize; 2],
            part_count: usize,
            control: *mut Ancillary,
            control_length: usize,
            flags: i32,
        }
        let mut bytes = [MaybeUninit::<u8>::zeroed(); N];
        let mut part = [bytes.as_mut_ptr().addr(), N];
        let mut ancillary = Ancillary { length: 0, level: 0, kind: 0, descriptors: [-1; 2] };
        let mut message = Message {
            name: null(),
            name_length: 0,
            parts: &mut part,
            part_count: 1,
            control: &mut ancillary,
            control_length: size_of::<Ancillary>(),
            flags: 0,
        };
        let out = core::ptr::from_mut(&mut message).addr();
        let received = call(nr::RECVMSG, [self.number(), out, MSG_CMSG_CLOEXEC])?;
        if received != N || message.control_length != size_of::<Ancillary>() {
            return Err(EPROTO);
        }
        // SAFETY: all bytes were zeroed above, whatever the kernel wrote since.
        Ok((bytes.map(|byte| unsafe { byte.assume_init() }), ancillary.descriptors))
    }
}
