//! `sigwait` and its kin: who waits for all signals does not get our ticks.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::c_int;
use core::ptr;

use super::{
    EINTR, ENOSYS, SIGTIMEDWAIT, SIGWAIT, SIGWAITINFO, SignalSet, call_next, errno, set_errno,
};
use crate::agent::{self, Agent};
use crate::handler;
use crate::held_back;
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

/// After EINTR, this long for a signal that another thread may have taken: one that believes to have
/// blocked it, as this one does, and sends it again ([`held_back`]).
const PATIENCE_NS: u64 = 50_000_000;

/// Waits until something comes that is no tick of ours, for `timeout` at most; as sigtimedwait(2).
unsafe fn wait_for_theirs(
    agent: &'static Agent,
    set: *const SignalSet,
    info: *mut RawSigInfo,
    timeout: Option<&Timespec>,
) -> c_int {
    let mut own = RawSigInfo::default();
    let info = if info.is_null() { &raw mut own } else { info };
    let now_ns = || agent.monotonic.now_ns();
    let end_ns = timeout.map(|timeout| now_ns().saturating_add(timeout.as_ns()));
    let mut patience_ends_ns = None;
    let mut left = timeout.copied();
    loop {
        let timeout = left.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the caller's own set, and places of ours or the caller's.
        let signal = unsafe { next_sigtimedwait(set, info, timeout) };
        if signal == -1 && errno() == EINTR && held_back::happened() {
            patience_ends_ns.get_or_insert_with(|| now_ns().saturating_add(PATIENCE_NS));
        } else if signal == -1 && patience_ends_ns.is_some() {
            set_errno(EINTR);
            return signal;
        } else if signal != tick_signal() || !handler::swallow(agent, info.cast()) {
            return signal;
        }
        let until_ns = [end_ns, patience_ends_ns].into_iter().flatten().min();
        left = until_ns.map(|until_ns| Timespec::from_ns(until_ns.saturating_sub(now_ns())));
    }
}

unsafe fn next_sigtimedwait(
    set: *const SignalSet,
    info: *mut RawSigInfo,
    timeout: *const Timespec,
) -> c_int {
    // SAFETY: the caller's own arguments.
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
        // SAFETY: the caller's own set.
        let found = unsafe { wait_for_theirs(agent, set, ptr::null_mut(), None) };
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

/// In front of libc's.
///
/// # Safety
/// As sigwaitinfo(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigwaitinfo(set: *const SignalSet, info: *mut RawSigInfo) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        if let Some(agent) = endangered(set) {
            return wait_for_theirs(agent, set, info, None);
        }
        type Info = *mut RawSigInfo;
        call_next!(SIGWAITINFO, fn(*const SignalSet, Info) -> c_int, set, info).unwrap_or(-1)
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
    // SAFETY: the caller's own arguments; a null `timeout` is for ever.
    unsafe {
        match endangered(set) {
            Some(agent) => wait_for_theirs(agent, set, info, timeout.as_ref()),
            None => next_sigtimedwait(set, info, timeout),
        }
    }
}
