//! Any words as what lies in a lane: what a program can write there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz as _;
use sigspy_unwind::Frame;
use sigspy_wire::record::{self, MAX_PATH_WORDS, MAX_WORDS};

fuzz_target!(|bytes: &[u8]| {
    let words: Vec<_> =
        bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    let mut rest = words.as_slice();
    while let Some((record, behind)) = record::decode(rest) {
        let length = rest.len() - behind.len();
        assert!(length > 0 && length <= MAX_WORDS);
        assert!(record.frames.len() < length);
        if let Some(unfinished) = record.unfinished {
            assert!(record.frames.len() + unfinished.stack.len() < length);
            Frame::from_words(unfinished.state);
        }
        if let Some(exec) = record.exec() {
            assert!(exec.path().count() <= 8 * MAX_PATH_WORDS);
        }
        rest = behind;
    }
});
