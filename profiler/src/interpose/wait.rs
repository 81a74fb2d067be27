//! `sigwait` and its kin: who waits for all signals does not get our ticks.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::c_int;
use core::ptr;

use super::{EINTR, ENOSYS, SIGTIMEDWAIT, SIGWAIT, SIGWAITINFO, SignalSet, call_next, errno};
use crate::agent::{self, Agent};
use crate::handler;
use crate::sys::Timespec;
use crate::sys::signal::{RawSigInfo, tick_bit, tick_signal};

/// The agent, if a thread of the program that waits for `set` might get its ticks.
unsafe fn endangered(set: *const SignalSet) -> Option<&'static Agent> {
    // SAFETY: the caller passes null or a valid pointer.
    let &[mask, ..] = unsafe { set.as_ref() }?;
    if mask & tick_bit() == 0 {
        return None;
    }
    agent::of_this_process()
}

/// Waits with `wait` until something comes that is no tick of ours. `wait` is given a place for
/// a `siginfo_t`.
fn until_not_ours(
    agent: &'static Agent,
    info: *mut RawSigInfo,
    mut wait: impl FnMut(*mut RawSigInfo) -> c_int,
) -> c_int {
    let mut own = RawSigInfo::default();
    let info = if info.is_null() { &raw mut own } else { info };
    loop {
        let signal = wait(info);
        if signal != tick_signal() || !handler::swallow(agent, info.cast()) {
            return signal;
        }
    }
}

/// In front of libc's.
///
/// # Safety
/// As sigwait(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigwait(set: *const SignalSet, signal: *mut c_int) -> c_int {
    // SAFETY: the caller's own arguments.
    let Some(agent) = (unsafe { endangered(set) }) else {
        // SAFETY: as above.
        return unsafe {
            call_next!(SIGWAIT, fn(*const SignalSet, *mut c_int) -> c_int, set, signal)
        }
        .unwrap_or(ENOSYS);
    };
    loop {
        let found = until_not_ours(agent, ptr::null_mut(), |info| {
            // SAFETY: the caller's own set, and a place of ours.
            unsafe { wait_for_info(set, info) }
        });
        match found {
            -1 if errno() == EINTR => {}
            -1 => return errno(),
            found => {
                // SAFETY: the caller passes a pointer that is valid for writes.
                unsafe { *signal = found };
                return 0;
            }
        }
    }
}

unsafe fn wait_for_info(set: *const SignalSet, info: *mut RawSigInfo) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { call_next!(SIGWAITINFO, fn(*const SignalSet, *mut RawSigInfo) -> c_int, set, info) }
        .unwrap_or(-1)
}

/// In front of libc's.
///
/// # Safety
/// As sigwaitinfo(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigwaitinfo(set: *const SignalSet, info: *mut RawSigInfo) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        match endangered(set) {
            Some(agent) => until_not_ours(agent, info, |info| wait_for_info(set, info)),
            None => wait_for_info(set, info),
        }
    }
}

/// In front of libc's.
///
/// # Safety
/// As sigtimedwait(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigtimedwait(
    set: *const SignalSet,
    info: *mut RawSigInfo,
    timeout: *const Timespec,
) -> c_int {
    let wait = |info, timeout: *const Timespec| {
        // SAFETY: the caller's own set and time, or places of ours.
        unsafe {
            call_next!(
                SIGTIMEDWAIT,
                fn(*const SignalSet, *mut RawSigInfo, *const Timespec) -> c_int,
                set,
                info,
                timeout
            )
        }
        .unwrap_or(-1)
    };
    // SAFETY: the caller's own arguments.
    let Some(agent) = (unsafe { endangered(set) }) else { return wait(info, timeout) };
    // SAFETY: the caller passes null, which is for ever, or a valid pointer.
    let Some(timeout) = (unsafe { timeout.as_ref() }) else {
        return until_not_ours(agent, info, |info| wait(info, ptr::null()));
    };
    let end_ns = agent.monotonic.now_ns().saturating_add(timeout.as_ns());
    let mut left = *timeout;
    let mut is_first = true;
    until_not_ours(agent, info, |info| {
        if !core::mem::take(&mut is_first) {
            left = Timespec::from_ns(end_ns.saturating_sub(agent.monotonic.now_ns()));
        }
        wait(info, &left)
    })
}
