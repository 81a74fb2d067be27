//! `dlopen` and `dlclose`: what comes next may take the place of what has gone, so that is counted.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::process::Process;

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
    let unloaded = unloaded();
    if unloaded.is_some_and(|count| agent.seen_unloads.swap(count, Relaxed) != count)
        && let Some(process) = begin(agent)
    {
        end(agent, process, true);
    }
}

/// In front of libc's.
///
/// # Safety
/// As dlclose(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    let agent = agent::of_this_process();
    let before = agent.and_then(|_| unloaded());
    let counted = agent.and_then(|agent| Some((agent, begin(agent)?)));
    // SAFETY: the caller's own argument.
    let result = unsafe { call_next!(DLCLOSE, fn(*mut c_void) -> c_int, handle) };
    if let Some((agent, process)) = counted {
        let after = unloaded();
        // Of two at once, each may count what one has done: more are no harm.
        end(agent, process, after.is_none() || after != before);
        agent.seen_unloads.store(after.unwrap_or(0), Relaxed);
    }
    result.unwrap_or(-1)
}

fn begin(agent: &Agent) -> Option<&'static Process> {
    let process = agent.process()?;
    agent.unloads_begun.fetch_add(1, Relaxed);
    process.begin_unload();
    Some(process)
}

/// `begun`: what [`begin`] has returned. If a destructor has forked meanwhile, and this is the
/// child, that is its parent's.
fn end(agent: &Agent, begun: &'static Process, is_gone: bool) {
    if let Some(process) = agent.process()
        && !ptr::eq(process, begun)
    {
        if let Some(process) = begin(agent) {
            process.end_unload(true);
        }
        return;
    }
    if !is_gone {
        agent.unloads_begun.fetch_sub(1, Relaxed);
    }
    begun.end_unload(is_gone);
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
