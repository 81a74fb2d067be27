//! recursion DEPTH: takes CPU time at the end of a recursion so deep, and half-way.

use std::hint::black_box;

fn work() -> u64 {
    (0..200_000_000).fold(0, |sum, i| black_box(sum ^ i))
}

fn descend(depth: u64, half: u64) -> u64 {
    if depth == 0 {
        return work();
    }
    let mine = if depth == half { work() } else { 0 };
    mine + black_box(descend(depth - 1, half))
}

fn main() {
    let depth = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(1000);
    println!("{}", descend(depth, depth / 2));
}
