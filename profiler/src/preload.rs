//! The agent without anybody in front: preloaded by hand, it starts a collector by itself.
//!
//! The collector is the command line that this agent came out of: a link beside the agent's own
//! file names it. It is not the program's child, and in no group of processes with it.
#![allow(unsafe_code, reason = "C strings and pointers to them")]

use core::ffi::{CStr, c_char};

use crate::agent::Agent;
use crate::loader::LinkMap;
use crate::session::Collector;
use crate::sys;
use crate::sys::process::{NO_COLLECTOR, socket_pair, spawn_stranger};

const LONGEST_PATH: usize = 1024;
const MOST_VARIABLES: usize = 1024;

/// Starts a collector. On failure one line says so, and the program runs without.
pub fn start_collector(
    images: *const LinkMap,
    environment: *const *const c_char,
) -> Option<Collector> {
    let started = start(images, environment);
    if started.is_none() {
        sys::write_error(NO_COLLECTOR);
    }
    started
}

fn start(images: *const LinkMap, environment: *const *const c_char) -> Option<Collector> {
    let own = start as *const () as usize;
    // SAFETY: the caller passes the loader's list.
    let agent = unsafe { crate::loader::file_of(images, own) }?;
    let program = collector_beside(agent.to_bytes())?;
    let [ours, theirs] = socket_pair().ok()?;
    let number = decimal(theirs as u32);
    let arguments = [
        c"sigspy".as_ptr(),
        c"collect".as_ptr(),
        c"--socket".as_ptr(),
        number.as_ptr().cast(),
        core::ptr::null(),
    ];
    // SAFETY: the caller passes the environment; all strings end with NUL and outlive the call.
    let spawned = unsafe {
        let environment = without_preload(environment);
        spawn_stranger(program.as_ptr().cast(), arguments.as_ptr(), environment.as_ptr(), theirs)
    };
    sys::close(theirs);
    if spawned.is_err() {
        sys::close(ours);
        return None;
    }
    Some(Collector::Started(ours))
}

/// Adds the collector's address to the environment of this program, so that those that it executes
/// come to the same collector. The exec functions do that, too, but not for `system` and `popen`.
pub fn let_children_know(agent: Option<&'static Agent>) {
    let environ = crate::arch::weak_environ() as *mut *const *const c_char;
    let (Some(agent), false) = (agent, environ.is_null()) else { return };
    // SAFETY: `environ` is the C library's variable, and holds a list of C strings, ended by null.
    // In the constructor no other thread uses it.
    unsafe {
        let count = (0..).take_while(|&index| !(*environ).add(index).read().is_null()).count();
        let Ok(list) = sys::map_anonymous((count + 2) * size_of::<*const c_char>()) else { return };
        let list = list.cast::<*const c_char>();
        list.copy_from_nonoverlapping(*environ, count);
        list.add(count).write(agent.environment.session().as_ptr().cast());
        *environ = list.cast_const(); // behind the last one, the mapping is zero
    }
}

/// `.../libsigspy-SUM.so` -> `.../libsigspy-SUM.collector`
fn collector_beside(agent: &[u8]) -> Option<[u8; LONGEST_PATH]> {
    let stem = agent.strip_suffix(b".so")?;
    let mut path = [0; LONGEST_PATH];
    let ending = b".collector\0";
    let (place, rest) = path.split_at_mut_checked(stem.len())?;
    place.copy_from_slice(stem);
    rest.get_mut(..ending.len())?.copy_from_slice(ending);
    Some(path)
}

/// The variables of the program but LD_PRELOAD: the collector must not profile itself.
unsafe fn without_preload(environment: *const *const c_char) -> [*const c_char; MOST_VARIABLES] {
    let mut kept = [core::ptr::null(); MOST_VARIABLES];
    let (places, _end) = kept.split_at_mut(MOST_VARIABLES - 1);
    let mut places = places.iter_mut();
    let mut entry = environment;
    // SAFETY: the caller passes a list of C strings, ended by null.
    unsafe {
        while !(*entry).is_null() {
            let variable = *entry;
            entry = entry.add(1);
            if CStr::from_ptr(variable).to_bytes().starts_with(b"LD_PRELOAD=") {
                continue;
            }
            if let Some(place) = places.next() {
                *place = variable;
            }
        }
    }
    kept
}

/// A number as a C string.
fn decimal(mut number: u32) -> [u8; 11] {
    let mut digits = [0; 11];
    let mut reversed = [0; 10];
    let mut count = 0;
    for digit in &mut reversed {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    let from = reversed.iter().take(count).rev();
    for (to, from) in digits.iter_mut().zip(from) {
        *to = *from;
    }
    digits
}
