//! Everything in the agent that knows the processor: system calls, the way into and out of the
//! handler, and where the kernel puts registers on a signal frame.
#![allow(unsafe_code, reason = "system calls and the entry of the handler are assembly")]

use core::arch::{asm, naked_asm};

use sigspy_unwind::Registers;

use crate::handler::handle;
use crate::{agent, sys};

/// Numbers of the system calls that the agent makes.
pub mod nr {
    pub const WRITE: usize = 1;
    pub const OPEN: usize = 2;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const MPROTECT: usize = 10;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16;
    pub const MADVISE: usize = 28;
    pub const DUP2: usize = 33;
    pub const SETITIMER: usize = 38;
    pub const GETPID: usize = 39;
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const SENDTO: usize = 44;
    pub const RECVMSG: usize = 47;
    pub const SOCKETPAIR: usize = 53;
    pub const SETSOCKOPT: usize = 54;
    pub const GETSOCKOPT: usize = 55;
    pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const FCNTL: usize = 72;
    pub const GETEUID: usize = 107;
    pub const SETSID: usize = 112;
    pub const RT_SIGTIMEDWAIT: usize = 128;
    pub const RT_SIGQUEUEINFO: usize = 129;
    pub const PRCTL: usize = 157;
    pub const GETTID: usize = 186;
    pub const TIMER_CREATE: usize = 222;
    pub const TIMER_SETTIME: usize = 223;
    pub const TIMER_DELETE: usize = 226;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const TGKILL: usize = 234;
    pub const RT_TGSIGQUEUEINFO: usize = 297;
    pub const PERF_EVENT_OPEN: usize = 298;
    pub const PRLIMIT64: usize = 302;
    pub const PROCESS_VM_READV: usize = 310;
}

/// A raw system call: the result, or minus the error number. Async-signal-safe.
///
/// # Safety
/// As the system call itself: pointers among `arguments` must be valid for what it does.
pub unsafe fn syscall(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the instruction clobbers rcx and r11 only, and touches no stack; what it does to
    // memory is for the caller to answer for.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// What the kernel calls for a tick. It has a few hundred bytes to spend here: the stack may
/// be an alternate stack of just the size that the kernel asks for. So it moves to a stack of
/// ours, lets `handle` do the work there, and moves back.
///
/// `handle` says what the program wants done about a signal of its own: a [`Wanted`]. The mask is set
/// here, as nothing but this stack may be in use when the next signal comes; then the program's
/// handler takes our place, with all of our stack, or with the frame on another one.
#[unsafe(naked)]
pub extern "C" fn sigprof_entry(signal: i32, info: *const u8, context: *mut u8) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push rsi",     // rbp - 16: info
        "push rdx",     // rbp - 24: context
        "push rdi",     // rbp - 32: signal
        "sub rsp, 32",  // rbp - 64: wanted, as handler, mask, frame
        "mov rdi, rsp",
        "call {claim_stack}",
        "mov rbx, rax",
        "mov rdi, [rbp - 16]",
        "mov rsi, [rbp - 24]",
        "lea rdx, [rbp - 64]",
        "test rax, rax",
        "cmovz rax, rsp", // none is free: this one has to do
        "mov rsp, rax",
        "call {handle}",
        "lea rsp, [rbp - 64]",
        "mov rdi, rbx",
        "call {release_stack}",
        "cmp qword ptr [rbp - 64], 0",
        "jne 2f",
        "mov rbx, [rbp - 8]",
        "leave",
        "ret",
        "2:",
        "mov eax, {rt_sigprocmask}",
        "mov edi, 2", // SIG_SETMASK
        "lea rsi, [rbp - 56]",
        "xor edx, edx",
        "mov r10d, 8",
        "syscall",
        "mov rax, [rbp - 64]",
        "mov rcx, [rbp - 48]",
        "mov edi, [rbp - 32]",
        "mov rsi, [rbp - 16]",
        "mov rdx, [rbp - 24]",
        "mov rbx, [rbp - 8]",
        "leave",
        "test rcx, rcx",
        "jz 3f",
        "mov rsp, rcx", // the frame, whose first word is the return address
        "lea rdx, [rcx + {context}]",
        "lea rsi, [rcx + {info}]",
        "3:",
        "jmp rax",
        claim_stack = sym claim_stack,
        handle = sym handle,
        release_stack = sym release_stack,
        rt_sigprocmask = const nr::RT_SIGPROCMASK,
        context = const frame::CONTEXT,
        info = const frame::INFO,
    )
}

