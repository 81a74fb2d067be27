//! Walks from wherever a signal finds a busy thread.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use sigspy_unwind::{EXACT, Registers, Stop};

use crate::process::{Stack, registers, stack_by_libgcc, stack_from, this_process};

/// As the C library has it on x86-64.
#[repr(C)]
struct SigAction {
    handler: extern "C" fn(c_int, *const u8, *const u8),
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

#[repr(C)]
struct AlternateStack {
    start: *mut c_void,
    flags: c_int,
    size: usize,
}

unsafe extern "C" {
    fn sigaction(number: c_int, new: *const SigAction, old: *mut SigAction) -> c_int;
    fn sigaltstack(new: *const AlternateStack, old: *mut AlternateStack) -> c_int;
    fn pthread_kill(thread: u64, number: c_int) -> c_int;
}

const SIGUSR2: c_int = 12;
const SA_SIGINFO: c_int = 4;
const SA_ONSTACK: c_int = 0x0800_0000;
const SA_RESTART: c_int = 0x1000_0000;

static SAMPLES: AtomicUsize = AtomicUsize::new(0);
/// libgcc had no information for some function, and stopped before the end.
static SHORTER: AtomicUsize = AtomicUsize::new(0);
static WRONG: Mutex<Option<(Stop, Stack, Stack)>> = Mutex::new(None);
static DONE: AtomicBool = AtomicBool::new(false);

extern "C" fn on_usr2(_: c_int, _: *const u8, context: *const u8) {
    let (ours, stop) = stack_from(&interrupted_registers(context));
    let (from_handler, stop_from_handler) = stack_from(&registers());
    let theirs = stack_by_libgcc();
    let interrupted = theirs.frames().iter().position(|frame| frame & EXACT != 0);
    let expected = interrupted.map_or(&[][..], |first| &theirs.frames()[first..]);
    let is_right = (stop, stop_from_handler) == (Stop::End, Stop::End)
        && from_handler.frames().ends_with(ours.frames())
        && !expected.is_empty()
        && ours.frames().starts_with(expected);
    SAMPLES.fetch_add(1, SeqCst);
    SHORTER.fetch_add(usize::from(expected.len() < ours.frames().len()), SeqCst);
    if !is_right && let Ok(mut wrong) = WRONG.try_lock() {
        wrong.get_or_insert((stop, ours.clone(), theirs));
    }
}

/// From the context that the kernel passes to a handler.
fn interrupted_registers(context: *const u8) -> Registers {
    // Offsets of rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15 and rip.
    const OFFSETS: [usize; 17] =
        [144, 136, 152, 128, 112, 104, 120, 160, 40, 48, 56, 64, 72, 80, 88, 96, 168];
    // SAFETY: the kernel passes a ucontext_t, which is longer than all offsets.
    let words = OFFSETS.map(|offset| unsafe { context.add(offset).cast::<u64>().read() });
    let [general @ .., pc] = words;
    Registers { general, pc }
}

/// Functions of the standard library, libc and libm, calls through linkage tables, recursion.
fn work() {
    let mut words = BTreeMap::new();
    for number in 0..200_u32 {
        let text = format!("{:.3} {number:x}", black_box(f64::from(number)).sin().powf(1.3));
        *words.entry(text).or_insert(0) += fibonacci(number % 12);
    }
    let mut sorted: Vec<_> = words.iter().map(|(text, count)| (*count, text.clone())).collect();
    sorted.sort_by(|a, b| a.1.len().cmp(&b.1.len()).then(b.cmp(a)));
    black_box(sorted);
}

fn fibonacci(number: u32) -> u32 {
    if number < 2 { number } else { fibonacci(number - 1) + fibonacci(black_box(number - 2)) }
}

#[test]
fn any_instruction_of_a_busy_thread_is_walked_to_the_end() {
    const SAMPLES_WANTED: usize = 1000;
    this_process();
    let flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    let action = SigAction { handler: on_usr2, mask: [0; 16], flags, restorer: 0 };
    // SAFETY: the handler has the type that SA_SIGINFO asks for; no other test uses the signal.
    assert_eq!(unsafe { sigaction(SIGUSR2, &raw const action, std::ptr::null_mut()) }, 0);
    let worker = thread::spawn(|| {
        let alternate: &'static mut [u8] = vec![0; 1 << 20].leak();
        let (start, size) = (alternate.as_mut_ptr().cast(), alternate.len());
        let stack = AlternateStack { start, flags: 0, size };
        // SAFETY: the memory is never freed.
        assert_eq!(unsafe { sigaltstack(&raw const stack, std::ptr::null_mut()) }, 0);
        while !DONE.load(SeqCst) {
            work();
        }
    });
    thread::sleep(Duration::from_millis(20)); // until it has its alternate stack
    for _ in 0..100 * SAMPLES_WANTED {
        // SAFETY: the thread runs until DONE is set.
        assert_eq!(unsafe { pthread_kill(worker.as_pthread_t(), SIGUSR2) }, 0);
        thread::sleep(Duration::from_micros(200)); // signals that follow too soon are merged
        if SAMPLES.load(SeqCst) >= SAMPLES_WANTED {
            break;
        }
    }
    DONE.store(true, SeqCst);
    worker.join().unwrap();
    let (samples, shorter) = (SAMPLES.load(SeqCst), SHORTER.load(SeqCst));
    println!("{samples} samples, {shorter} of them not finished by libgcc");
    if let Some((stop, ours, theirs)) = &*WRONG.lock().unwrap() {
        panic!("{stop:?}\n{:x?}\n{:x?}", ours.frames(), theirs.frames());
    }
    assert!(samples >= SAMPLES_WANTED);
    assert!(shorter * 20 < samples, "{shorter} of {samples}");
}
