//! The agent as a shared object: its constructor.
#![allow(unsafe_code, reason = "this is the border to the loader and to C")]

use core::ffi::{CStr, c_char, c_void};
use core::panic::PanicInfo;
use core::ptr;

use sigspy_wire::handshake::SOCKET_VARIABLE;

use crate::session::{self, Start};
use crate::{arch, interpose};

/// Never called: a test checks that the shared object holds nothing of the machinery of panics.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    // SAFETY: the loader has just loaded us, and loads nothing while it runs constructors.
    unsafe { interpose::find_all() };
    if let Some(socket) = environment_variable(SOCKET_VARIABLE.as_bytes()) {
        let vdso = auxiliary(AT_SYSINFO_EHDR);
        // SAFETY: AT_RANDOM is the address of 16 bytes on the initial stack.
        let random = unsafe { (auxiliary(AT_RANDOM) as *const u64).as_ref() };
        let random = random.map_or(0, |first| *first);
        let _ = session::start(Start { socket, vdso, random }); // the collector knows
    }
}

pub const AT_PHDR: usize = 3;
pub const AT_PHNUM: usize = 5;
const AT_RANDOM: usize = 25;
const AT_SYSINFO_EHDR: usize = 33;

/// A value of the auxiliary vector, 0 if it is not there.
pub fn auxiliary(kind: usize) -> usize {
    type GetAuxVal = unsafe extern "C" fn(usize) -> usize;
    ptr::NonNull::new(arch::weak_getauxval() as *mut c_void).map_or(0, |getauxval| {
        // SAFETY: the C library's function of this name has this type and only reads.
        unsafe { core::mem::transmute::<*mut c_void, GetAuxVal>(getauxval.as_ptr())(kind) }
    })
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
