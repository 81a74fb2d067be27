//! Any bytes as the name of a function, in a symbol table and as a program tells it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use object::write::{Object, StandardSection, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};
use sigspy_fuzz as _;
use sigspy_model::{Language, Location, LocationId, Module, ModuleId};
use sigspy_report::readable_name;
use sigspy_symbolizer::{Sources, symbolize};

const LONGEST_NAME: usize = 64 << 10;

fuzz_target!(|name: &[u8]| {
    let image = Some(file_with(name));
    let module = Module { path: "/module".to_owned(), build_id: None, image };
    let locations = [Some(ModuleId(0)), None].map(|module| Location { module, address: 0 });
    let code_name = String::from_utf8_lossy(name).into_owned();
    let code_names = [(LocationId(1), code_name)].into();
    let found = symbolize(&[module], &locations, &code_names, &Sources::default(), &|_, _| ());
    for id in [0, 1].map(LocationId) {
        let [frame] = found.symbols.frames(id) else { panic!("not one frame") };
        assert!(!frame.function.contains(char::is_control));
    }
    let [frame] = found.symbols.frames(LocationId(0)) else { panic!("not one frame") };
    assert!(!frame.function.is_empty() && frame.function.len() < LONGEST_NAME);
    let text = String::from_utf8_lossy(name);
    for language in [Language::Rust, Language::Cpp] {
        let short = readable_name(&text, language);
        assert!(short.is_empty() == text.is_empty() && short.len() <= 2 * text.len());
    }
});

/// An ELF file whose code is one function of this name.
fn file_with(name: &[u8]) -> Vec<u8> {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    let mut file = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let section = file.section_id(StandardSection::Text);
    file.append_section_data(section, &[0xc3; 16], 16);
    file.add_symbol(Symbol {
        name,
        value: 0,
        size: 16,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    });
    file.write().expect("no file")
}
