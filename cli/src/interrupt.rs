//! Signals to sigspy itself while a program runs under it.
//!
//! The terminal sends Ctrl-C to the program, too, and the program decides what it means. The
//! second one ends the recording; the third ends sigspy at once, and what was written stays. When the
//! program has ended, signals mean what they always do, unless [`hold`] says that there is more to do.
#![allow(unsafe_code, reason = "installs signal handlers")]

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::error::Error;

/// Ctrl-C so far.
pub static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// SIGTERM so far.
pub static TERMINATIONS: AtomicU32 = AtomicU32::new(0);
/// SIGUSR1 so far.
pub static TOGGLES: AtomicU32 = AtomicU32::new(0);
/// A pidfd of the program, while it runs: a pid may be somebody else's after its end.
static PROGRAM: AtomicI32 = AtomicI32::new(NO_PROGRAM);
const NO_PROGRAM: RawFd = -1;
/// Whether [`hold`] is in force.
static IS_HELD: AtomicBool = AtomicBool::new(false);

/// Several programs run one after another, and there is something to tidy up in the end: until this
/// is dropped, signals between them are counted as well, and [`heed`] tells.
pub struct Held(());

pub fn hold() -> Held {
    watch();
    IS_HELD.store(true, Relaxed);
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        IS_HELD.store(false, Relaxed);
        unwatch();
    }
}

/// Fails if somebody has asked for the end of what is held.
pub fn heed() -> Result<(), Error> {
    let is_over = [&INTERRUPTS, &TERMINATIONS].iter().any(|signals| signals.load(Relaxed) > 0);
    if is_over { Err(Error::Interrupted) } else { Ok(()) }
}

/// From now on until [`unwatch`], signals are counted, passed on, or left to the program; those that
/// are ignored stay so. Counts begin anew, unless they are held.
pub fn watch() {
    if !IS_HELD.load(Relaxed) {
        for count in [&INTERRUPTS, &TERMINATIONS, &TOGGLES] {
            count.store(0, Relaxed);
        }
    }
    let handle = |signal, handler| set(signal, SigHandler::Handler(handler));
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

/// The program has ended: from now on, signals end sigspy, or what is held. SIGUSR1 still does not,
/// as it may come late, and neither does a file that is too large.
pub fn unwatch() {
    set_program(None);
    if IS_HELD.load(Relaxed) {
        // There is no program to which the terminal sends this.
        return set(Signal::SIGHUP, SigHandler::Handler(pass_on));
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP] {
        set(signal, SigHandler::SigDfl);
    }
}

/// Says what a signal does, unless it is ignored: as with nohup, and the program is to inherit that.
fn set(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers below only touch atomics and make system calls.
    let before = unsafe { sigaction(signal, &action) }; // cannot fail for these signals
    if let Ok(before) = before
        && matches!(before.handler(), SigHandler::SigIgn)
    {
        // SAFETY: no handler.
        let _ = unsafe { sigaction(signal, &before) };
    }
}

/// Names the program to which SIGTERM is passed on: a child that was not waited for.
pub fn set_program(pid: Option<u32>) {
    let pidfd = pid.and_then(|pid| sigspy_collector::open_pidfd(pid).ok());
    let before = PROGRAM.swap(pidfd.map_or(NO_PROGRAM, IntoRawFd::into_raw_fd), Relaxed);
    if before != NO_PROGRAM {
        // SAFETY: whoever takes a descriptor out of PROGRAM owns it.
        drop(unsafe { OwnedFd::from_raw_fd(before) });
    }
}

extern "C" fn count(signal: i32) {
    if INTERRUPTS.fetch_add(1, Relaxed) >= 2 {
        // SAFETY: _exit is async-signal-safe.
        unsafe { nix::libc::_exit(128 + signal) };
    }
}

extern "C" fn toggle(_: i32) {
    TOGGLES.fetch_add(1, Relaxed);
}

extern "C" fn pass_on(signal: i32) {
    use nix::errno::Errno;
    use nix::libc::{SYS_pidfd_send_signal, siginfo_t, syscall};
    TERMINATIONS.fetch_add(1, Relaxed);
    let program = PROGRAM.load(Relaxed);
    if program == NO_PROGRAM {
        return;
    }
    let info: *const siginfo_t = std::ptr::null();
    let errno = Errno::last_raw();
    // SAFETY: a system call that reads nothing of ours.
    let sent = unsafe { syscall(SYS_pidfd_send_signal, program, signal, info, 0) };
    if sent < 0 && Errno::last() == Errno::ESRCH {
        // The program has ended, and what it has left behind is recorded until Ctrl-C.
        count(signal);
    }
    Errno::set_raw(errno); // of what was interrupted
}

extern "C" fn leave(_: i32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_counts_of_its_own() {
        INTERRUPTS.store(2, Relaxed);
        TOGGLES.store(1, Relaxed);
        watch();
        assert_eq!((INTERRUPTS.load(Relaxed), TOGGLES.load(Relaxed)), (0, 0));
        unwatch();
    }
}
