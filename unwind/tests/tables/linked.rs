//! Tables of programs that are compiled and linked here, in ways that few files on a system are.

use std::fs;
use std::path::Path;
use std::process::Command;

use object::read::elf::ElfFile64;
use object::{CompressionFormat, Object, ObjectSection, ObjectSymbol};
use sigspy_unwind::{Kind, Rule, Table, compile};

use crate::reference::check_file;

/// With frames of all sizes, one of them aligned, and calls through the linkage table.
const PROGRAM: &str = r#"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) int leaf(int n) { return n * 7 + getenv("HOME")[0]; }
__attribute__((noinline)) int big(int n) {
    volatile char bytes[5000];
    bytes[n] = leaf(n);
    return bytes[n] + leaf(n + 1);
}
__attribute__((noinline)) int aligned(int n) {
    volatile double numbers[8] __attribute__((aligned(64)));
    numbers[n & 7] = sin(n);
    return big(n) + (int)numbers[n & 7];
}
__attribute__((noinline)) int sized(int n) {
    volatile char bytes[n + 1];
    bytes[n] = aligned(n);
    return bytes[n] + aligned(n + 1);
}
int main(int count, char **arguments) { return printf("%d\n", sized(count)) + puts(*arguments); }
"#;
const FUNCTIONS: [&str; 5] = ["leaf", "big", "aligned", "sized", "main"];

/// The program, built with these flags.
fn build(name: &str, flags: &[&str]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&source, PROGRAM).unwrap();
    let mut compiler = Command::new("gcc");
    compiler.arg("-O2").args(flags).arg(&source).arg("-lm").arg("-o").arg(&program);
    assert!(compiler.status().unwrap().success(), "{compiler:?}");
    fs::read(program).unwrap()
}

/// The rules with which the functions of the program begin.
fn first_rules(program: &[u8]) -> Vec<Rule> {
    let compiled = compile(program).unwrap();
    let table = Table::new(&compiled.bytes).unwrap();
    let elf = ElfFile64::<object::LittleEndian>::parse(program).unwrap();
    let start = |name| elf.symbol_by_name(name).unwrap().address();
    FUNCTIONS.iter().map(|name| table.lookup(start(name)).unwrap()).collect()
}

const ON_ENTRY: Rule = Rule::cfa(7, 8);

#[test]
fn a_program_that_has_debug_frame_alone_has_a_table() {
    let none = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions"];
    let debug_frame = build("debug_frame", &[&none[..], &["-g"]].concat());
    assert_eq!(first_rules(&debug_frame), [ON_ENTRY; 5]);
    let counts = check_file("debug_frame", &debug_frame, 1);
    assert!(counts["function of .debug_frame alone"] >= 5, "{counts:?}");
    let nothing = build("no_frames", &none);
    assert!(first_rules(&nothing).iter().all(|rule| rule.kind == Kind::Gap));
    check_file("no_frames", &nothing, 1);
}

#[test]
fn compressed_call_frame_information_gives_the_same_table() {
    let none = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions"];
    let plain = build("compressed", &[&none[..], &["-g"]].concat());
    let table = compile(&plain).unwrap();
    assert!(table.stats.functions >= 5, "{:?}", table.stats);
    for format in ["zlib", "zstd"] {
        let program = compressed("compressed", format);
        let elf = ElfFile64::<object::LittleEndian>::parse(&*program).unwrap();
        let section = elf.section_by_name(".debug_frame").unwrap();
        let compression = section.compressed_file_range().unwrap().format;
        assert_ne!(compression, CompressionFormat::None, "{format}");
        assert_eq!(compile(&program).unwrap().bytes, table.bytes, "{format}");
        // Sizes that cannot be true are not believed, and need no memory.
        let claim = section.file_range().unwrap().0 as usize + 8;
        for size in [1_u64 << 30, u64::MAX] {
            let mut program = program.clone();
            program[claim..claim + 8].copy_from_slice(&size.to_le_bytes());
            assert!(compile(&program).unwrap().stats.functions < 5, "{format}");
        }
    }
}

/// A program of [`build`] with debug information compressed, in which call frame information counts.
fn compressed(name: &str, format: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let result = folder.join(format!("{name}-{format}"));
    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--compress-debug-sections={format}")).arg(folder.join(name)).arg(&result);
    assert!(objcopy.status().unwrap().success(), "{objcopy:?}");
    fs::read(result).unwrap()
}

#[test]
fn a_program_without_an_index_has_the_same_rules() {
    let with = build("index", &["-Wl,--eh-frame-hdr"]);
    let without = build("no_index", &["-Wl,--no-eh-frame-hdr"]);
    let has_index = |program: &[u8]| {
        let elf = ElfFile64::<object::LittleEndian>::parse(program).unwrap();
        elf.section_by_name(".eh_frame_hdr").is_some()
    };
    assert!(has_index(&with) && !has_index(&without));
    assert_eq!(first_rules(&with), [ON_ENTRY; 5]);
    assert_eq!(first_rules(&without), [ON_ENTRY; 5]);
    check_file("no_index", &without, 1);
}

/// bfd comes with gcc; of the others, those that are installed.
#[test]
fn programs_of_all_linkers_have_right_tables() {
    for linker in ["bfd", "gold", "lld", "mold"] {
        let program = format!("ld.{linker}");
        let found = Command::new(&program).arg("--version").output();
        if linker != "bfd" && found.is_err() {
            println!("{linker}: not installed, not tested");
            continue;
        }
        for binding in ["lazy", "now"] {
            for protection in ["none", "full"] {
                let name = format!("{linker}-{binding}-{protection}");
                let linker = format!("-fuse-ld={linker}");
                let binding = format!("-Wl,-z,{binding}");
                let protection = format!("-fcf-protection={protection}");
                let program = build(&name, &[&linker, &binding, &protection]);
                assert_eq!(first_rules(&program), [ON_ENTRY; 5]);
                let counts = check_file(&name, &program, 1);
                assert!(!counts.contains_key("linkage table with unknown instructions"), "{name}");
            }
        }
    }
}
