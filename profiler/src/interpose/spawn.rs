//! `posix_spawn`, and what it has in common with the exec family: the collector is told which
//! program begins, and an environment that the caller has made up gets back what the program needs
//! to be profiled, if that is wanted.
#![allow(unsafe_code, reason = "C functions with raw pointers")]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::record::{self, Header, MAX_EXEC_WORDS, MAX_PATH_WORDS, flags};

use super::exec::Strings;
use super::{ENOSYS, Next, POSIX_SPAWN, POSIX_SPAWNP, call_next, mask};
use crate::agent::{self, Agent};
use crate::sys;
use crate::sys::signal;

/// A process that begins another program.
pub struct Announced<'a> {
    pub pid: u32,
    pub path: &'a CStr,
    pub has_agent: bool,
    /// It could not.
    pub failed: bool,
}

/// Tells the collector, if a lane is free.
pub fn announce(exec: Announced<'_>) {
    let Some(agent) = agent::get() else { return };
    let tid = sys::gettid();
    let writer = agent.lanes().iter().find_map(|lane| lane.claim(tid, MAX_EXEC_WORDS));
    let Some(mut writer) = writer else { return };
    let is_own = exec.pid == agent.pid();
    let cpu_ns = if is_own { sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME).max(1) } else { 0 };
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let header = Header {
        time_ns: agent.monotonic.now_ns(),
        tid,
        process: agent.process.load(Relaxed),
        weight_ns: cpu_ns,
        blocked_ns: exec.pid.into(),
        sp: flag(exec.has_agent, record::exec::HAS_AGENT) | flag(exec.failed, record::exec::FAILED),
        ..Header::default()
    };
    record::begin(&mut writer, &header);
    for bytes in exec.path.to_bytes().chunks(8).take(MAX_PATH_WORDS) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        writer.push(u64::from_le_bytes(word));
    }
    record::finish(&mut writer, 0, flags::EXEC);
}

/// Calls `go_on` with an environment in which a program finds the agent and the collector, and
/// whether it will: with the given one if nothing is missing in it or nothing is to be added.
///
/// # Safety
/// `environment` is null or a list of C strings, ended by null.
pub unsafe fn with_environment<R>(
    environment: Strings,
    go_on: impl FnOnce(Strings, bool) -> R,
) -> R {
    let Some(agent) = agent::get() else { return go_on(environment, false) };
    // SAFETY: the caller answers for the list.
    let found = unsafe { Found::look(environment, agent) };
    let has_agent = found.has_session && found.has_agent;
    let is_complete = has_agent || agent.shared.control.restore_environment.load(Relaxed) == 0;
    // SAFETY: as above. Small arrays first: a thread may have little stack left.
    unsafe {
        match found.count {
            _ if is_complete => go_on(environment, has_agent),
            0..=60 => restored::<64, R>(environment, agent, go_on),
            61..=250 => restored::<256, R>(environment, agent, go_on),
            251..=1000 => restored::<1024, R>(environment, agent, go_on),
            _ => go_on(environment, false),
        }
    }
}

const LD_PRELOAD: &[u8] = b"LD_PRELOAD=";
const SESSION: &[u8] = b"SIGSPY_SESSION=";

/// What an environment holds.
#[derive(Default)]
struct Found {
    count: usize,
    has_session: bool,
    has_agent: bool,
}

impl Found {
    unsafe fn look(environment: Strings, agent: &Agent) -> Self {
        let mut found = Self::default();
        // SAFETY: the caller answers for the list.
        unsafe {
            each(environment, |entry| {
                found.count += 1;
                found.has_session |= entry.to_bytes() == agent.environment.session();
                found.has_agent |= preloads(entry.to_bytes(), agent);
            });
        }
        found
    }
}

/// Whether a variable preloads the agent.
fn preloads(variable: &[u8], agent: &Agent) -> bool {
    let ours = agent.environment.preload();
    let Some(theirs) = variable.strip_prefix(LD_PRELOAD) else { return false };
    let Some(ours) = ours.strip_prefix(LD_PRELOAD) else { return false };
    theirs.split(|&byte| byte == b':' || byte == b' ').any(|path| path == ours)
}

unsafe fn each(environment: Strings, mut visit: impl FnMut(&CStr)) {
    if environment.is_null() {
        return; // to the kernel that is an empty list
    }
    let mut entry = environment;
    // SAFETY: the caller answers for the list.
    unsafe {
        while !(*entry).is_null() {
            visit(CStr::from_ptr(*entry));
            entry = entry.add(1);
        }
    }
}

/// Room for `N` variables, three of which are ours and the end. An LD_PRELOAD of the program's own
/// follows the agent, if there is room.
unsafe fn restored<const N: usize, R>(
    environment: Strings,
    agent: &Agent,
    go_on: impl FnOnce(Strings, bool) -> R,
) -> R {
    const LONGEST_PRELOAD: usize = 1024;
    let mut list: [*const c_char; N] = [ptr::null(); N];
    let mut preload = [0u8; LONGEST_PRELOAD];
    let mut length = 0;
    let mut append = |bytes: &[u8]| {
        for &byte in bytes {
            if let Some(place) = preload.get_mut(length).filter(|_| length + 1 < LONGEST_PRELOAD) {
                *place = byte;
                length += 1;
            }
        }
    };
    append(agent.environment.preload());
    let mut places = list.iter_mut();
    let mut fits = true;
    let mut put = |variable: *const c_char| {
        if let Some(place) = places.next() {
            *place = variable;
        }
    };
    // SAFETY: the caller answers for the list.
    unsafe {
        each(environment, |entry| match entry.to_bytes().strip_prefix(LD_PRELOAD) {
            Some(theirs) => {
                fits = theirs.len() + agent.environment.preload().len() + 2 < LONGEST_PRELOAD;
                append(b":");
                append(theirs);
            }
            None if entry.to_bytes().starts_with(SESSION) => {}
            None => put(entry.as_ptr()),
        });
    }
    if !fits {
        return go_on(environment, false);
    }
    put(agent.environment.session().as_ptr().cast());
    put(preload.as_ptr().cast());
    go_on(list.as_ptr(), true)
}

/// In front of libc's.
///
/// # Safety
/// As posix_spawn(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawn(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { spawn(&POSIX_SPAWN, pid, path, actions, attributes, arguments, environment) }
}

/// In front of libc's.
///
/// # Safety
/// As posix_spawnp(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut c_int,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { spawn(&POSIX_SPAWNP, pid, file, actions, attributes, arguments, environment) }
}

unsafe fn spawn(
    next: &Next,
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    let mut own = 0;
    let pid = if pid.is_null() { &raw mut own } else { pid };
    // SAFETY: the caller's own arguments, or an environment of ours.
    unsafe {
        with_environment(environment, |environment, has_agent| {
            let mask = mask::block_what_is_left_out();
            type Pointer = *const c_void;
            let result = call_next!(
                next,
                fn(*mut c_int, *const c_char, Pointer, Pointer, Strings, Strings) -> c_int,
                pid,
                path,
                actions,
                attributes,
                arguments,
                environment
            )
            .unwrap_or(ENOSYS);
            if let Some(mask) = mask {
                signal::set_mask(mask);
            }
            if result == 0 {
                let (pid, path) = (*pid as u32, CStr::from_ptr(path));
                announce(Announced { pid, path, has_agent, failed: false });
            }
            result
        })
    }
}
