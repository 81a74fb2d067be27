//! `dlopen` and `dlclose`: what comes next may take the place of what has gone, so that is counted.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use super::{DL_ITERATE_PHDR, DLCLOSE, DLOPEN, call_next};
use crate::agent::{self, Agent};
use crate::disposition;

/// Looks after our handler, and says where `dlopen` goes on: it must be reached by a jump, as it
/// looks who calls it.
pub extern "C" fn before_dlopen() -> *const c_void {
    if let Some(agent) = agent::of_this_process() {
        disposition::check(agent);
        count_what_went_unseen(agent);
    }
    DLOPEN.get().map_or(no_library as *const c_void, |next| next.as_ptr().cast_const())
}

extern "C" fn no_library() -> *const c_void {
    ptr::null()
}

/// The C library unloads without `dlclose` what it has loaded for itself (iconv, NSS).
fn count_what_went_unseen(agent: &Agent) {
    if let Some(process) = agent.process()
        && has_unloaded(agent)
    {
        process.begin_unload();
        process.end_unload(true);
    }
}

/// In front of libc's.
///
/// # Safety
/// As dlclose(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    let agent = agent::of_this_process();
    let process = agent.and_then(|agent| Some((agent, agent.process()?)));
    if let Some((_, process)) = process {
        process.begin_unload();
    }
    // SAFETY: the caller's own argument.
    let result = unsafe { call_next!(DLCLOSE, fn(*mut c_void) -> c_int, handle) };
    if let Some((agent, process)) = process {
        process.end_unload(has_unloaded(agent));
    }
    result.unwrap_or(-1)
}

/// Whether libraries were unloaded since somebody asked last. Of two who ask at once, one may be
/// told what the other has done: what they count is the same.
fn has_unloaded(agent: &Agent) -> bool {
    unloaded().is_none_or(|unloaded| agent.seen_unloads.swap(unloaded, Relaxed) != unloaded)
}

/// The part of `struct dl_phdr_info` that is wanted: see dl_iterate_phdr(3).
#[repr(C)]
struct ImageInfo {
    address: usize,
    name: *const u8,
    headers: *const c_void,
    header_count: u16,
    loads: u64,
    unloads: u64,
}

type OnImage = extern "C" fn(*const ImageInfo, usize, *mut u64) -> c_int;

/// How many libraries the loader has unloaded so far. `None`: it does not count.
fn unloaded() -> Option<u64> {
    let mut count = u64::MAX;
    // SAFETY: the C library's function calls `look` with the pointer that it is given.
    let called = unsafe {
        call_next!(DL_ITERATE_PHDR, fn(OnImage, *mut u64) -> c_int, look as OnImage, &raw mut count)
    };
    called.map(|_| count).filter(|&count| count != u64::MAX)
}

extern "C" fn look(image: *const ImageInfo, size: usize, count: *mut u64) -> c_int {
    if size >= size_of::<ImageInfo>() {
        // SAFETY: the loader describes an image by that many bytes; `count` is `unloaded`'s.
        unsafe { *count = (*image).unloads };
    }
    1 // it is the same for all of them
}
