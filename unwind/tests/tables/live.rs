//! Walks through stacks of this process, each compared with libgcc's.

use std::ffi::{c_int, c_void};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;

use sigspy_unwind::EXACT;

use crate::process::{checked_stack, is_in};

unsafe extern "C" {
    fn qsort(
        base: *mut c_void,
        count: usize,
        size: usize,
        compare: extern "C" fn(*const c_void, *const c_void) -> c_int,
    );
    fn signal(number: c_int, handler: usize) -> usize;
    fn raise(number: c_int) -> c_int;
}

const SIGUSR1: c_int = 10;

#[test]
fn a_thread_ends_where_clone_started_it() {
    let frames = thread::spawn(checked_stack).join().unwrap();
    assert!(is_in(*frames.last().unwrap(), "libc.so"));
    assert!(frames[1..].iter().all(|frame| frame & EXACT == 0));
}

/// How deep the recursion of `compare` still goes, and what it found at the end.
static DEPTH: AtomicUsize = AtomicUsize::new(0);
static FOUND: Mutex<Vec<u64>> = Mutex::new(Vec::new());

extern "C" fn compare(_: *const c_void, _: *const c_void) -> c_int {
    if DEPTH.fetch_sub(1, SeqCst) == 1 {
        at_the_bottom();
    } else {
        sort_two();
    }
    0
}

/// Apart from `compare`, whose frame is to be small.
#[inline(never)]
fn at_the_bottom() {
    *FOUND.lock().unwrap() = checked_stack();
}

#[inline(never)]
fn sort_two() {
    let mut two = [1_u64, 2];
    // SAFETY: two elements of 8 bytes; `compare` accepts any.
    unsafe { qsort(two.as_mut_ptr().cast(), 2, 8, compare) };
    assert_eq!(two, [1, 2]);
}

#[test]
fn callbacks_of_qsort_are_followed_to_any_depth() {
    for depth in [1, 5, 50, 500] {
        DEPTH.store(depth, SeqCst);
        thread::Builder::new().stack_size(8 << 20).spawn(sort_two).unwrap().join().unwrap();
        let frames = FOUND.lock().unwrap();
        let in_libc = frames.iter().filter(|frame| is_in(**frame, "libc.so")).count();
        assert!(in_libc > depth && frames.len() > 3 * depth, "{depth}: {frames:x?}");
        println!("{depth} calls of qsort: {} frames", frames.len());
    }
}

static IN_HANDLER: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Runs in a signal that the thread has sent to itself, so that it may do anything.
extern "C" fn on_usr1(_: c_int) {
    *IN_HANDLER.lock().unwrap() = checked_stack();
}

#[test]
fn a_signal_handler_is_followed_to_what_it_interrupted() {
    let here = checked_stack();
    // SAFETY: the handler has the right type, and no other test uses this signal.
    unsafe {
        signal(SIGUSR1, on_usr1 as extern "C" fn(c_int) as usize);
        raise(SIGUSR1);
    }
    let frames = IN_HANDLER.lock().unwrap();
    let interrupted = frames.iter().skip(1).position(|frame| frame & EXACT != 0).unwrap() + 1;
    assert!(is_in(frames[interrupted], "libc.so"), "{frames:x?}");
    assert!(frames.len() >= interrupted + here.len());
    assert!(frames.ends_with(&here[1..]));
}

#[test]
fn a_panic_hook_is_followed_through_the_standard_library() {
    let (found, finding) = mpsc::channel();
    let found = Mutex::new(found);
    let us = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == us {
            found.lock().unwrap().send(checked_stack()).unwrap();
        } else {
            before(info);
        }
    }));
    let here = checked_stack();
    assert!(panic::catch_unwind(|| Vec::<u8>::new()[std::hint::black_box(1)]).is_err());
    let frames = finding.recv().unwrap();
    assert!(frames.len() > here.len() + 3);
    assert!(frames.ends_with(&here[1..]));
}
