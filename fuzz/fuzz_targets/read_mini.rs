//! Any bytes as `.gnu_debugdata` of a module without symbols: unpacked, read, and no more.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use object::write::{Object, SectionKind};
use object::{Architecture, BinaryFormat, Endianness};
use sigspy_fuzz as _;
use sigspy_model::{Location, LocationId, Module, ModuleId};
use sigspy_symbolizer::{Sources, symbolize};

/// Where the code of the seed lies.
const CODE: std::ops::Range<u64> = 0x4000e0..0x400110;

fuzz_target!(|packed: &[u8]| {
    let location = |address| Location { module: Some(ModuleId(0)), address };
    let locations: Vec<_> = CODE.step_by(4).chain([0, u64::MAX]).map(location).collect();
    let image = Some(module_with(packed));
    let module = Module { path: "/module".to_owned(), build_id: None, image };
    let nothing = BTreeMap::new();
    let found = symbolize(&[module], &locations, &nothing, &Sources::default(), &|_, _| ());
    for id in 0..locations.len() as u32 {
        assert!(!found.symbols.frames(LocationId(id)).is_empty());
    }
});

fn module_with(packed: &[u8]) -> Vec<u8> {
    let mut module = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let name = b".gnu_debugdata".to_vec();
    let section = module.add_section(Vec::new(), name, SectionKind::Other);
    module.append_section_data(section, packed, 1);
    module.write().expect("an ELF file may have such a section")
}
