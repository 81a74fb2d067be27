//! What the program itself wants done about SIGPROF.
//!
//! Our handler is the one that the kernel knows. The program's own action is kept here: the
//! interposed `sigaction` and `signal` set and report it, and signals that are not ours are
//! dealt with accordingly, as if we were not there.
#![allow(unsafe_code, reason = "calls the program's signal handler")]

use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::arch;
use crate::sys::{self, KernelAction, SIGPROF};

const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SA_NODEFER: u64 = 0x4000_0000;
const SA_RESETHAND: u64 = 0x8000_0000;

/// The program's action. Two copies: `current` says which one is valid, so that a signal which
/// comes in the middle of a change sees the old one.
#[derive(Default)]
pub struct Disposition {
    current: AtomicUsize,
    copies: [Copy; 2],
}

#[derive(Default)]
struct Copy {
    handler: AtomicUsize,
    flags: AtomicU64,
    restorer: AtomicUsize,
    mask: AtomicU64,
}

impl Disposition {
    /// The action. Async-signal-safe.
    pub fn get(&self) -> KernelAction {
        let [first, second] = &self.copies;
        let copy = if self.current.load(Acquire) & 1 == 0 { first } else { second };
        KernelAction {
            handler: copy.handler.load(Relaxed),
            flags: copy.flags.load(Relaxed),
            restorer: copy.restorer.load(Relaxed),
            mask: copy.mask.load(Relaxed),
        }
    }

    /// Replaces the action. Async-signal-safe. Of two threads that do it at the same time one
    /// wins, as with sigaction itself.
    pub fn set(&self, action: &KernelAction) {
        let [first, second] = &self.copies;
        let next = self.current.load(Relaxed).wrapping_add(1);
        let copy = if next & 1 == 0 { first } else { second };
        copy.handler.store(action.handler, Relaxed);
        copy.flags.store(action.flags, Relaxed);
        copy.restorer.store(action.restorer, Relaxed);
        copy.mask.store(action.mask, Relaxed);
        self.current.store(next, Release);
    }

    /// Does with a SIGPROF what the program wants. Async-signal-safe, as far as the program's
    /// handler is.
    ///
    /// # Safety
    /// `info` and `context` are what the kernel passed to the handler that is now running.
    pub unsafe fn deliver(&self, pid: u32, info: *const u8, context: *const u8) {
        let action = self.get();
        match action.handler {
            SIG_IGN => {}
            SIG_DFL => die(pid),
            handler => {
                if action.flags & SA_RESETHAND != 0 {
                    self.set(&KernelAction { handler: SIG_DFL, ..action });
                }
                // SAFETY: the caller passes the kernel's own context.
                let interrupted = unsafe { arch::interrupted_mask(context) };
                let own = if action.flags & SA_NODEFER != 0 { 0 } else { 1 << (SIGPROF - 1) };
                sys::set_signal_mask(interrupted | action.mask | own);
                // SAFETY: the program gave this address to sigaction as the handler of this
                // signal; a handler without SA_SIGINFO ignores the other two arguments. The
                // return from our handler restores the mask.
                unsafe {
                    let handler: extern "C" fn(i32, *const u8, *const u8) =
                        core::mem::transmute(handler);
                    handler(SIGPROF, info, context);
                }
            }
        }
    }
}

/// The default action of SIGPROF: the process ends, by this signal.
fn die(pid: u32) {
    let default = KernelAction::default();
    // In a child of fork the number is another one than that of the agent.
    let pid = if pid == sys::getpid() { pid } else { sys::getpid() };
    if sys::set_action(SIGPROF, Some(&default)).is_ok() {
        sys::send_signal(pid, sys::gettid(), SIGPROF);
        sys::set_signal_mask(!(1 << (SIGPROF - 1)));
    }
}

/// Makes our entry the handler of SIGPROF; returns what the program had.
pub fn install_handler() -> Result<KernelAction, sys::Errno> {
    const SA_SIGINFO: u64 = 4;
    const SA_ONSTACK: u64 = 0x0800_0000;
    const SA_RESTART: u64 = 0x1000_0000;
    sys::set_action(
        SIGPROF,
        Some(&KernelAction {
            handler: arch::sigprof_entry as *const () as usize,
            flags: SA_SIGINFO | SA_ONSTACK | SA_RESTART,
            mask: sys::ALL_SIGNALS,
            ..KernelAction::default()
        }),
    )
}