/// Threads look for a stack each in its own place.
extern "C" fn claim_stack(sp: usize) -> *mut u8 {
    agent::get().map_or(core::ptr::null_mut(), |agent| agent.stacks.claim(sp))
}

extern "C" fn release_stack(top: *mut u8) {
    if let (Some(agent), false) = (agent::get(), top.is_null()) {
        agent.stacks.release(top);
    }
}

/// What a new thread runs when it is to be armed at its start: `cell` becomes the function and
/// argument that the program wants, and this frame vanishes before the jump to it.
#[cfg(sigspy_agent)]
#[unsafe(naked)]
pub extern "C" fn thread_entry(cell: *mut core::ffi::c_void) -> *mut core::ffi::c_void {
    naked_asm!(
        "sub rsp, 24",
        "mov rsi, rsp",
        "call {arm_and_take}",
        "mov rax, [rsp]",
        "mov rdi, [rsp + 8]",
        "add rsp, 24",
        "jmp rax",
        arm_and_take = sym crate::interpose::thread_start::arm_and_take,
    )
}

/// Functions with variable arguments that replace the program: those that came in registers are
/// stored in a row, the others lie on the stack.
#[cfg(sigspy_agent)]
macro_rules! variadic_exec {
    ($($name:ident $number:literal),*) => { $(
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push rbp",
                ".cfi_def_cfa_offset 16",
                ".cfi_offset rbp, -16",
                "mov rbp, rsp",
                ".cfi_def_cfa_register rbp",
                "sub rsp, 48",
                "mov [rbp - 40], rsi",
                "mov [rbp - 32], rdx",
                "mov [rbp - 24], rcx",
                "mov [rbp - 16], r8",
                "mov [rbp - 8], r9",
                "mov rsi, rdi",
                "mov edi, {number}",
                "lea rdx, [rbp - 40]",
                "lea rcx, [rbp + 16]",
                "call {call}",
                "leave",
                ".cfi_def_cfa rsp, 8",
                "ret",
                ".cfi_endproc",
                number = const $number,
                call = sym crate::interpose::call_variadic_exec,
            )
        }
    )* }
}
#[cfg(sigspy_agent)]
variadic_exec!(execl 0, execle 1, execlp 2);

/// In front of libc's, which looks at its return address to know who calls: so it is jumped to.
#[cfg(sigspy_agent)]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub extern "C" fn dlopen() {
    naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {before}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        before = sym crate::interpose::before_dlopen,
    )
}

/// What the handler returns to. The bytes are the ones that unwinders know a signal frame by
/// (libgcc, gdb): `mov rax, 15` in its long form, then `syscall`.
#[unsafe(naked)]
pub extern "C" fn restorer() {
    naked_asm!(".byte 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0", "syscall")
}

/// Offsets into `struct ucontext` (linux/arch/x86/include/uapi/asm/sigcontext.h and ucontext.h).
mod ucontext {
    pub const R8: usize = 40;
    pub const RDI: usize = 104;
    pub const RSI: usize = 112;
    pub const RBP: usize = 120;
    pub const RBX: usize = 128;
    pub const RDX: usize = 136;
    pub const RAX: usize = 144;
    pub const RCX: usize = 152;
    pub const RSP: usize = 160;
    pub const RIP: usize = 168;
    pub const SIGMASK: usize = 296;
}

