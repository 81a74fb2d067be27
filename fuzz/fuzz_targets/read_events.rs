//! Any bytes as the events of a recording, and reports of what comes of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz::{assert_sound, file_of_events, read, report};

fuzz_target!(|events: &[u8]| {
    if let Some(profile) = read(&file_of_events(events)) {
        assert_sound(&profile);
        report(&profile);
    }
});
