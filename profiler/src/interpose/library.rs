//! `dlopen` and `dlclose`.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use super::{DLCLOSE, DLOPEN, call_next};
use crate::{agent, disposition};

/// Looks after our handler, and says where `dlopen` goes on: it must be reached by a jump, as it
/// looks who calls it.
pub extern "C" fn before_dlopen() -> *const c_void {
    if let Some(agent) = agent::of_this_process() {
        disposition::check(agent);
    }
    DLOPEN.get().map_or(no_library as *const c_void, |next| next.as_ptr().cast_const())
}

extern "C" fn no_library() -> *const c_void {
    ptr::null()
}

/// In front of libc's: what comes next may take the place of what goes now, so the collector is
/// told when that was.
///
/// # Safety
/// As dlclose(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    let agent = agent::of_this_process();
    let begun_ns = agent.map_or(0, |agent| agent.monotonic.now_ns());
    // SAFETY: the caller's own argument.
    let result = unsafe { call_next!(DLCLOSE, fn(*mut c_void) -> c_int, handle) };
    if let Some(process) = agent.and_then(|agent| agent.process()) {
        process.unloaded_ns.store(begun_ns, Relaxed);
        process.unloads.fetch_add(1, Relaxed);
    }
    result.unwrap_or(-1)
}
