//! Any file as a recording: as it is, and once more with checksums that are right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz::{assert_sound, read, repair};

fuzz_target!(|file: &[u8]| {
    read(file).iter().for_each(assert_sound);
    let mut file = file.to_vec();
    repair(&mut file);
    read(&file).iter().for_each(assert_sound);
});
