//! Signals to sigspy itself while a program runs under it.
//!
//! The terminal sends Ctrl-C to the program, too, and the program decides what it means. The
//! second one ends the recording; the third ends sigspy at once, and what was written stays.
#![allow(unsafe_code, reason = "installs signal handlers")]

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Ctrl-C so far.
pub static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// SIGUSR1 so far.
pub static TOGGLES: AtomicU32 = AtomicU32::new(0);
/// The program, once it runs.
static PROGRAM: AtomicI32 = AtomicI32::new(0);

/// From now on until the program has ended, signals are counted, passed on, or left to it; those that
/// are ignored stay so.
pub fn watch() {
    let handle = |signal, handler| {
        let handler = SigHandler::Handler(handler);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handlers below only touch atomics and make system calls.
        let before = unsafe { sigaction(signal, &action) }; // cannot fail for these signals
        if let Ok(before) = before
            && matches!(before.handler(), SigHandler::SigIgn)
        {
            // As with nohup, and the program is to inherit it.
            // SAFETY: no handler.
            let _ = unsafe { sigaction(signal, &before) };
        }
    };
    handle(Signal::SIGINT, count);
    handle(Signal::SIGTERM, pass_on);
    handle(Signal::SIGUSR1, toggle);
    // The terminal sends these to the program as well.
    handle(Signal::SIGQUIT, leave);
    handle(Signal::SIGHUP, leave);
    // A recording that outgrows the limit is an error of write(2), not the end. As handlers are
    // reset by exec, the program does not inherit this.
    handle(Signal::SIGXFSZ, leave);
}

/// Names the program to which SIGTERM is passed on.
pub fn set_program(pid: Option<u32>) {
    PROGRAM.store(pid.map_or(0, |pid| pid as i32), Relaxed);
}

extern "C" fn count(_: i32) {
    const ABORTED_BY_INTERRUPT: i32 = 130;
    if INTERRUPTS.fetch_add(1, Relaxed) >= 2 {
        // SAFETY: _exit is async-signal-safe.
        unsafe { nix::libc::_exit(ABORTED_BY_INTERRUPT) };
    }
}

extern "C" fn toggle(_: i32) {
    TOGGLES.fetch_add(1, Relaxed);
}

extern "C" fn pass_on(signal: i32) {
    let program = PROGRAM.load(Relaxed);
    if program > 0 {
        // SAFETY: kill is async-signal-safe.
        unsafe { nix::libc::kill(program, signal) };
    }
}

extern "C" fn leave(_: i32) {}
