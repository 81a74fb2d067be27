//! Files that are not what they say.

use std::fs;

use proptest::prelude::*;
use sigspy_unwind::{Rule, Table, compile};

use crate::files;

/// If there is a table at all, it must be sound.
fn compile_anything(bytes: &[u8]) {
    if let Ok(compiled) = compile(bytes) {
        assert!(Table::new(&compiled.bytes).unwrap().validate());
        assert!(compiled.bytes.len() < 16 * bytes.len() + (16 << 20));
    }
}

fn small_files() -> Vec<Vec<u8>> {
    let paths = files::system_files();
    let read = paths.iter().map(|path| fs::read(path).unwrap());
    read.filter(|bytes| bytes.len() < 1 << 18).chain([files::vdso()]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_compile_or_do_not(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        compile_anything(&bytes);
        compile_anything(&[b"\x7fELF\x02\x01\x01", &*bytes].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn files_with_changed_bytes_compile_or_do_not(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64),
        headers in prop::collection::vec((0_usize..1024, any::<u8>()), 0..4),
        cut: prop::sample::Index,
    ) {
        for original in small_files() {
            let mut bytes = original.clone();
            for (place, byte) in &changes {
                bytes[place.index(original.len())] ^= byte;
            }
            compile_anything(&bytes);
            for (place, byte) in &headers {
                bytes[*place] ^= byte;
            }
            compile_anything(&bytes);
            compile_anything(&bytes[..cut.index(bytes.len())]);
        }
    }

    /// Changes where they hurt: in the call frame information.
    #[test]
    fn information_with_changed_bytes_compiles_or_does_not(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
    ) {
        use object::{Object, ObjectSection};
        for mut bytes in small_files() {
            let range = {
                let elf = object::read::elf::ElfFile64::<object::LittleEndian>::parse(&*bytes).unwrap();
                elf.section_by_name(".eh_frame").unwrap().file_range().unwrap()
            };
            for (place, byte) in &changes {
                bytes[range.0 as usize + place.index(range.1 as usize)] ^= byte;
            }
            compile_anything(&bytes);
        }
    }

    #[test]
    fn tables_that_are_cut_or_changed_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..32),
        cut: prop::sample::Index,
        addresses in prop::collection::vec(any::<u64>(), 64),
    ) {
        let mut bytes = compile(&files::vdso()).unwrap().bytes;
        prop_assert!(Table::new(&bytes[..cut.index(bytes.len())]).is_none());
        let length = bytes.len();
        for (place, byte) in &changes {
            bytes[place.index(length)] ^= byte;
        }
        if let Some(table) = Table::new(&bytes) {
            let is_sound = table.validate();
            for address in addresses.iter().flat_map(|address| [*address, address % 0x4000]) {
                let rule: Option<Rule> = table.lookup(address);
                prop_assert!(rule.is_some() || !is_sound);
            }
        }
    }
}
