//! Stopping ITIMER_PROF before the program replaces itself: that timer survives exec, the handler
//! does not, and SIGPROF would kill the new program. (POSIX timers end with exec.)
//!
//! If the exec fails, the timer is set again; but not after `execl`, `execle` and `execlp`, as
//! their arguments can only be passed on by never coming back. Programs that make the system call
//! themselves go unnoticed: the process clock is not for them.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{c_char, c_int, c_void};

use sigspy_wire::control::Clock;

use crate::interpose::Next;
use crate::loader::LinkMap;
use crate::{agent, arch, sys};

type Strings = *const *const c_char;

fn stop_clock() -> Option<&'static agent::Agent> {
    // A child of vfork has no timer, and its memory is its parent's.
    let agent = agent::of_this_process().filter(|agent| agent.clock == Clock::Process)?;
    let _ = sys::set_profiling_itimer(0, 0); // cannot fail with valid pointers
    Some(agent)
}

fn without_clock(exec: impl FnOnce() -> c_int) -> c_int {
    let stopped = stop_clock();
    let result = exec();
    if let Some(agent) = stopped {
        let _ = agent.with_source(|source| source.set_process_cpu_profiler(agent.times()));
    }
    result
}

macro_rules! interpose {
    ($($name:ident($($argument:ident: $type:ty),*) $next:ident),* $(,)?) => {
        $(
            static $next: Next = Next::new(match core::ffi::CStr::from_bytes_with_nul(
                concat!(stringify!($name), "\0").as_bytes(),
            ) {
                Ok(name) => name,
                Err(_) => c"",
            });

            /// In front of libc's.
            ///
            /// # Safety
            /// As exec(3).
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                type Exec = unsafe extern "C" fn($($type),*) -> c_int;
                let Some(real) = $next.get() else { return -1 };
                without_clock(|| {
                    // SAFETY: this is libc's function of this name, and the caller's own
                    // arguments.
                    unsafe {
                        core::mem::transmute::<*mut c_void, Exec>(real.as_ptr())($($argument),*)
                    }
                })
            }
        )*

        /// Finds what ours stand in front of.
        ///
        /// # Safety
        /// `images` is the loader's list, and nobody loads or unloads meanwhile.
        pub unsafe fn find_all(images: *const LinkMap) {
            // SAFETY: the caller answers for the list.
            unsafe {
                $($next.find(images, $name as *const () as usize);)*
                let [execl, execle, execlp] = &WITH_VARIABLE_ARGUMENTS;
                execl.find(images, arch::execl as *const () as usize);
                execle.find(images, arch::execle as *const () as usize);
                execlp.find(images, arch::execlp as *const () as usize);
            }
        }
    };
}

interpose! {
    execve(path: *const c_char, arguments: Strings, environment: Strings) NEXT_EXECVE,
    execv(path: *const c_char, arguments: Strings) NEXT_EXECV,
    execvp(file: *const c_char, arguments: Strings) NEXT_EXECVP,
    execvpe(file: *const c_char, arguments: Strings, environment: Strings) NEXT_EXECVPE,
    fexecve(file: c_int, arguments: Strings, environment: Strings) NEXT_FEXECVE,
    execveat(folder: c_int, path: *const c_char, arguments: Strings, environment: Strings, flags: c_int)
        NEXT_EXECVEAT,
}

static WITH_VARIABLE_ARGUMENTS: [Next; 3] =
    [Next::new(c"execl"), Next::new(c"execle"), Next::new(c"execlp")];

/// Stops the clock and says where to go on. Called by the functions with variable arguments.
pub extern "C" fn before(number: usize) -> *const c_void {
    stop_clock();
    let next = WITH_VARIABLE_ARGUMENTS.get(number).and_then(Next::get);
    next.map_or(fail as *const c_void, |next| next.as_ptr().cast_const())
}

extern "C" fn fail() -> c_int {
    -1
}
