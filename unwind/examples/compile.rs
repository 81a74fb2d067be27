//! `compile FILE`: compiles the unwind table of an ELF file eleven times, and prints its rows, its
//! bytes, and the milliseconds of each time.

use std::time::Instant;

fn main() {
    let path = std::env::args_os().nth(1).expect("usage: compile FILE");
    let elf = std::fs::read(path).expect("the file can be read");
    let table = sigspy_unwind::compile(&elf).expect("the file has call frame information");
    print!("{} {}", table.stats.rows, table.bytes.len());
    for _ in 0..11 {
        let start = Instant::now();
        let again = sigspy_unwind::compile(&elf).expect("as before");
        assert_eq!(again.bytes.len(), table.bytes.len());
        print!(" {:.3}", start.elapsed().as_secs_f64() * 1e3);
    }
    println!();
}
