//! Debug information that the linker left in files of its own.

use std::fs;

use super::folder::{Folder, INLINING};
use super::*;

/// Frames of the address of `outer` in which `inner` was inlined, if there is one.
fn inlined(program: &Path) -> (Option<Vec<Frame>>, Option<Cause>) {
    let (start, size) = symbol(program, "outer");
    let (all, cause) = look_up(&module(program), &(start..start + size).collect::<Vec<_>>());
    assert!(all.iter().all(|frames| &*frames.last().unwrap().function == "outer"));
    assert!(all.iter().all(|frames| frames[0].line.is_some()));
    (all.into_iter().find(|frames| are(frames, &["inner", "outer"])), cause)
}

/// True if the outermost frames have these names.
fn end_with(frames: &[Frame], names: &[&str]) -> bool {
    frames.len() >= names.len() && are(&frames[frames.len() - names.len()..], names)
}

/// A program whose functions are described in a `.dwo` file.
fn split(folder: &Folder, arguments: &[&str]) -> std::path::PathBuf {
    folder.compile(INLINING, &[arguments, &["-g", "-gsplit-dwarf"]].concat())
}

#[test]
fn functions_are_read_from_the_units_that_the_compiler_left() {
    for (name, version, packed) in [("v4", "-gdwarf-4", "-gz=none"), ("v5", "-gdwarf-5", "-gz")] {
        let folder = Folder::new(&format!("split-{name}"));
        let (frames, cause) = inlined(&split(&folder, &[version, packed]));
        let frames = frames.unwrap();
        assert_eq!((frames[0].line, frames[1].line), (Some(2), Some(3)), "{name}");
        assert!(frames[0].file.as_ref().unwrap().ends_with("app.c"), "{name}");
        assert!(cause.is_none(), "{cause:?}");
    }
}

#[test]
fn units_behind_types_are_found() {
    let folder = Folder::new("split-types");
    let source = "\
        struct Point { int x, y; int sum() { return x + y; } }; volatile int sink;\n\
        static inline __attribute__((always_inline)) int inner(Point p) { return p.sum() * sink; }\n\
        extern \"C\" __attribute__((noinline)) int outer(int x) { sink = inner({x, x}); return sink; }\n\
        int main(int argc, char **) { return outer(argc); }\n";
    let arguments = ["-g", "-gsplit-dwarf", "-gdwarf-5", "-fdebug-types-section"];
    let program = folder.compile_with("c++", "app.cc", source, &arguments);
    let (start, size) = symbol(&program, "outer");
    let (all, cause) = look_up(&module(&program), &(start..start + size).collect::<Vec<_>>());
    let names = ["inner", "outer"];
    assert!(all.iter().any(|frames| end_with(frames, &names)), "{all:?}");
    assert!(cause.is_none(), "{cause:?}");
}

#[test]
fn units_that_moved_with_the_program_are_found_beside_it() {
    let (folder, other) = (Folder::new("split-moved"), Folder::new("split-moved-there"));
    split(&folder, &[]);
    let there = other.file(folder.unit().file_name().unwrap().to_str().unwrap());
    fs::rename(folder.unit(), there).unwrap();
    fs::rename(folder.file("app"), other.file("app")).unwrap();
    assert!(inlined(&other.file("app")).0.is_some());
}

#[test]
fn units_that_are_missing_or_of_another_build_are_told() {
    let folder = Folder::new("split-missing");
    let program = split(&folder, &[]);
    let unit = folder.unit();
    let foreign = Folder::new("split-foreign");
    split(&foreign, &["-Dinner=another"]);
    let told = |replace: &dyn Fn()| {
        replace();
        let (frames, cause) = inlined(&program);
        assert_eq!(frames, None);
        let Some(Cause::MissingUnits(missing)) = cause else { panic!("{cause:?}") };
        assert_eq!((missing.count, &missing.first), (1, &unit));
    };
    told(&|| _ = fs::copy(foreign.unit(), &unit).unwrap());
    told(&|| fs::write(&unit, "no ELF file").unwrap());
    told(&|| fs::remove_file(&unit).unwrap());
}

