//! What the program itself wants done about SIGPROF.
//!
//! Our handler is the one that the kernel knows. The program's own action is kept here: the
//! interposed `sigaction` and `signal` set and report it, and signals that are not ours are
//! dealt with accordingly, as if we were not there.
#![allow(unsafe_code, reason = "works on signal frames")]

use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::arch;
use crate::sys;
use crate::sys::signal::{
    ALL_SIGNALS, KernelAction, SIGPROF, SIGPROF_BIT, send_signal, set_action, set_mask,
};

pub const SIG_DFL: usize = 0;
pub const SIG_IGN: usize = 1;
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

    /// What the program wants done about a SIGPROF of its own. Where that is to die, this does not
    /// return. Async-signal-safe.
    ///
    /// # Safety
    /// `context` is what the kernel passed to the handler that is now running.
    pub unsafe fn wanted(&self, context: *const u8) -> Wanted {
        let action = self.get();
        match action.handler {
            SIG_IGN => Wanted::NOTHING,
            SIG_DFL => {
                die();
                Wanted::NOTHING
            }
            handler => {
                if action.flags & SA_RESETHAND != 0 {
                    self.set(&KernelAction { handler: SIG_DFL, ..action });
                }
                // SAFETY: the caller passes the kernel's own context.
                let interrupted = unsafe { arch::interrupted_mask(context) };
                let own = if action.flags & SA_NODEFER != 0 { 0 } else { SIGPROF_BIT };
                Wanted { handler, mask: interrupted | action.mask | own }
            }
        }
    }
}

/// A call of the program's handler, for the assembly entry, which passes on its own arguments (a
/// handler without SA_SIGINFO ignores two of them). The return from it restores the mask.
#[repr(C)]
pub struct Wanted {
    /// Its address; 0: no call is wanted.
    handler: usize,
    /// The signals to be blocked meanwhile.
    mask: u64,
}

impl Wanted {
    pub const NOTHING: Self = Self { handler: 0, mask: 0 };
}

/// The default action of SIGPROF: the process ends, by this signal.
fn die() {
    if set_action(SIGPROF, Some(&KernelAction::default())).is_ok() {
        send_signal(sys::getpid(), sys::gettid(), SIGPROF);
        set_mask(!SIGPROF_BIT);
    }
}

/// Makes our entry the handler of SIGPROF; returns what the program had.
pub fn install_handler() -> Result<KernelAction, sys::Errno> {
    const SA_SIGINFO: u64 = 4;
    const SA_ONSTACK: u64 = 0x0800_0000;
    const SA_RESTART: u64 = 0x1000_0000;
    set_action(
        SIGPROF,
        Some(&KernelAction {
            handler: our_handler(),
            flags: SA_SIGINFO | SA_ONSTACK | SA_RESTART,
            mask: ALL_SIGNALS,
            ..KernelAction::default()
        }),
    )
}

/// The handler that the kernel knows.
pub fn our_handler() -> usize {
    arch::sigprof_entry as *const () as usize
}

/// Puts our handler in front again, if somebody has set another by a raw system call, as some
/// language runtimes do; theirs is the program's from then on.
pub fn check(agent: &crate::agent::Agent) {
    let Ok(action) = set_action(SIGPROF, None) else { return };
    if action.handler != our_handler()
        && let Ok(theirs) = install_handler()
        && theirs.handler != our_handler()
    {
        agent.program.set(&theirs);
    }
}
