//! Functions without a name: stripped files that still have unwind information.

use std::fs;
use std::ops::Range;

use object::ObjectSection;

use super::folder::{Folder, INLINING};
use super::*;

/// How a linker may be told to leave the unwind information: with a table, and without one.
const WAYS: [(&str, &str); 2] =
    [("table", "-Wl,--eh-frame-hdr"), ("scan", "-Wl,--no-eh-frame-hdr")];

/// A program as a module without symbols, and where its functions `outer` and `main` were.
fn stripped(folder: &Folder, arguments: &[&str]) -> (Module, Range<u64>, Range<u64>) {
    let program = folder.compile(INLINING, arguments);
    let place = |name| {
        let (start, size) = symbol(&program, name);
        start..start + size
    };
    let (outer, main) = (place("outer"), place("main"));
    folder.run("strip", &["app"]);
    (module(&program), outer, main)
}

fn has_table(folder: &Folder) -> bool {
    let bytes = fs::read(folder.file("app")).unwrap();
    object::File::parse(&*bytes).unwrap().section_by_name(".eh_frame_hdr").is_some()
}

#[test]
fn all_addresses_of_a_stripped_function_have_its_start_as_their_name() {
    for (name, way) in WAYS {
        let folder = Folder::new(&format!("nameless-{name}"));
        let (module, outer, main) = stripped(&folder, &[way]);
        assert_eq!(has_table(&folder), name == "table");
        for function in [outer.clone(), main.clone()] {
            let expected = format!("app+{:#x}", function.start);
            let (frames, cause) = look_up(&module, &function.collect::<Vec<_>>());
            assert!(frames.iter().all(|frames| are(frames, &[&expected])), "{name}: {frames:?}");
            assert!(matches!(cause, Some(Cause::NoSymbols)), "{cause:?}");
        }
        assert_ne!(outer.start, main.start);
    }
}

#[test]
fn an_address_between_functions_is_not_its_neighbour() {
    for (name, way) in WAYS {
        let folder = Folder::new(&format!("nameless-gap-{name}"));
        let (module, outer, main) = stripped(&folder, &["-falign-functions=4096", way]);
        for function in [outer, main] {
            for address in [function.start - 1, function.end, function.end + 100] {
                assert_eq!(functions(&module, address), [format!("app+{address:#x}")], "{name}");
            }
        }
    }
}

#[test]
fn without_unwind_information_every_address_is_on_its_own() {
    let folder = Folder::new("nameless-none");
    let arguments = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];
    let (module, outer, main) = stripped(&folder, &arguments);
    for address in [outer.start, outer.end - 1, main.start, main.end - 1] {
        assert_eq!(functions(&module, address), [format!("app+{address:#x}")]);
    }
}

#[test]
fn a_file_that_lost_its_section_headers_is_addresses() {
    let folder = Folder::new("nameless-headers");
    let (mut module, outer, _) = stripped(&folder, &[]);
    let mut contents = fs::read(folder.file("app")).unwrap();
    contents[0x28..0x30].fill(0); // e_shoff
    contents[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    module = Module { image: Some(contents), build_id: None, ..module };
    let address = outer.end - 1;
    assert_eq!(functions(&module, address), [format!("app+{address:#x}")]);
}

/// The entry of a linkage table is neither a stub nor a function.
#[test]
fn a_linkage_table_is_not_a_function() {
    let folder = Folder::new("nameless-plt");
    let source = "int puts(const char *); int main(void) { return puts(\"\"); }";
    let program = folder.compile(source, &["-Wl,-z,lazy", "-fcf-protection=none"]);
    folder.run("strip", &["app"]);
    let bytes = fs::read(&program).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let start = elf.section_by_name(".plt").unwrap().address();
    let module = module(&program);
    assert_eq!(functions(&module, start + 6), [format!("app+{:#x}", start + 6)]);
    assert_eq!(functions(&module, start + 0x10), ["puts@plt"]);
}

/// What distributions ship: exported functions have names, and all others are few places each.
#[test]
fn a_stripped_library_has_at_most_one_name_for_each_function() {
    let Some(library) = ["liblzma.so.5", "libz.so.1", "libcrypto.so.3"]
        .map(|name| Path::new("/usr/lib/x86_64-linux-gnu").join(name))
        .into_iter()
        .find(|path| path.exists())
    else {
        return; // not a system that puts libraries there
    };
    let bytes = fs::read(&library).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let text = elf.section_by_name(".text").unwrap();
    let addresses: Vec<u64> =
        (text.address()..text.address() + text.size()).step_by(7).take(20_000).collect();
    let (frames, _) = look_up(&module(&fs::canonicalize(&library).unwrap()), &addresses);
    let mut names: Vec<_> = frames.iter().map(|frames| &frames.last().unwrap().function).collect();
    names.dedup();
    assert!(names.len() < addresses.len() / 8, "{} names", names.len());
}
