//! Functions that the agent puts in front of libc's, so that the program does not notice it.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{CStr, c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::elf::ProgramHeader;
use crate::entry::{AT_PHDR, AT_PHNUM, auxiliary};
use crate::loader::{self, LinkMap};
use crate::sys::{self, KernelAction, SIGPROF};
use crate::{agent, arch, exec, thread_start};

/// The function that would be called if we were not there.
pub struct Next {
    name: &'static CStr,
    found: AtomicUsize,
}

impl Next {
    pub const fn new(name: &'static CStr) -> Self {
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

    /// # Safety
    /// `images` is the loader's list, and nobody loads or unloads meanwhile.
    pub unsafe fn find(&self, images: *const LinkMap, own: usize) {
        // SAFETY: the caller passes the loader's list.
        let found = unsafe { loader::find_behind(images, self.name, own) };
        self.found.store(found.unwrap_or(0), Relaxed);
    }
}

static HAVE_LOOKED: AtomicBool = AtomicBool::new(false);
static NEXT_SIGACTION: Next = Next::new(c"sigaction");
static NEXT_SIGNAL: Next = Next::new(c"signal");
static NEXT_PTHREAD_CREATE: Next = Next::new(c"pthread_create");

/// Finds all functions that ours stand in front of.
///
/// # Safety
/// Nobody loads or unloads images meanwhile.
pub unsafe fn find_all() {
    let headers = auxiliary(AT_PHDR) as *const ProgramHeader;
    // SAFETY: the auxiliary vector is that of this process; the caller answers for the list.
    unsafe {
        let images = loader::loaded_images(headers, auxiliary(AT_PHNUM));
        NEXT_SIGACTION.find(images, sigaction as *const () as usize);
        NEXT_SIGNAL.find(images, signal as *const () as usize);
        NEXT_PTHREAD_CREATE.find(images, pthread_create as *const () as usize);
        exec::find_all(images);
    }
    HAVE_LOOKED.store(true, Relaxed);
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
    if signal == SIGPROF && result == 0 {
        // SAFETY: as above.
        if let Some(reported) = unsafe { old.as_mut() } {
            *reported = LibcAction::from_kernel(&as_the_program_knows_it(reported.to_kernel()));
        }
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
    match NEXT_SIGNAL.get() {
        // SAFETY: this is libc's function of this name, and the caller's own arguments.
        Some(real) => unsafe {
            core::mem::transmute::<*const c_void, Signal>(real.as_ptr())(signal, handler)
        },
        None => sys::set_action(signal, Some(&action)).map_or(SIG_ERR, |old| old.handler),
    }
}

unsafe fn next_sigaction(signal: c_int, new: *const LibcAction, old: *mut LibcAction) -> c_int {
    type Sigaction = unsafe extern "C" fn(c_int, *const LibcAction, *mut LibcAction) -> c_int;
    if let Some(real) = NEXT_SIGACTION.get() {
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

/// In front of libc's, for kernels on which threads must be armed when they start.
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
    type Create =
        unsafe extern "C" fn(*mut c_void, *const c_void, *const c_void, *mut c_void) -> c_int;
    const ENOSYS: c_int = 38;
    let Some(real) = NEXT_PTHREAD_CREATE.get() else { return ENOSYS };
    // SAFETY: this is libc's function of this name.
    let create: Create = unsafe { core::mem::transmute(real.as_ptr()) };
    let Some(cell) = thread_start::cell(start, argument) else {
        // SAFETY: the caller's own arguments.
        return unsafe { create(thread, attributes, start, argument) };
    };
    // SAFETY: the caller's own arguments, but for the start function: ours arms the thread and
    // jumps to the caller's.
    let result = unsafe {
        let start = arch::thread_entry as *const c_void;
        create(thread, attributes, start, cell.as_ptr().cast())
    };
    if result != 0 {
        thread_start::give_back(cell);
    }
    result
}

/// `sigaction(SIGPROF, new, ...)` for the program: returns the old action. `None`: the agent is
/// not at work in this process, and the kernel is the one to ask.
fn program_sigaction(new: Option<&KernelAction>) -> Option<KernelAction> {
    let agent = agent::of_this_process()?;
    let old = agent.program.get();
    if let Some(new) = new {
        agent.program.set(new);
    }
    Some(old)
}

/// What the kernel reports as the action of SIGPROF in a child of fork, where our handler was
/// inherited: the program's own action instead of ours.
fn as_the_program_knows_it(action: KernelAction) -> KernelAction {
    let ours = arch::sigprof_entry as *const () as usize;
    match agent::get() {
        Some(agent) if action.handler == ours => agent.program.get(),
        _ => action,
    }
}
