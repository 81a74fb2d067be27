//! Functions that the agent puts in front of libc's, so that the program does not notice it, and
//! so that nothing that the program becomes or makes is missed.
#![allow(unsafe_code, reason = "calls functions by address")]

mod exec;
mod fork;
mod library;
mod mask;
mod signals;
mod spawn;
pub mod thread_start;
mod threads;
mod wait;

use core::ffi::{CStr, c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::entry;
use crate::loader::{self, LinkMap};

pub use exec::call_variadic_exec;
pub use fork::follow as follow_forks;
pub use library::before_dlopen;

/// The function that would be called if we were not there.
pub struct Next {
    name: &'static CStr,
    found: AtomicUsize,
}

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicUsize::new(0) }
    }

    /// Its address; `None` where the C library has none. The constructor finds all of them,
    /// unless the constructor of another library comes first and needs one.
    pub fn get(&self) -> Option<NonNull<c_void>> {
        if !HAVE_LOOKED.load(Relaxed) {
            // SAFETY: the program has not begun, and no thread but ours is there to load images.
            unsafe { find_all() };
        }
        NonNull::new(ptr::with_exposed_provenance_mut(self.found.load(Relaxed)))
    }

    unsafe fn find(&self, images: *const LinkMap, own: Option<usize>) {
        // SAFETY: the caller passes the loader's list.
        let found = unsafe {
            match own {
                Some(own) => loader::find_behind(images, self.name, own),
                None => loader::find(images, self.name),
            }
        };
        self.found.store(found.unwrap_or(0), Relaxed);
    }
}

static HAVE_LOOKED: AtomicBool = AtomicBool::new(false);

/// For each function of ours, the one behind it; for those that we only call, the first.
macro_rules! functions {
    ($($next:ident $name:literal $(behind $own:path)?),* $(,)?) => {
        $(static $next: Next = Next::new($name);)*

        /// Finds all functions that ours stand in front of.
        ///
        /// # Safety
        /// Nobody loads or unloads images meanwhile.
        pub unsafe fn find_all() {
            let images = entry::images();
            // SAFETY: the caller answers for the list.
            unsafe {
                $($next.find(images, functions!(@own $($own)?));)*
            }
            HAVE_LOOKED.store(true, Relaxed);
        }
    };
    (@own $own:path) => { Some($own as *const () as usize) };
    (@own) => { None };
}

functions! {
    CLONE c"clone" behind fork::clone,
    DLCLOSE c"dlclose" behind library::dlclose,
    DL_ITERATE_PHDR c"dl_iterate_phdr" behind library::dlclose,
    DLOPEN c"dlopen" behind crate::arch::dlopen,
    ERRNO_LOCATION c"__errno_location",
    EXECVE c"execve" behind exec::execve,
    EXECVEAT c"execveat" behind exec::execveat,
    EXECVPE c"execvpe" behind exec::execvpe,
    FEXECVE c"fexecve" behind exec::fexecve,
    FORK c"_Fork" behind fork::_Fork,
    POSIX_SPAWN c"posix_spawn" behind spawn::posix_spawn,
    POSIX_SPAWNP c"posix_spawnp" behind spawn::posix_spawnp,
    PTHREAD_ATFORK c"pthread_atfork",
    PTHREAD_CREATE c"pthread_create" behind threads::pthread_create,
    PTHREAD_SIGMASK c"pthread_sigmask" behind mask::pthread_sigmask,
    REGISTER_ATFORK c"__register_atfork",
    SIGACTION c"sigaction" behind signals::sigaction,
    SIGNAL c"signal" behind signals::signal,
    SIGPROCMASK c"sigprocmask" behind mask::sigprocmask,
    SIGTIMEDWAIT c"sigtimedwait" behind wait::sigtimedwait,
    SIGWAIT c"sigwait" behind wait::sigwait,
    SIGWAITINFO c"sigwaitinfo" behind wait::sigwaitinfo,
    THRD_CREATE c"thrd_create" behind threads::thrd_create,
}

/// libc's `sigset_t`.
type SignalSet = [u64; 16];

/// Calls the function behind ours, with the type that C declares it with.
macro_rules! call_next {
    ($next:expr, fn($($type:ty),* $(,)?) -> $result:ty, $($argument:expr),* $(,)?) => {
        match $next.get() {
            // SAFETY: this is libc's function of this name; it has this type.
            Some(real) => {
                let function = core::mem::transmute::<
                    *mut core::ffi::c_void,
                    unsafe extern "C" fn($($type),*) -> $result,
                >(real.as_ptr());
                Some(function($($argument),*))
            }
            None => None,
        }
    };
}
pub(crate) use call_next;

const ENOSYS: c_int = 38;
const EINTR: c_int = 4;
const E2BIG: c_int = 7;

/// The program's `errno`.
fn errno() -> c_int {
    // SAFETY: the C library returns a pointer to a variable of the calling thread.
    unsafe { call_next!(ERRNO_LOCATION, fn() -> *const c_int,).map_or(0, |errno| *errno) }
}

fn set_errno(number: c_int) {
    // SAFETY: as above.
    unsafe {
        if let Some(errno) = call_next!(ERRNO_LOCATION, fn() -> *mut c_int,) {
            *errno = number;
        }
    }
}
