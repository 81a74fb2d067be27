//! Any bytes as the perf map of a process, which is looked at again after each NUL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_collector::PerfMap;
use sigspy_fuzz as _;

/// Longer names are cut; a byte that is no character becomes one of three bytes.
const LONGEST_NAME: usize = 3 << 10;

fuzz_target!(|text: &[u8]| {
    let mut map = PerfMap::default();
    let mut rest = Vec::new();
    for (since_ns, text) in (0..).zip(text.split(|byte| *byte == 0)) {
        rest.extend(text);
        let taken = map.append(since_ns, &rest);
        assert!(taken <= rest.len() && !rest[taken..].contains(&b'\n'));
        rest.drain(..taken);
        for address in starts(text) {
            for time_ns in [0, since_ns, u64::MAX] {
                let name = map.find(address, time_ns);
                assert!(name.is_none_or(|name| !name.is_empty() && name.len() <= LONGEST_NAME));
            }
            // Told later than needed is better than not at all.
            assert_eq!(map.find(address, 0).is_some(), map.find(address, u64::MAX).is_some());
        }
    }
});

/// Addresses that occur in it, as far as it is well-formed.
fn starts(text: &[u8]) -> impl Iterator<Item = u64> {
    let lines = text.split(|byte| *byte == b'\n');
    let words = lines.filter_map(|line| line.split(|byte| *byte == b' ').next());
    words.filter_map(|word| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
}
