//! The few ptrace requests that tests need, on x86-64. A failed request is a failed test.
//!
//! All functions are for the thread that has attached: ptrace knows its tracer by thread.
#![allow(unsafe_code, reason = "ptrace works on addresses and on unions")]

use std::ffi::c_long;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::{io, mem, ptr};

use nix::libc;

pub type Tid = libc::pid_t;

/// General registers, flags, and the bases of fs and gs.
pub type Registers = libc::user_regs_struct;

/// A stop or an end of a thread, as waitpid reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Exit status, or 128 and the signal.
    Ended(i32),
    /// About to take a signal.
    Signal(i32),
    /// At the entry to or the exit from a system call.
    Syscall,
    /// One of `PTRACE_EVENT_*`.
    Event(i32),
}

/// How a stopped thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    Freely,
    ToSyscall,
    OneInstruction,
}

/// A `siginfo_t`, as the kernel lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SigInfo {
    pub signal: i32,
    errno: i32,
    pub code: i32,
    padding: i32,
    pub timer: u32,
    pub overruns: i32,
    pub value: u64,
    rest: [u64; 12],
}

const _: () = assert!(size_of::<SigInfo>() == 128);

impl SigInfo {
    /// The same from another timer, which has expired once.
    pub fn of_timer(self, timer: u32, value: u64) -> Self {
        Self { timer, value, overruns: 0, ..self }
    }

    /// The process that has sent it, where that was no timer: it stands in the same place.
    pub fn sender(self) -> Option<Tid> {
        self.timer.try_into().ok()
    }
}

/// What precedes a signal number that means a system call.
const SYSCALL_STOP: i32 = 0x80;

fn request(request: u32, tid: Tid, address: usize, data: usize) -> c_long {
    // SAFETY: the callers pass addresses of memory of theirs, as large as the request wants it.
    let result = unsafe { libc::ptrace(request, tid, address, data) };
    let error = io::Error::last_os_error();
    assert!(result != -1, "ptrace request {request:#x} for thread {tid}: {error}");
    result
}

/// Attaches to a process and to all threads that it will make; it dies with us.
pub fn seize(pid: Tid) {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SEIZE, pid, 0, options as usize);
}

/// Starts a program that stops before its first instruction, where nothing is at random addresses.
/// It dies with us.
pub fn start(command: &mut Command) -> Child {
    let prepare = || {
        // SAFETY: both calls take numbers only; neither allocates nor locks.
        let is_ready = unsafe {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) != -1
                && libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != -1
        };
        if is_ready { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: `prepare` is async-signal-safe.
    let child = unsafe { command.pre_exec(prepare) }.spawn();
    let child = child.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let tid = child.id() as Tid;
    assert_eq!(wait(), Some((tid, Stop::Signal(libc::SIGTRAP))), "it stops behind exec");
    request(libc::PTRACE_SETOPTIONS, tid, 0, libc::PTRACE_O_EXITKILL as usize);
    child
}

/// Has all threads traced that a process will make; they stop before they begin.
pub fn trace_new_threads(pid: Tid) {
    let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACECLONE;
    request(libc::PTRACE_SETOPTIONS, pid, 0, options as usize);
}

/// Sends a signal to one thread of a process. It may have ended.
pub fn send(pid: Tid, tid: Tid, signal: i32) {
    // SAFETY: the call takes numbers only.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) };
}

/// Lets a thread go on; `signal` is delivered to it first, unless it is 0.
pub fn resume(tid: Tid, how: Go, signal: i32) {
    let how = match how {
        Go::Freely => libc::PTRACE_CONT,
        Go::ToSyscall => libc::PTRACE_SYSCALL,
        Go::OneInstruction => libc::PTRACE_SINGLESTEP,
    };
    request(how, tid, 0, signal as usize);
}

/// Waits for a traced thread. `None`: there are none any more.
pub fn wait() -> Option<(Tid, Stop)> {
    let mut status = 0;
    // SAFETY: `status` is ours.
    let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
    if tid == -1 {
        let error = io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::ECHILD), "waitpid: {error}");
        return None;
    }
    Some((tid, decoded(status)))
}

/// The same if there is something to be told already. `None`: not now.
pub fn poll() -> Option<(Tid, Stop)> {
    let mut status = 0;
    let flags = libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG;
    // SAFETY: `status` is ours.
    let tid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
    (tid > 0).then(|| (tid, decoded(status)))
}

