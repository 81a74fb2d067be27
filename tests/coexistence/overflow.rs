//! overflow main|thread: computes for a while, then overflows its stack. The standard library has a
//! handler for that, on a small alternate stack, which says so.

use std::hint::black_box;
use std::time::{Duration, Instant};

#[inline(never)]
fn work() {
    let start = Instant::now();
    let mut sum = 0_u64;
    while start.elapsed() < Duration::from_millis(300) {
        sum = black_box(sum.wrapping_mul(5).wrapping_add(1));
    }
}

#[expect(unconditional_recursion, reason = "it is there to overflow the stack")]
fn endless(depth: u64) -> u64 {
    let room = black_box([depth; 16]);
    endless(depth + 1) + room[3]
}

fn main() {
    work();
    println!("so far so good");
    if std::env::args().nth(1).as_deref() == Some("thread") {
        let thread = std::thread::Builder::new().name("deep".to_owned()).spawn(|| {
            work();
            endless(0)
        });
        thread.expect("a thread can be spawned").join().expect("it does not come back");
    } else {
        println!("{}", endless(0));
    }
}
