//! `pthread_create` and C11's `thrd_create`: the place to arm threads as they start, and to see
//! whether our handler is still there.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{c_int, c_void};

use super::{ENOSYS, PTHREAD_CREATE, THRD_CREATE, call_next, thread_start};
use crate::{agent, arch, disposition};

/// In front of libc's.
///
/// # Safety
/// As pthread_create(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: *const c_void,
    argument: *mut c_void,
) -> c_int {
    create_armed(start, argument, |start, argument| {
        // SAFETY: the caller's own arguments, or our start function with its cell.
        unsafe {
            call_next!(
                PTHREAD_CREATE,
                fn(*mut c_void, *const c_void, *const c_void, *mut c_void) -> c_int,
                thread,
                attributes,
                start,
                argument
            )
        }
        .unwrap_or(ENOSYS)
    })
}

/// In front of libc's.
///
/// # Safety
/// As thrd_create(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thrd_create(
    thread: *mut c_void,
    start: *const c_void,
    argument: *mut c_void,
) -> c_int {
    const THRD_ERROR: c_int = 2;
    create_armed(start, argument, |start, argument| {
        // SAFETY: the caller's own arguments, or our start function with its cell.
        unsafe {
            call_next!(
                THRD_CREATE,
                fn(*mut c_void, *const c_void, *mut c_void) -> c_int,
                thread,
                start,
                argument
            )
        }
        .unwrap_or(THRD_ERROR)
    })
}

/// Creates a thread that arms itself and then runs `start`. `create` returns 0 if it succeeds.
fn create_armed(
    start: *const c_void,
    argument: *mut c_void,
    create: impl Fn(*const c_void, *mut c_void) -> c_int,
) -> c_int {
    let Some(agent) = agent::of_this_process() else { return create(start, argument) };
    disposition::check(agent);
    let Some(cell) = thread_start::cell(agent, start, argument) else {
        return create(start, argument);
    };
    let result = create(arch::thread_entry as *const c_void, cell.as_ptr().cast());
    if result != 0 {
        thread_start::give_back(cell);
    }
    result
}
