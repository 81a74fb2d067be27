//! threads COUNT SECONDS: COUNT threads share that much CPU time; thread k does k + 1 parts of it.
//!
//! Prints `tid name ns` for each thread and `total ns` for the process.

use std::hint::black_box;
use std::{env, fs, thread};

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, now: *mut Timespec) -> i32;
}

const PROCESS_CPU: i32 = 2;
const THREAD_CPU: i32 = 3;

fn clock_ns(clock: i32) -> u64 {
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `now` is a timespec that lives for the length of the call.
    unsafe { clock_gettime(clock, &mut now) };
    now.seconds as u64 * 1_000_000_000 + now.nanoseconds as u64
}

#[inline(never)]
fn work(ns: u64) {
    let start = clock_ns(THREAD_CPU);
    let mut x = 1_u64;
    while clock_ns(THREAD_CPU) - start < ns {
        for _ in 0..100_000 {
            x = black_box(x.wrapping_mul(5).wrapping_add(11));
        }
    }
}

fn run(budget_ns: u64) -> (String, u64) {
    let tid = fs::read_link("/proc/thread-self").expect("Linux has /proc/thread-self");
    work(budget_ns);
    let tid = tid.file_name().expect("PID/task/TID").to_string_lossy().into_owned();
    (tid, clock_ns(THREAD_CPU))
}

fn main() {
    let mut arguments = env::args().skip(1);
    let count: u64 = arguments.next().map_or(2, |text| text.parse().expect("a number of threads"));
    let seconds: f64 = arguments.next().map_or(1.0, |text| text.parse().expect("seconds"));
    let part_ns = seconds * 1e9 / (count * (count + 1) / 2) as f64;
    let workers: Vec<_> = (0..count)
        .map(|k| {
            let budget_ns = (part_ns * (k + 1) as f64) as u64;
            let builder = thread::Builder::new().name(format!("worker-{k}"));
            builder.spawn(move || run(budget_ns)).expect("a thread can be started")
        })
        .collect();
    for (k, worker) in workers.into_iter().enumerate() {
        let (tid, ns) = worker.join().expect("a worker does not panic");
        println!("{tid} worker-{k} {ns}");
    }
    println!("total {}", clock_ns(PROCESS_CPU));
}
