//! Any file as the profile of another tool: recognized, and as each format; what comes of it is
//! sound and can be reported.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz::{assert_sound, report_with};
use sigspy_import::{Format, Imported, Options, Unit, import};

fuzz_target!(|file: &[u8]| {
    for format in [None, Some(Format::Folded), Some(Format::Pprof), Some(Format::Perf)] {
        let options = Options { format, unit: Unit::default(), name: "file".to_owned() };
        if let Ok(Imported { profile, symbols, .. }) = import(file, &options) {
            assert_sound(&profile);
            report_with(&profile, &symbols);
        }
    }
});
