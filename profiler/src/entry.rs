//! The agent as a shared object: its constructor.
#![allow(unsafe_code, reason = "this is the border to the loader and to C")]

use core::ffi::{CStr, c_char, c_void};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::handshake::{OUTPUT_VARIABLES, SOCKET_VARIABLE};

use crate::elf::ProgramHeader;
use crate::loader::{self, LinkMap};
use crate::session::{self, Collector, Start};
use crate::{agent, arch, interpose, preload, sys};

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
    let Some(collector) = collector() else { return };
    let vdso = auxiliary(AT_SYSINFO_EHDR);
    // SAFETY: AT_RANDOM is the address of 16 bytes on the initial stack.
    let random = unsafe { (auxiliary(AT_RANDOM) as *const u64).as_ref() };
    let random = random.map_or(0, |first| *first);
    // If it fails, the collector knows.
    if session::start(Start { collector, vdso, random }).is_ok() {
        interpose::follow_forks();
        if let Collector::Started(_) = collector {
            preload::let_children_know(agent::get());
        }
    }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = destructor;

/// The process ends by its own will: the last chance to say what it has used.
extern "C" fn destructor() {
    if let Some(process) = agent::of_this_process().and_then(|agent| agent.process()) {
        process.cpu_ns.store(sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME), Relaxed);
    }
}

/// The collector, if this program is to be profiled: one that is there, or one that is started
/// because the environment asks for a recording. gperftools' own variable asks gperftools, where
/// that is loaded.
fn collector() -> Option<Collector> {
    if let Some(path) = environment_variable(SOCKET_VARIABLE.as_bytes()) {
        return Some(Collector::Listens(path));
    }
    let [output, mode, gperftools] =
        OUTPUT_VARIABLES.map(|name| environment_variable(name.as_bytes()));
    if mode.is_some_and(|mode| mode == b"off") {
        return None;
    }
    let images = images();
    // SAFETY: the loader has just loaded us, and loads nothing while it runs constructors.
    let asks_us =
        || gperftools.is_some() && !unsafe { loader::is_loaded(images, b"libprofiler.so") };
    let is_asked_for = output.is_some() || mode.is_some() || asks_us();
    is_asked_for.then(|| preload::start_collector(images, environment())).flatten()
}

/// The loader's list of images.
pub fn images() -> *const LinkMap {
    let headers = auxiliary(AT_PHDR) as *const ProgramHeader;
    // SAFETY: the auxiliary vector is that of this process, whose loader is at work.
    unsafe { loader::loaded_images(headers, auxiliary(AT_PHNUM)) }
}

/// The program's environment, as it is now.
pub fn environment() -> *const *const c_char {
    static EMPTY: Empty = Empty([ptr::null()]);
    // SAFETY: `environ` is a variable of the C library.
    let environ = unsafe { (arch::weak_environ() as *const *const *const c_char).as_ref() };
    environ.filter(|list| !list.is_null()).map_or(EMPTY.0.as_ptr(), |list| *list)
}

/// A list of no strings.
struct Empty([*const c_char; 1]);
// SAFETY: a null pointer that nobody changes.
unsafe impl Sync for Empty {}

const AT_PHDR: usize = 3;
const AT_PHNUM: usize = 5;
const AT_RANDOM: usize = 25;
const AT_SYSINFO_EHDR: usize = 33;

/// A value of the auxiliary vector, 0 if it is not there.
fn auxiliary(kind: usize) -> usize {
    type GetAuxVal = unsafe extern "C" fn(usize) -> usize;
    ptr::NonNull::new(arch::weak_getauxval() as *mut c_void).map_or(0, |getauxval| {
        // SAFETY: the C library's function of this name has this type and only reads.
        unsafe { core::mem::transmute::<*mut c_void, GetAuxVal>(getauxval.as_ptr())(kind) }
    })
}

/// The value of a variable in the environment that the program was started with.
fn environment_variable(name: &[u8]) -> Option<&'static [u8]> {
    // SAFETY: this is the C library's list of C strings, ended by a null pointer. In the
    // constructor no other thread changes it, and it outlives our use.
    unsafe {
        let mut entry = environment();
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
