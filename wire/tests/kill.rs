//! A writer that is killed at any moment: what it had published is there, whole, and the lane
//! goes on.
#![cfg(not(loom))]
#![allow(unsafe_code, reason = "fork and shared memory are the subject")]

use std::ptr;
use std::time::Duration;

use proptest::prelude::*;
use sigspy_wire::lane::Lane;
use sigspy_wire::record::{HEADER_WORDS, Header, decode, first_word};

const WRITER: u32 = 7;
const HEIR: u32 = 8;

/// A lane in memory that a child of fork shares.
fn shared_lane() -> &'static Lane {
    // SAFETY: a fresh anonymous mapping of the right size, page-aligned, never unmapped. Zeros
    // are a valid lane: it consists of atomics.
    unsafe {
        let length = size_of::<Lane>();
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let map = libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0);
        assert_ne!(map, libc::MAP_FAILED);
        &*map.cast::<Lane>()
    }
}

/// One record; its number is in every word behind the first.
fn push(lane: &Lane, tid: u32, number: u64, frames: usize) -> bool {
    let length = HEADER_WORDS + frames;
    let Some(mut writer) = lane.claim(tid, length) else { return false };
    writer.push(0);
    let header = Header { time_ns: number, weight_ns: number, sp: number, ..Header::default() };
    header.words().into_iter().for_each(|word| writer.push(word));
    (0..frames).for_each(|_| writer.push(number));
    writer.set(0, first_word(length as u64, 0, 0));
    writer.publish();
    true
}

/// Numbers of all records in the lane. Panics on half a record.
fn drain(lane: &Lane) -> Vec<u64> {
    let mut words = Vec::new();
    lane.drain(|word| words.push(word)).expect("the counters make sense");
    let (mut numbers, mut rest) = (Vec::new(), words.as_slice());
    while let Some((record, behind)) = decode(rest) {
        let number = record.header.time_ns;
        assert_eq!((record.header.weight_ns, record.header.sp), (number, number));
        assert!(record.frames.iter().all(|&word| word == number));
        numbers.push(number);
        rest = behind;
    }
    assert!(rest.is_empty(), "there is nothing between records");
    numbers
}

/// Writes until it is killed.
fn writer_process(lane: &'static Lane, frames: usize) -> libc::pid_t {
    // SAFETY: the child calls nothing but lane code, which does not allocate, and never returns.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            let mut number = 0;
            loop {
                number += u64::from(push(lane, WRITER, number, frames));
            }
        }
        child
    }
}

fn kill(child: libc::pid_t) {
    // SAFETY: the child is ours and not yet waited for.
    unsafe {
        assert_eq!(libc::kill(child, libc::SIGKILL), 0);
        assert_eq!(libc::waitpid(child, ptr::null_mut(), 0), child);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_a_killed_writer_had_published_is_there(micros in 0u64..3000, frames in 0usize..900) {
        let lane = shared_lane();
        let child = writer_process(lane, frames);
        let mut numbers = Vec::new();
        std::thread::sleep(Duration::from_micros(micros));
        numbers.extend(drain(lane));
        std::thread::sleep(Duration::from_micros(micros / 3));
        kill(child);
        numbers.extend(drain(lane));
        let in_order: Vec<u64> = (0..numbers.len() as u64).collect();
        prop_assert_eq!(numbers, in_order, "no record is missing, twice, or torn");
        if lane.owner() == Some(WRITER) {
            prop_assert!(lane.release_dead(WRITER));
        }
        prop_assert!(push(lane, HEIR, 99, 5));
        prop_assert_eq!(drain(lane), [99]);
    }
}
