//! The agent as a shared object: its constructor and the functions it puts in front of libc's.
#![allow(unsafe_code, reason = "this is the border to the loader and to C")]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::panic::PanicInfo;
use core::ptr;

use sigspy_wire::handshake::SOCKET_VARIABLE;

use crate::arch;
use crate::disposition::{as_the_program_knows_it, program_sigaction};
use crate::session::{self, Start};
use crate::sys::{self, KernelAction, SIGPROF};

/// Never called: a test checks that the shared object holds nothing of the machinery of panics.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    #[expect(clippy::empty_loop, reason = "there is nobody to tell")]
    loop {}
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    if let Some(start) = find_start() {
        let _ = session::start(start); // the collector knows; the program need not
    }
}

fn find_start() -> Option<Start> {
    const AT_RANDOM: usize = 25;
    const AT_SYSINFO_EHDR: usize = 33;
    type GetAuxVal = unsafe extern "C" fn(usize) -> usize;
    let socket = environment_variable(SOCKET_VARIABLE.as_bytes())?;
    let getauxval = ptr::NonNull::new(arch::weak_getauxval() as *mut c_void)?;
    // SAFETY: the C library's function of this name has this type and only reads; AT_RANDOM is
    // the address of 16 bytes on the initial stack.
    unsafe {
        let getauxval: GetAuxVal = core::mem::transmute(getauxval.as_ptr());
        let random = (getauxval(AT_RANDOM) as *const u64).as_ref().map_or(0, |first| *first);
        Some(Start { socket, vdso: getauxval(AT_SYSINFO_EHDR), random })
    }
}

/// The value of a variable in the environment that the program was started with.
fn environment_variable(name: &[u8]) -> Option<&'static [u8]> {
    let environ = arch::weak_environ() as *const *const *const c_char;
    // SAFETY: `environ` is the C library's list of C strings, ended by a null pointer. This is
    // the constructor: no other thread changes it, and it outlives our use.
    unsafe {
        let mut entry = *environ.as_ref()?;
        while let Some(&variable) = entry.as_ref().filter(|variable| !variable.is_null()) {
            let variable = CStr::from_ptr(variable).to_bytes();
            if let Some([b'=', value @ ..]) = variable.strip_prefix(name) {
                return Some(value);
            }
            entry = entry.add(1);
        }
    }
    None
}

/// libc's `struct sigaction`.
#[repr(C)]
pub struct LibcAction {
    handler: usize,
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

impl LibcAction {
    fn to_kernel(&self) -> KernelAction {
        let [mask, ..] = self.mask;
        let flags = u64::from(self.flags as u32);
        KernelAction { handler: self.handler, flags, restorer: self.restorer, mask }
    }

    fn from_kernel(action: &KernelAction) -> Self {
        let mut mask = [0; 16];
        mask[0] = action.mask;
        let flags = action.flags as c_int;
        Self { handler: action.handler, mask, flags, restorer: action.restorer }
    }
}

/// In front of libc's. Keeps the action of SIGPROF for the program and passes all else on.
///
/// # Safety
/// As sigaction(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const LibcAction,
    old: *mut LibcAction,
) -> c_int {
    // SAFETY: the caller passes null or a valid pointer.
    let wanted = unsafe { new.as_ref() }.map(LibcAction::to_kernel);
    if signal == SIGPROF
        && let Some(before) = program_sigaction(wanted.as_ref())
    {
        // SAFETY: as above.
        unsafe { report(old, &before) };
        return 0;
    }
    // SAFETY: the caller's own arguments.
    let result = unsafe { next_sigaction(signal, new, old) };
    // SAFETY: as above.
    if signal == SIGPROF
        && result == 0
        && let Some(reported) = unsafe { old.as_mut() }
    {
        *reported = LibcAction::from_kernel(&as_the_program_knows_it(reported.to_kernel()));
    }
    result
}

/// In front of libc's, as [`sigaction`].
///
/// # Safety
/// As signal(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signal(signal: c_int, handler: usize) -> usize {
    const SA_RESTART: u64 = 0x1000_0000;
    const SIG_ERR: usize = usize::MAX;
    let action = KernelAction { handler, flags: SA_RESTART, ..KernelAction::default() };
    if signal == SIGPROF
        && let Some(before) = program_sigaction(Some(&action))
    {
        return before.handler;
    }
    type Signal = unsafe extern "C" fn(c_int, usize) -> usize;
    match next(c"signal") {
        // SAFETY: this is libc's function of this name, and the caller's own arguments.
        Some(real) => unsafe {
            core::mem::transmute::<*const c_void, Signal>(real.as_ptr())(signal, handler)
        },
        None => sys::set_action(signal, Some(&action)).map_or(SIG_ERR, |old| old.handler),
    }
}

unsafe fn next_sigaction(signal: c_int, new: *const LibcAction, old: *mut LibcAction) -> c_int {
    type Sigaction = unsafe extern "C" fn(c_int, *const LibcAction, *mut LibcAction) -> c_int;
    if let Some(real) = next(c"sigaction") {
        // SAFETY: this is libc's function of this name, and the caller's own arguments.
        return unsafe {
            core::mem::transmute::<*const c_void, Sigaction>(real.as_ptr())(signal, new, old)
        };
    }
    // SAFETY: the caller passes null or a valid pointer.
    let new = unsafe { new.as_ref() }.map(LibcAction::to_kernel);
    match sys::set_action(signal, new.as_ref()) {
        // SAFETY: as above.
        Ok(before) => unsafe { report(old, &before) },
        Err(_) => return -1,
    }
    0
}

unsafe fn report(old: *mut LibcAction, action: &KernelAction) {
    // SAFETY: the caller passes null or a pointer that is valid for writes.
    if let Some(old) = unsafe { old.as_mut() } {
        *old = LibcAction::from_kernel(action);
    }
}

/// The function that would be called if we were not there. `None` where the C library has no
/// `dlsym` of its own (glibc before 2.34): then the kernel is asked directly.
fn next(name: &CStr) -> Option<ptr::NonNull<c_void>> {
    type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
    let rtld_next = ptr::without_provenance_mut(usize::MAX);
    let dlsym = ptr::NonNull::new(arch::weak_dlsym() as *mut c_void)?;
    // SAFETY: the C library's function of this name has this type.
    unsafe {
        let dlsym: Dlsym = core::mem::transmute(dlsym.as_ptr());
        ptr::NonNull::new(dlsym(rtld_next, name.as_ptr()))
    }
}
