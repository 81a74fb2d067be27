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
    ALL_SIGNALS, KernelAction, send_signal, set_action, set_mask, tick_bit, tick_signal,
};

pub const SIG_DFL: usize = 0;
pub const SIG_IGN: usize = 1;
const SA_ONSTACK: u64 = 0x0800_0000;
const SA_RESTART: u64 = 0x1000_0000;
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
    pub unsafe fn wanted(&self, context: *mut u8) -> Wanted {
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
                let own = if action.flags & SA_NODEFER != 0 { 0 } else { tick_bit() };
                let wants_alternate = action.flags & SA_ONSTACK != 0;
                // SAFETY: as above.
                let frame = if wants_alternate { 0 } else { unsafe { arch::move_frame(context) } };
                Wanted { handler, mask: interrupted | action.mask | own, frame }
            }
        }
    }
}

/// A call of the program's handler, for the assembly entry, which passes on the signal, its siginfo
/// and context (a handler without SA_SIGINFO ignores two of them). The return from it restores the
/// mask.
#[repr(C)]
pub struct Wanted {
    /// Its address; 0: no call is wanted.
    handler: usize,
    /// The signals to be blocked meanwhile.
    mask: u64,
    /// Where the signal frame is to be; 0: where it is.
    frame: usize,
}

impl Wanted {
    pub const NOTHING: Self = Self { handler: 0, mask: 0, frame: 0 };
}

/// The default action of SIGPROF: the process ends, by this signal.
fn die() {
    if set_action(tick_signal(), Some(&KernelAction::default())).is_ok() {
        send_signal(sys::getpid(), sys::gettid(), tick_signal());
        set_mask(!tick_bit());
    }
}

/// Makes our entry the handler of the ticks' signal; returns what the program had. `restarts`:
/// system calls that it interrupts go on.
pub fn install_handler(restarts: bool) -> Result<KernelAction, sys::Errno> {
    const SA_SIGINFO: u64 = 4;
    set_action(
        tick_signal(),
        Some(&KernelAction {
            handler: our_handler(),
            flags: SA_SIGINFO | SA_ONSTACK | if restarts { SA_RESTART } else { 0 },
            mask: ALL_SIGNALS,
            ..KernelAction::default()
        }),
    )
}

/// Whether our handler is to restart system calls if the program wants `action`: the kernel asks
/// us, whoever's signal it is. A program whose handler interrupts its own waiting expects that.
pub fn restarts(action: &KernelAction) -> bool {
    [SIG_DFL, SIG_IGN].contains(&action.handler) || action.flags & SA_RESTART != 0
}

/// The handler that the kernel knows.
pub fn our_handler() -> usize {
    arch::sigprof_entry as *const () as usize
}

/// Puts our handler in front again, if somebody has set another by a raw system call, as some
/// language runtimes do; theirs is the program's from then on.
pub fn check(agent: &crate::agent::Agent) {
    let Ok(action) = set_action(tick_signal(), None) else { return };
    if action.handler != our_handler()
        && let Ok(theirs) = install_handler(restarts(&action))
        && theirs.handler != our_handler()
    {
        agent.program.set(&theirs);
    }
}