fn decoded(status: i32) -> Stop {
    if libc::WIFEXITED(status) {
        return Stop::Ended(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Stop::Ended(128 + libc::WTERMSIG(status));
    }
    match (status >> 16, libc::WSTOPSIG(status)) {
        (0, signal) if signal == libc::SIGTRAP | SYSCALL_STOP => Stop::Syscall,
        (0, signal) => Stop::Signal(signal),
        (event, _) => Stop::Event(event),
    }
}

pub fn registers(tid: Tid) -> Registers {
    let mut registers = mem::MaybeUninit::<Registers>::uninit();
    request(libc::PTRACE_GETREGS, tid, 0, registers.as_mut_ptr() as usize);
    // SAFETY: the request has written all of them, or failed and never returned.
    unsafe { registers.assume_init() }
}

pub fn set_registers(tid: Tid, registers: &Registers) {
    request(libc::PTRACE_SETREGS, tid, 0, ptr::from_ref(registers) as usize);
}

/// The registers of the vector and floating-point units. Left out: the words in which the kernel
/// and the processor say which of them are not in their initial state; the values are complete.
pub fn vector_registers(tid: Tid) -> Vec<u8> {
    const NT_X86_XSTATE: usize = 0x202;
    const HEADER: std::ops::Range<usize> = 512..576;
    let mut bytes = vec![0u8; 16384];
    let mut range = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    request(libc::PTRACE_GETREGSET, tid, NT_X86_XSTATE, &raw mut range as usize);
    bytes.truncate(range.iov_len);
    bytes[HEADER].fill(0);
    bytes
}

/// The signals that a thread has blocked, bit 0 for signal 1.
pub fn signal_mask(tid: Tid) -> u64 {
    let mut mask = 0u64;
    request(libc::PTRACE_GETSIGMASK, tid, size_of::<u64>(), &raw mut mask as usize);
    mask
}

/// About the signal that the thread is about to take.
pub fn signal_info(tid: Tid) -> SigInfo {
    let mut info = mem::MaybeUninit::<SigInfo>::uninit();
    request(libc::PTRACE_GETSIGINFO, tid, 0, info.as_mut_ptr() as usize);
    // SAFETY: the request has written all 128 bytes, which may have any value.
    unsafe { info.assume_init() }
}

/// Makes the signal that the thread is about to take another one.
pub fn set_signal_info(tid: Tid, info: &SigInfo) {
    request(libc::PTRACE_SETSIGINFO, tid, 0, ptr::from_ref(info) as usize);
}

/// Stops the thread before it executes the instruction at one of these addresses, of which there
/// are four at most; they replace those given before.
pub fn set_breakpoints(tid: Tid, addresses: &[u64]) {
    const CONTROL: usize = 7;
    const ENABLED: usize = 1; // all other bits zero: execution, one byte
    let set = |register: usize, value: usize| {
        let offset = mem::offset_of!(libc::user, u_debugreg) + register * size_of::<u64>();
        request(libc::PTRACE_POKEUSER, tid, offset, value);
    };
    assert!(addresses.len() <= 4, "the processor has four");
    let mut control = 0;
    for (register, address) in addresses.iter().enumerate() {
        set(register, *address as usize);
        control |= ENABLED << (2 * register);
    }
    set(CONTROL, control);
}

/// The flag with which a thread passes a breakpoint that it stands at.
pub const RESUME_FLAG: u64 = 1 << 16;

/// Makes a thread stop once more at the breakpoint where it stands.
pub fn clear_resume_flag(tid: Tid, registers: &Registers) {
    if registers.eflags & RESUME_FLAG != 0 {
        let offset = mem::offset_of!(libc::user, regs) + mem::offset_of!(Registers, eflags);
        request(libc::PTRACE_POKEUSER, tid, offset, (registers.eflags & !RESUME_FLAG) as usize);
    }
}

/// Bytes of the memory of a thread.
pub fn read<const N: usize>(tid: Tid, address: u64) -> [u8; N] {
    let mut bytes = [0; N];
    let ours = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: N };
    let theirs = libc::iovec { iov_base: address as *mut _, iov_len: N };
    // SAFETY: `ours` are N bytes; the kernel checks the address of the other process.
    let count = unsafe { libc::process_vm_readv(tid, &ours, 1, &theirs, 1, 0) };
    assert_eq!(count, N as isize, "cannot read {N} bytes at {address:#x} of thread {tid}");
    bytes
}

/// Has a thread, or with 0 the calling one, run on one of the processors that it may use; always
/// the same one. A switch from tracer to tracee then wakes up no other processor.
pub fn share_a_processor(tid: Tid) {
    // SAFETY: both calls are given a cpu_set_t of ours and its size; all-zero is an empty set.
    unsafe {
        let mut allowed: libc::cpu_set_t = mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        assert_eq!(libc::sched_getaffinity(tid, size, &raw mut allowed), 0, "sched_getaffinity");
        let first = (0..libc::CPU_SETSIZE as usize).find(|cpu| libc::CPU_ISSET(*cpu, &allowed));
        let mut chosen: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(first.expect("it runs somewhere"), &mut chosen);
        assert_eq!(libc::sched_setaffinity(tid, size, &raw const chosen), 0, "sched_setaffinity");
    }
}