#[test]
fn functions_are_read_from_a_package_beside_the_program() {
    let folder = Folder::new("split-package");
    let program = split(&folder, &["-gdwarf-4"]);
    folder.run("dwp", &["-e", "app", "-o", "app.dwp"]);
    fs::remove_file(folder.unit()).unwrap();
    let (frames, cause) = inlined(&program);
    assert!(frames.is_some() && cause.is_none(), "{cause:?}");
    fs::write(folder.file("app.dwp"), "no ELF file").unwrap();
    let (frames, cause) = inlined(&program);
    assert!(frames.is_none() && matches!(cause, Some(Cause::MissingUnits(_))), "{cause:?}");
}

#[test]
fn units_and_packages_are_found_in_folders_that_somebody_names() {
    for packed in [false, true] {
        let folder = Folder::new(&format!("split-named-{packed}"));
        let program = split(&folder, &["-gdwarf-4"]);
        fs::create_dir(folder.file("symbols")).unwrap();
        let unit = folder.unit();
        let there = folder.file("symbols").join(unit.file_name().unwrap());
        if packed {
            folder.run("dwp", &["-e", "app", "-o", "symbols/app.dwp"]);
            fs::remove_file(unit).unwrap();
        } else {
            fs::rename(unit, there).unwrap();
        }
        let (start, size) = symbol(&program, "outer");
        let addresses: Vec<u64> = (start..start + size).collect();
        let sources = Sources { folders: vec![folder.file("symbols")], ..Sources::default() };
        let (all, cause) = look_up_in(&sources, &module(&program), &addresses);
        assert!(all.iter().any(|frames| are(frames, &["inner", "outer"])), "{packed}: {all:?}");
        assert!(cause.is_none(), "{packed}: {cause:?}");
    }
}

#[test]
fn a_package_of_another_build_does_not_hide_the_right_one() {
    let (folder, other) = (Folder::new("split-hidden"), Folder::new("split-hiding"));
    let program = split(&folder, &["-gdwarf-4"]);
    fs::create_dir(folder.file("symbols")).unwrap();
    folder.run("dwp", &["-e", "app", "-o", "symbols/app.dwp"]);
    fs::remove_file(folder.unit()).unwrap();
    split(&other, &["-gdwarf-4", "-Dinner=another"]);
    other.run("dwp", &["-e", "app", "-o", "app.dwp"]);
    fs::copy(other.file("app.dwp"), folder.file("app.dwp")).unwrap();
    let (start, size) = symbol(&program, "outer");
    let addresses: Vec<u64> = (start..start + size).collect();
    let sources = Sources { folders: vec![folder.file("symbols")], ..Sources::default() };
    let (all, cause) = look_up_in(&sources, &module(&program), &addresses);
    assert!(all.iter().any(|frames| are(frames, &["inner", "outer"])), "{all:?}");
    assert!(cause.is_none(), "{cause:?}");
}

#[test]
fn rust_programs_split_either_way_have_inlined_functions() {
    let source = "\
        use std::hint::black_box;\n\
        #[inline(always)] fn inner(x: u64) -> u64 { black_box(x) * 3 }\n\
        #[inline(never)] #[unsafe(no_mangle)] fn outer(x: u64) -> u64 { inner(x) + 1 }\n\
        fn main() { black_box(outer(black_box(2))); }\n";
    for way in ["packed", "unpacked"] {
        let folder = Folder::new(&format!("split-rust-{way}"));
        fs::write(folder.file("app.rs"), source).unwrap();
        let split = format!("-Csplit-debuginfo={way}");
        folder.run("rustc", &["--edition=2024", "-g", "-O", &split, "app.rs"]);
        let program = folder.file("app");
        let (start, size) = symbol(&program, "outer");
        let (all, cause) = look_up(&module(&program), &(start..start + size).collect::<Vec<_>>());
        let names = ["app::inner", "outer"];
        assert!(all.iter().any(|frames| end_with(frames, &names)), "{way}: {all:?}");
        assert!(cause.is_none(), "{way}: {cause:?}");
    }
}
