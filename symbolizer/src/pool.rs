//! Work spread over threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Stack of a worker, bytes. Deeply nested inlined functions are read by recursion, and only
/// pages that are touched cost memory.
const STACK_BYTES: usize = 64 << 20;

/// How many workers there are at most.
pub fn width() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// `work` applied to every item, results in the order of the items. Returns when all are done.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_with(items, || (), |(), item| work(item))
}

/// The same with something that each thread makes for itself, and has for all of its items.
pub fn map_with<T: Sync, R: Send, S>(
    items: &[T],
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        let mut own = start();
        // Relaxed: the counter hands out indices, and guards no other memory.
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(index)
        {
            let result = work(&mut own, item);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        let start = || thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, worker);
        let started = (0..width().min(items.len())).filter(|_| start().is_ok()).count();
        if started == 0 {
            worker(); // no thread to be had: slower, not wrong
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(map(&items, |item| item * 2), items.iter().map(|i| i * 2).collect::<Vec<_>>());
    }

    #[test]
    fn no_items_give_no_results() {
        assert!(map(&[], |item: &u32| *item).is_empty());
    }
}
