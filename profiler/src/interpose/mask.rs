//! `sigprocmask` and `pthread_sigmask`: a thread that blocks all signals is profiled all the same,
//! and sees the mask that it has asked for ([`held_back`]).
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::c_int;
use core::ptr;

use sigspy_wire::control::Clock;

use super::{ENOSYS, Next, PTHREAD_SIGMASK, SIGPROCMASK, SignalSet, call_next};
use crate::agent::{self, Agent};
use crate::disposition::{SIG_DFL, SIG_IGN};
use crate::held_back;
use crate::sys::signal::{self, tick_bit};
use crate::{handler, threads};

const SIG_BLOCK: c_int = 0;
const SIG_UNBLOCK: c_int = 1;
const SIG_SETMASK: c_int = 2;

/// In front of libc's.
///
/// # Safety
/// As sigprocmask(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigprocmask(
    how: c_int,
    set: *const SignalSet,
    old: *mut SignalSet,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { change(&SIGPROCMASK, how, set, old) }.unwrap_or(-1)
}

/// In front of libc's.
///
/// # Safety
/// As pthread_sigmask(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_sigmask(
    how: c_int,
    set: *const SignalSet,
    old: *mut SignalSet,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { change(&PTHREAD_SIGMASK, how, set, old) }.unwrap_or(ENOSYS)
}

unsafe fn change(
    next: &Next,
    how: c_int,
    set: *const SignalSet,
    old: *mut SignalSet,
) -> Option<c_int> {
    let call = |set: *const SignalSet| {
        // SAFETY: the caller's own arguments, or a set of ours.
        unsafe {
            call_next!(next, fn(c_int, *const SignalSet, *mut SignalSet) -> c_int, how, set, old)
        }
    };
    // SAFETY: the caller passes null or a valid pointer.
    let wanted = unsafe { set.as_ref() };
    let names_sigprof = wanted.is_some_and(|[mask, ..]| mask & tick_bit() != 0);
    if !names_sigprof && !held_back::happened() && !threads::has_parked() {
        return call(set);
    }
    let Some(agent) = agent::of_this_process() else { return call(set) };
    let before = signal::mask();
    let believed = held_back::as_the_program_knows_it(before);
    let after = wanted.map_or(believed, |[mask, ..]| mask_after(believed, how, *mask));
    let result = if leaves_out_sigprof(before, after) {
        let set = wanted.map(|&[mask, ref rest @ ..]| {
            let mut without = [0; 16];
            let [first, others @ ..] = &mut without;
            (*first, *others) = (if how == SIG_UNBLOCK { mask } else { mask & !tick_bit() }, *rest);
            without
        });
        call(set.as_ref().map_or(ptr::null(), ptr::from_ref))
    } else {
        if after & tick_bit() != 0 && before & tick_bit() == 0 {
            park(agent);
        }
        let result = call(set);
        if after & tick_bit() != 0 && believed != before && result == Some(0) {
            signal::set_mask(signal::mask() | tick_bit()); // it was left out until now
        }
        result
    };
    unpark(agent);
    // SAFETY: the caller passes null or a pointer that is valid for writes.
    if let (Some([reported, ..]), Some(0)) = (unsafe { old.as_mut() }, result) {
        *reported |= believed & tick_bit();
    }
    result
}

/// Stops the thread's ticks before the signal is blocked, so that none is pending then.
fn park(agent: &'static Agent) {
    if agent.clock != Clock::Process
        && let Some((_, slot)) = threads::slot_of_this_thread(agent)
    {
        threads::park(slot);
    }
}

/// Starts them again, if they were stopped and the signal is not blocked any more. The time without
/// them is told to the collector.
fn unpark(agent: &'static Agent) {
    if threads::has_parked()
        && signal::mask() & tick_bit() == 0
        && let Some((_, slot)) = threads::slot_of_this_thread(agent)
    {
        handler::record_blocked(agent, slot, threads::unpark(agent, slot));
    }
}

fn mask_after(before: u64, how: c_int, set: u64) -> u64 {
    match how {
        SIG_BLOCK => before | set,
        SIG_UNBLOCK => before & !set,
        SIG_SETMASK => set,
        _ => before,
    }
}

/// Whether SIGPROF is left out where the kernel's mask is `before` and the program wants `after`.
fn leaves_out_sigprof(before: u64, after: u64) -> bool {
    if !held_back::blocks_everything(after) {
        return false;
    }
    if after & tick_bit() == 0 {
        held_back::end(); // the program wants it, and it alone
        return false;
    }
    // A signal that is held back must not come through.
    let is_really_blocked = before & tick_bit() != 0;
    let is_handled = agent::get()
        .is_some_and(|agent| ![SIG_DFL, SIG_IGN].contains(&agent.program.get().handler));
    !is_really_blocked && !is_handled && held_back::begin()
}

/// Blocks SIGPROF for good where the calling thread believes that it is: whatever the program
/// executes inherits the mask, and nothing of ours. Returns the mask to go back to.
pub fn block_what_is_left_out() -> Option<u64> {
    if !held_back::happened() {
        return None;
    }
    let mask = signal::mask();
    let believed = held_back::as_the_program_knows_it(mask);
    (believed != mask).then(|| {
        signal::set_mask(believed);
        mask
    })
}
