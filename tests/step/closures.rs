//! Closures, trait objects, iterators, formatting, collections, and panics that are caught.
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};

trait Shape {
    fn area(&self, x: u64) -> u64;
}

struct Square;
struct Panics;

struct Guard(u64);

impl Drop for Guard {
    #[inline(never)]
    fn drop(&mut self) {
        black_box(self.0);
    }
}

impl Shape for Square {
    #[inline(never)]
    fn area(&self, x: u64) -> u64 {
        x.wrapping_mul(x)
    }
}

impl Shape for Panics {
    #[inline(never)]
    fn area(&self, x: u64) -> u64 {
        assert!(x % 3 == 0, "{x} is not right");
        x
    }
}

#[inline(never)]
fn deep(shape: &dyn Shape, x: u64, depth: u32) -> u64 {
    let guard = Guard(x);
    if depth == 0 { shape.area(x) } else { deep(shape, x + 1, depth - 1) ^ guard.0 }
}

#[inline(never)]
fn through(function: &dyn Fn(u64) -> u64, x: u64) -> u64 {
    function(x) + 1
}

#[inline(never)]
fn collects(x: u64) -> u64 {
    let mut words: Vec<String> = (0..12).map(|i| format!("{:x} {i}", x * (i + 1) % 97)).collect();
    words.sort_by(|one, other| other.cmp(one));
    let counts: BTreeMap<usize, usize> =
        words.iter().fold(BTreeMap::new(), |mut counts, word| {
            *counts.entry(word.len()).or_default() += 1;
            counts
        });
    let lengths: HashMap<&str, usize> = words.iter().map(|word| (&**word, word.len())).collect();
    words.iter().map(|word| lengths[&**word] as u64).sum::<u64>() + counts.len() as u64
}

fn main() {
    panic::set_hook(Box::new(|info| drop(black_box(info.to_string()))));
    let mut x = 5;
    for shape in [&Square as &dyn Shape, &Panics] {
        for more in 0..3 {
            let result = panic::catch_unwind(AssertUnwindSafe(|| deep(shape, x + more, 5)));
            x = (x + result.unwrap_or(9)) % 1_000_003;
        }
        let offset = x;
        x = (x + through(&|y| y ^ offset, 3) + collects(x)) % 1_000_003;
    }
    println!("{x:?} {:.3}", x as f64 / 7.0);
    std::process::exit(3);
}
