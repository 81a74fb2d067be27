//! Any file as a module: every address gets a frame, and names are of a size to be shown.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz as _;
use sigspy_model::{Location, LocationId, Module, ModuleId};
use sigspy_symbolizer::{Sources, symbolize};

/// Where ELF files of 64 bits say where they begin to run.
const ENTRY: usize = 24;
/// Bytes behind the entry that are looked up, some of them; the code of the seeds has no more.
const CODE: u64 = 512;
/// Words at the end of the file that are looked up as well.
const WORDS: usize = 8;
const LONGEST_NAME: usize = 64 << 10;

fuzz_target!(|file: &[u8]| {
    let addresses = addresses(file);
    let location = |address: &u64| Location { module: Some(ModuleId(0)), address: *address };
    let locations: Vec<_> = addresses.iter().map(location).collect();
    let image = Some(file.to_vec());
    let module = Module { path: "/module".to_owned(), build_id: None, image };
    let found = symbolize(&[module], &locations, &BTreeMap::new(), &Sources::default(), &|_, _| ());
    for id in 0..locations.len() as u32 {
        let frames = found.symbols.frames(LocationId(id));
        assert!(!frames.is_empty());
        assert!(frames.iter().all(|frame| frame.function.len() < LONGEST_NAME));
    }
});

fn addresses(file: &[u8]) -> Vec<u64> {
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let entry = word(file.get(ENTRY..).unwrap_or_default());
    let behind = (0..CODE).step_by(5).map(|offset| entry.wrapping_add(offset));
    let last = file.rchunks(8).take(WORDS).map(word);
    behind.chain(last).chain([0, u64::MAX]).collect()
}
