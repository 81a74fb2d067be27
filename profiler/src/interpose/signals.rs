//! `sigaction` and `signal`: the program's action for SIGPROF is kept for it, and all others are
//! passed on.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::c_int;

use super::{SIGACTION, SIGNAL, SignalSet, call_next};
use crate::disposition::our_handler;
use crate::sys::signal::{KernelAction, set_action, tick_signal};
use crate::{agent, disposition};

/// libc's `struct sigaction`.
#[repr(C)]
pub struct LibcAction {
    handler: usize,
    mask: SignalSet,
    flags: c_int,
    restorer: usize,
}

impl LibcAction {
    fn to_kernel(&self) -> KernelAction {
        let [mask, ..] = self.mask;
        let flags = u64::from(self.flags as u32);
        KernelAction { handler: self.handler, flags, restorer: self.restorer, mask }
    }

    fn from_kernel(action: &KernelAction) -> Self {
        let mut mask = [0; 16];
        mask[0] = action.mask;
        let flags = action.flags as c_int;
        Self { handler: action.handler, mask, flags, restorer: action.restorer }
    }
}

/// In front of libc's. Keeps the action of SIGPROF for the program and passes all else on.
///
/// # Safety
/// As sigaction(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const LibcAction,
    old: *mut LibcAction,
) -> c_int {
    // SAFETY: the caller passes null or a valid pointer.
    let wanted = unsafe { new.as_ref() }.map(LibcAction::to_kernel);
    if signal == tick_signal()
        && let Some(before) = program_sigaction(wanted.as_ref())
    {
        // SAFETY: as above.
        unsafe { report(old, &before) };
        return 0;
    }
    // SAFETY: the caller's own arguments.
    let result = unsafe { next_sigaction(signal, new, old) };
    if signal == tick_signal() && result == 0 {
        // SAFETY: as above.
        if let Some(reported) = unsafe { old.as_mut() } {
            *reported = LibcAction::from_kernel(&as_the_program_knows_it(reported.to_kernel()));
        }
    }
    result
}

/// In front of libc's, as [`sigaction`].
///
/// # Safety
/// As signal(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signal(signal: c_int, handler: usize) -> usize {
    const SA_RESTART: u64 = 0x1000_0000;
    const SIG_ERR: usize = usize::MAX;
    let action = KernelAction { handler, flags: SA_RESTART, ..KernelAction::default() };
    if signal == tick_signal()
        && let Some(before) = program_sigaction(Some(&action))
    {
        return before.handler;
    }
    // SAFETY: the caller's own arguments.
    let result = unsafe { call_next!(SIGNAL, fn(c_int, usize) -> usize, signal, handler) };
    result.unwrap_or_else(|| {
        set_action(signal, Some(&action)).map_or(SIG_ERR, |before| before.handler)
    })
}

unsafe fn next_sigaction(signal: c_int, new: *const LibcAction, old: *mut LibcAction) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe {
        call_next!(
            SIGACTION,
            fn(c_int, *const LibcAction, *mut LibcAction) -> c_int,
            signal,
            new,
            old
        )
    };
    if let Some(result) = result {
        return result;
    }
    // SAFETY: the caller passes null or a valid pointer.
    let new = unsafe { new.as_ref() }.map(LibcAction::to_kernel);
    match set_action(signal, new.as_ref()) {
        // SAFETY: as above.
        Ok(before) => unsafe { report(old, &before) },
        Err(_) => return -1,
    }
    0
}

unsafe fn report(old: *mut LibcAction, action: &KernelAction) {
    // SAFETY: the caller passes null or a pointer that is valid for writes.
    if let Some(old) = unsafe { old.as_mut() } {
        *old = LibcAction::from_kernel(action);
    }
}

/// `sigaction(SIGPROF, new, ...)` for the program: returns the old action. `None`: the agent is
/// not at work in this process, and the kernel is the one to ask.
fn program_sigaction(new: Option<&KernelAction>) -> Option<KernelAction> {
    let agent = agent::of_this_process()?;
    let old = agent.program.get();
    if let Some(new) = new {
        agent.program.set(new);
        if disposition::restarts(new) != disposition::restarts(&old) {
            let _ = disposition::install_handler(disposition::restarts(new)); // ours is there
        }
    }
    Some(old)
}

/// What the kernel reports as the action of SIGPROF in a child without an agent, where our handler
/// was inherited: the program's own action instead of ours.
fn as_the_program_knows_it(action: KernelAction) -> KernelAction {
    match agent::get() {
        Some(agent) if action.handler == our_handler() => agent.program.get(),
        _ => action,
    }
}
