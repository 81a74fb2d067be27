//! Any file as the ELF file of a module: if there is a table for it, the table is sound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz as _;
use sigspy_unwind::{Table, compile};

const PAGE: u64 = 4096;
/// Pages that are looked at from either end, and addresses between two lookups.
const PAGES: u64 = 16;
const STEP: usize = 61;

fuzz_target!(|file: &[u8]| {
    let Ok(compiled) = compile(file) else { return };
    let table = Table::new(&compiled.bytes).expect("no table");
    assert!(table.validate());
    // Rows need bytes of the file, but for one a page.
    assert!(compiled.bytes.len() < 16 * file.len() + (16 << 20));
    let number = |at: usize| u64::from_le_bytes(*compiled.bytes[at..].first_chunk().unwrap());
    let (start, pages) = (number(8), number(16) & 0xffff_ffff);
    let end = start.saturating_add(pages * PAGE);
    let first = start..end.min(start.saturating_add(PAGES * PAGE));
    let last = end.saturating_sub(PAGES * PAGE)..end;
    for address in first.step_by(STEP).chain(last.step_by(STEP)) {
        assert!(table.lookup(address).is_some());
    }
    for address in [0, start.wrapping_sub(1), end, u64::MAX] {
        assert!(table.lookup(address).is_some());
    }
});
