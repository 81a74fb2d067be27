//! `names FILE [CACHE]`: prints the frames of addresses of an ELF file, as `addr2line -afi` does.
//! Addresses are read from standard input, one a line, hexadecimal. CACHE is the folder for names
//! that are looked up, and where they are found the next time.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use object::{Object, ReadCache};
use sigspy_model::{BuildId, Location, LocationId, Module, ModuleId};
use sigspy_symbolizer::{Sources, symbolize};

fn main() {
    let path = std::env::args().nth(1).expect("usage: names FILE [CACHE] < ADDRESSES");
    let text = std::io::read_to_string(std::io::stdin()).expect("addresses on standard input");
    let number = |line: &str| u64::from_str_radix(line.trim_start_matches("0x"), 16);
    let addresses: Vec<u64> =
        text.lines().map(number).collect::<Result<_, _>>().expect("hexadecimal");

    let module = Module { build_id: build_id(&path), path, image: None };
    let location = |address: &u64| Location { module: Some(ModuleId(0)), address: *address };
    let locations: Vec<_> = addresses.iter().map(location).collect();
    let sources =
        Sources { cache: std::env::args_os().nth(2).map(PathBuf::from), ..Sources::default() };
    let found = symbolize(&[module], &locations, &BTreeMap::new(), &sources, &|_, _| ());
    for problem in &found.problems {
        eprintln!("{problem}");
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (id, address) in (0..).map(LocationId).zip(&addresses) {
        writeln!(out, "0x{address:016x}").expect("standard output is there");
        for frame in found.symbols.frames(id) {
            let file = frame.file.as_deref().unwrap_or("??");
            let name = &frame.function;
            match frame.line {
                Some(line) => writeln!(out, "{name}\n{file}:{line}"),
                None => writeln!(out, "{name}\n{file}:?"),
            }
            .expect("standard output is there");
        }
    }
}

fn build_id(path: &str) -> Option<BuildId> {
    let file = std::fs::File::open(path).expect("the file can be read");
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).expect("an ELF file");
    elf.build_id().ok().flatten().map(|id| BuildId(id.to_vec()))
}