/// The signal frame: a return address, `struct ucontext`, `siginfo_t`. The floating-point state lies
/// elsewhere (linux/arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h).
mod frame {
    pub const CONTEXT: usize = 8;
    pub const INFO: usize = CONTEXT + 304;
    pub const LENGTH: usize = INFO + 128;
    /// In the context: the alternate stack, as address, flags, size.
    pub const STACK: usize = 16;
    /// In the context: the address of the floating-point state.
    pub const STATE: usize = 224;
    /// In that state: a magic number, then its length.
    pub const STATE_MAGIC: usize = 464;
    pub const MAGIC: u32 = 0x4650_5853;
    pub const LEGACY_STATE: usize = 512;
}

/// Copies the signal frame from the alternate stack to the stack that was interrupted, for a handler
/// that runs there. Returns where it is now; 0: it was not on an alternate stack. Async-signal-safe,
/// as far as the program's stack goes on: the kernel would have written there just the same.
///
/// # Safety
/// As for [`block_on_return`].
pub unsafe fn move_frame(context: *mut u8) -> usize {
    // SAFETY: the caller passes a kernel-made ucontext_t, and with it the frame that it is part of.
    unsafe {
        let word = |offset: usize| context.add(offset).cast::<usize>().read();
        let (bottom, size) = (word(frame::STACK), word(frame::STACK + 16));
        let sp = word(ucontext::RSP);
        let is_on_it = |address: usize| address.wrapping_sub(bottom) < size;
        if !is_on_it(context.addr()) || is_on_it(sp) {
            return 0;
        }
        let state = word(frame::STATE) as *const u8;
        let length = state_length(state);
        let new_state = (sp - RED_ZONE as usize - length) & !63;
        let new_frame = ((new_state - frame::LENGTH) & !15) - 8;
        // Near the end of that stack, where the kernel would have sent SIGSEGV instead, the alternate
        // one has to do.
        let below_red_zone = sp - RED_ZONE as usize - 8;
        if !sys::is_writable(new_frame) || !sys::is_writable(below_red_zone) {
            return 0;
        }
        let to = new_frame as *mut u8;
        to.copy_from_nonoverlapping(context.sub(frame::CONTEXT), frame::LENGTH);
        if !state.is_null() {
            (new_state as *mut u8).copy_from_nonoverlapping(state, length);
            to.add(frame::CONTEXT + frame::STATE).cast::<usize>().write(new_state);
        }
        new_frame
    }
}

unsafe fn state_length(state: *const u8) -> usize {
    if state.is_null() {
        return 0;
    }
    // SAFETY: the caller passes the state of a signal frame, which is as long as the legacy one or
    // says that it is longer.
    unsafe {
        let magic = state.add(frame::STATE_MAGIC).cast::<u32>().read();
        let length = state.add(frame::STATE_MAGIC + 4).cast::<u32>().read();
        if magic == frame::MAGIC { length as usize } else { frame::LEGACY_STATE }
    }
}

/// Bytes below the stack pointer that functions may use (System V ABI).
pub const RED_ZONE: u64 = 128;

/// The interrupted registers. Async-signal-safe.
///
/// # Safety
/// `context` is what the kernel passed to the handler that is now running.
pub unsafe fn registers(context: *const u8) -> Registers {
    use ucontext::*;
    // SAFETY: the caller passes a kernel-made ucontext_t, which is longer than any offset here.
    let word = |offset: usize| unsafe { context.add(offset).cast::<u64>().read() };
    let high = |index: usize| word(R8 + index * 8);
    Registers {
        general: [
            word(RAX),
            word(RDX),
            word(RCX),
            word(RBX),
            word(RSI),
            word(RDI),
            word(RBP),
            word(RSP),
            high(0),
            high(1),
            high(2),
            high(3),
            high(4),
            high(5),
            high(6),
            high(7),
        ],
        pc: word(RIP),
    }
}

