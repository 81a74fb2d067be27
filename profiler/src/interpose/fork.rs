//! Children of fork: they go on as what they were, with timers of their own.
//!
//! `fork` calls what was registered with the C library, whoever calls it (`daemon`, `forkpty`).
//! `_Fork` and `clone` call nobody, so they are interposed. A child of vfork shares its parent's
//! memory until it executes a program, has no timer, and is left alone: it is known by a pid that
//! is not the agent's. So is a child that was made by a bare system call.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::control::state;
use sigspy_wire::process::{self, Unloads};

use super::{CLONE, FORK, PTHREAD_ATFORK, REGISTER_ATFORK, call_next};
use crate::agent::{self, Agent};
use crate::tick::Ticker;
use crate::{session, sys, threads};

type AtFork = Option<extern "C" fn()>;

/// Asks the C library to call us in each child of fork.
pub fn follow() {
    let handle = (&raw const OURS).cast::<c_void>();
    // SAFETY: these are the types of the functions with these names. The first is glibc's, which
    // has the second in a part that is linked into each program.
    unsafe {
        let registered = call_next!(
            REGISTER_ATFORK,
            fn(AtFork, AtFork, AtFork, *const c_void) -> c_int,
            Some(begin as extern "C" fn()),
            None,
            Some(in_child as extern "C" fn()),
            handle
        );
        if registered.is_none() {
            let _ = call_next!(
                PTHREAD_ATFORK,
                fn(AtFork, AtFork, AtFork) -> c_int,
                Some(begin as extern "C" fn()),
                None,
                Some(in_child as extern "C" fn())
            );
        }
    }
}

/// Called before a process forks: a child may be on its way.
extern "C" fn begin() {
    if let Some(agent) = agent::of_this_process() {
        agent.shared.control.forks_begun.fetch_add(1, Relaxed);
    }
}

/// What the C library knows us by.
static OURS: u8 = 0;

/// Called in a child of fork, by its one thread, before the program goes on.
pub extern "C" fn in_child() {
    let Some(agent) = agent::get() else { return };
    let pid = sys::getpid();
    let control = agent.shared.control;
    let is_over = control.state.load(Relaxed) == state::DRAINING;
    // The first process of a new namespace is 1 for itself: nobody outside knows it by that name.
    if agent.pid() == pid || pid == 1 || is_over || control.follow_forks.load(Relaxed) == 0 {
        return;
    }
    let Some(of_parent) = agent.process() else { return };
    let now_ns = agent.monotonic.now_ns();
    let processes = agent.shared.processes;
    // An unload that another thread had under way is neither done nor undone here, for good.
    let begun = agent.unloads_begun.load(Relaxed);
    let unloads = Unloads { begun, ended: begun };
    match process::enter_child(processes, pid, agent.pid(), of_parent, unloads, now_ns) {
        Some(index) => {
            control.forks.fetch_add(1, Relaxed);
            become_child(agent, pid, index);
        }
        None => {
            control.unentered_forks.fetch_add(1, Relaxed);
        }
    }
}

fn become_child(agent: &'static Agent, pid: u32, index: usize) {
    close_events_of_parent(agent);
    agent.stacks.release_all();
    agent.used_slots.iter().for_each(|word| word.store(0, Relaxed));
    agent.process.store(index as u32, Relaxed);
    agent.forks.fetch_add(1, Relaxed);
    agent.weighed_cpu_ns.store(sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME), Relaxed);
    agent.pid.store(pid, Relaxed);
    if session::arm_process(agent).is_err() {
        agent.shared.control.timer_failures.fetch_add(1, Relaxed);
    }
}

/// Timers are not inherited. Descriptors are.
fn close_events_of_parent(agent: &Agent) {
    for (index, word) in agent.used_slots.iter().enumerate() {
        let bits = word.load(Relaxed);
        for bit in (0..64).filter(|bit| bits & 1 << bit != 0) {
            let slot = agent.shared.slots.get(index * 64 + bit);
            if let Some(event @ Ticker::PerfEvent(_)) = slot.and_then(threads::own_ticker) {
                event.disarm();
            }
        }
    }
}

/// In front of libc's.
///
/// # Safety
/// As _Fork(3).
#[allow(non_snake_case, reason = "the C library calls it so")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Fork() -> c_int {
    begin();
    // SAFETY: the caller's own call.
    let child = unsafe { call_next!(FORK, fn() -> c_int,) }.unwrap_or(-1);
    if child == 0 {
        in_child();
    }
    child
}

type Start = extern "C" fn(*mut c_void) -> c_int;

/// Where a child of clone is to start. On the parent's stack, of which the child has a copy.
struct CloneStart {
    function: Start,
    argument: *mut c_void,
}

extern "C" fn clone_start(start: *mut c_void) -> c_int {
    in_child();
    // SAFETY: `clone` below passes this, and the child has a copy of all memory.
    let CloneStart { function, argument } = unsafe { start.cast::<CloneStart>().read() };
    function(argument)
}

/// In front of libc's. It takes three more arguments if `flags` say so; passing on what may not
/// be there does no harm.
///
/// # Safety
/// As clone(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clone(
    function: Start,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    parent_tid: *mut c_void,
    tls: *mut c_void,
    child_tid: *mut c_void,
) -> c_int {
    const CLONE_VM: c_int = 0x100;
    let call = |function: Start, argument: *mut c_void| {
        // SAFETY: the caller's own arguments, or our start function with its argument.
        unsafe {
            call_next!(
                CLONE,
                fn(
                    Start,
                    *mut c_void,
                    c_int,
                    *mut c_void,
                    *mut c_void,
                    *mut c_void,
                    *mut c_void,
                ) -> c_int,
                function,
                stack,
                flags,
                argument,
                parent_tid,
                tls,
                child_tid
            )
        }
        .unwrap_or(-1)
    };
    if flags & CLONE_VM != 0 || agent::of_this_process().is_none() {
        return call(function, argument);
    }
    begin();
    let mut start = CloneStart { function, argument };
    call(clone_start, (&raw mut start).cast())
}
