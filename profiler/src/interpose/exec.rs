//! The exec family: before a process becomes another program, its clock is stopped, the collector
//! is told, and the program gets what it needs to be profiled.
//!
//! ITIMER_PROF survives exec and the handler does not, so that SIGPROF would kill the new program
//! (POSIX timers end with exec). It is stopped, a tick of it that is pending is taken off the
//! queue, and if the exec fails it is set again. Programs that make the system call themselves
//! go unnoticed: the process clock is not for them.
//!
//! A child of vfork comes here on its parent's stack and in its parent's memory: nothing is
//! allocated, and nothing is left behind.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{CStr, c_char, c_int};

use sigspy_wire::control::Clock;

use super::spawn::{Announced, announce, with_environment};
use super::{E2BIG, EXECVE, EXECVEAT, EXECVPE, FEXECVE, call_next, mask, set_errno};
use crate::agent::{self, Agent};
use crate::sys::signal::{self, send_again, take_pending_tick, tick_bit};
use crate::sys::timer::set_profiling_itimer;
use crate::{entry, handler, sys};

pub type Strings = *const *const c_char;

/// Runs `exec`, which only comes back if it fails, with everything around it.
unsafe fn around(
    path: *const c_char,
    environment: Strings,
    exec: impl FnOnce(Strings) -> c_int,
) -> c_int {
    // SAFETY: the caller passes a C string, or null where the kernel finds the file another way.
    let path = unsafe { if path.is_null() { c"" } else { CStr::from_ptr(path) } };
    // SAFETY: the caller passes null or a list of C strings.
    unsafe {
        with_environment(environment, |environment, has_agent| {
            let pid = sys::getpid();
            announce(Announced { pid, path, has_agent, failed: false });
            let stopped = stop_clock();
            let mask = mask::block_what_is_left_out();
            let result = exec(environment);
            if let Some(mask) = mask {
                signal::set_mask(mask);
            }
            if let Some(agent) = stopped {
                let times = agent.times();
                let _ = agent.with_source(|source| source.set_process_cpu_profiler(times));
            }
            announce(Announced { pid, path, has_agent, failed: true });
            result
        })
    }
}

/// Stops ITIMER_PROF, if it is ours, and takes its last tick.
fn stop_clock() -> Option<&'static Agent> {
    // A child of vfork has no timer, and its memory is its parent's.
    let agent = agent::of_this_process().filter(|agent| agent.clock == Clock::Process)?;
    let mask = signal::mask();
    signal::set_mask(mask | tick_bit());
    let _ = set_profiling_itimer(0, 0); // cannot fail with valid pointers
    if let Some(info) = take_pending_tick()
        && !handler::swallow(agent, info.as_ptr())
    {
        // SAFETY: the kernel has filled it in.
        unsafe { send_again(agent.pid(), sys::gettid(), info.as_ptr(), false) };
    }
    signal::set_mask(mask);
    Some(agent)
}

/// In front of libc's.
///
/// # Safety
/// As execve(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execve(
    path: *const c_char,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    // SAFETY: the caller's own arguments, or an environment of ours.
    unsafe {
        around(path, environment, |environment| {
            type Path = *const c_char;
            call_next!(EXECVE, fn(Path, Strings, Strings) -> c_int, path, arguments, environment)
                .unwrap_or(-1)
        })
    }
}

/// In front of libc's.
///
/// # Safety
/// As execv(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execv(path: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { execve(path, arguments, entry::environment()) }
}

/// In front of libc's.
///
/// # Safety
/// As execvpe(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvpe(
    file: *const c_char,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    // SAFETY: the caller's own arguments, or an environment of ours.
    unsafe {
        around(file, environment, |environment| {
            type File = *const c_char;
            call_next!(EXECVPE, fn(File, Strings, Strings) -> c_int, file, arguments, environment)
                .unwrap_or(-1)
        })
    }
}

/// In front of libc's.
///
/// # Safety
/// As execvp(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvp(file: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { execvpe(file, arguments, entry::environment()) }
}

/// In front of libc's.
///
/// # Safety
/// As fexecve(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fexecve(file: c_int, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: the caller's own arguments, or an environment of ours.
    unsafe {
        around(core::ptr::null(), environment, |environment| {
            call_next!(FEXECVE, fn(c_int, Strings, Strings) -> c_int, file, arguments, environment)
                .unwrap_or(-1)
        })
    }
}

/// In front of libc's.
///
/// # Safety
/// As execveat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execveat(
    folder: c_int,
    path: *const c_char,
    arguments: Strings,
    environment: Strings,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's own arguments, or an environment of ours.
    unsafe {
        around(core::ptr::null(), environment, |environment| {
            type Path = *const c_char;
            call_next!(
                EXECVEAT,
                fn(c_int, Path, Strings, Strings, c_int) -> c_int,
                folder,
                path,
                arguments,
                environment,
                flags
            )
            .unwrap_or(-1)
        })
    }
}

/// Arguments of a function with variable arguments: five in registers, the rest on the stack.
struct Variadic {
    registers: *const [*const c_char; 5],
    stack: Strings,
}

impl Variadic {
    /// # Safety
    /// The caller has passed so many arguments.
    unsafe fn get(&self, index: usize) -> *const c_char {
        // SAFETY: the assembly has stored the registers, and the others lie behind the return
        // address.
        unsafe {
            match (*self.registers).get(index) {
                Some(argument) => *argument,
                None => *self.stack.add(index.wrapping_sub(5)),
            }
        }
    }
}

/// `execl` (0), `execle` (1) and `execlp` (2). The arguments end with a null pointer; with `execle` the
/// environment follows.
pub unsafe extern "C" fn call_variadic_exec(
    number: usize,
    path: *const c_char,
    registers: *const [*const c_char; 5],
    stack: Strings,
) -> c_int {
    let arguments = Variadic { registers, stack };
    // SAFETY: the caller's own arguments, ended by null.
    unsafe {
        let count = (0..).take_while(|&index| !arguments.get(index).is_null()).count();
        match count {
            0..=60 => exec_list::<64>(number, path, &arguments, count),
            61..=1000 => exec_list::<1024>(number, path, &arguments, count),
            _ => {
                set_errno(E2BIG);
                -1
            }
        }
    }
}

unsafe fn exec_list<const N: usize>(
    number: usize,
    path: *const c_char,
    arguments: &Variadic,
    count: usize,
) -> c_int {
    const EXECLE: usize = 1;
    const EXECLP: usize = 2;
    let mut list = [core::ptr::null(); N];
    // SAFETY: the caller's own arguments, `count` of them before the null pointer.
    unsafe {
        for (index, place) in list.iter_mut().take(count).enumerate() {
            *place = arguments.get(index);
        }
        match number {
            EXECLE => execve(path, list.as_ptr(), arguments.get(count + 1).cast()),
            EXECLP => execvp(path, list.as_ptr()),
            _ => execv(path, list.as_ptr()),
        }
    }
}