/// The interrupted stack pointer. Async-signal-safe.
pub fn stack_pointer(registers: &Registers) -> u64 {
    let [_, _, _, _, _, _, _, sp, ..] = registers.general;
    sp
}

/// The signal mask to which the kernel will return. Async-signal-safe.
///
/// # Safety
/// As for [`registers`].
pub unsafe fn interrupted_mask(context: *const u8) -> u64 {
    // SAFETY: as in `registers`.
    unsafe { context.add(ucontext::SIGMASK).cast::<u64>().read() }
}

/// The instruction that makes a system call.
pub const SYSTEM_CALL: [u8; 2] = [0x0f, 0x05];
/// `mov eax, 14; syscall`: how C libraries and Go call rt_sigprocmask.
pub const RT_SIGPROCMASK: [u8; 7] = [0xb8, nr::RT_SIGPROCMASK as u8, 0, 0, 0, 0x0f, 0x05];

/// Blocks more signals on the return from the handler. Async-signal-safe.
///
/// # Safety
/// As for [`registers`], and nobody else uses the context meanwhile.
pub unsafe fn block_on_return(context: *mut u8, signals: u64) {
    // SAFETY: as in `registers`.
    unsafe {
        let mask = context.add(ucontext::SIGMASK).cast::<u64>();
        mask.write(mask.read() | signals);
    }
}

/// The addresses of two symbols of the C library, 0 where it has no such symbol. Weak
/// references: the loader shall not mind.
#[cfg(sigspy_agent)]
mod weak {
    use super::naked_asm;

    /// Of `environ`.
    #[unsafe(naked)]
    pub extern "C" fn weak_environ() -> usize {
        naked_asm!(".weak environ", "mov rax, [rip + environ@GOTPCREL]", "ret")
    }

    /// Of `getauxval`.
    #[unsafe(naked)]
    pub extern "C" fn weak_getauxval() -> usize {
        naked_asm!(".weak getauxval", "mov rax, [rip + getauxval@GOTPCREL]", "ret")
    }
}
#[cfg(sigspy_agent)]
pub use weak::{weak_environ, weak_getauxval};

#[cfg(sigspy_agent)]
mod memory {
    //! What the compiler calls for copies, in place of libc's. Global assembly keeps the names
    //! out of the dynamic symbols: exported, they would replace the program's own.
    core::arch::global_asm!(
        ".hidden memcpy, memmove, memset, memcmp, bcmp, strlen",
        ".globl memcpy, memmove, memset, memcmp, bcmp, strlen",
        "memcpy:",
        "mov rax, rdi",
        "mov rcx, rdx",
        "rep movsb",
        "ret",
        "memmove:",
        "mov rax, rdi",
        "mov rcx, rdx",
        "cmp rdi, rsi",
        "jbe 2f",
        "lea rdi, [rdi + rcx - 1]",
        "lea rsi, [rsi + rcx - 1]",
        "std",
        "rep movsb",
        "cld",
        "ret",
        "2:",
        "rep movsb",
        "ret",
        "memset:",
        "mov r8, rdi",
        "mov eax, esi",
        "mov rcx, rdx",
        "rep stosb",
        "mov rax, r8",
        "ret",
        "memcmp:",
        "bcmp:",
        "mov rcx, rdx",
        "xor eax, eax",
        "test rcx, rcx",
        "jz 3f",
        "repe cmpsb",
        "je 3f",
        "movzx eax, byte ptr [rdi - 1]",
        "movzx ecx, byte ptr [rsi - 1]",
        "sub eax, ecx",
        "3:",
        "ret",
        "strlen:",
        "xor eax, eax",
        "4:",
        "cmp byte ptr [rdi + rax], 0",
        "je 5f",
        "inc rax",
        "jmp 4b",
        "5:",
        "ret",
    );
}
