//! The tables of all programs and libraries of the system against gimli, with `SIGSPY_FULL=1`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use sigspy_unwind::{CompileError, Stats, Table, compile};

use crate::files;
use crate::reference::Reference;
use crate::section::Findings;

/// The machine has other things to do.
const THREADS: usize = 2;
/// Addresses of each file that are looked up beside the borders of its rows.
const RANDOM_ADDRESSES: usize = 1000;
/// Files that are named for each thing that is counted.
const NAMED: usize = 8;

/// Sums over files.
#[derive(Default)]
struct Totals {
    files: u64,
    /// Bytes of code, and of that with call frame information.
    text: u64,
    described: u64,
    rows: u64,
    addresses: u64,
    table: u64,
    building: Duration,
    /// How often, in how many files, and the first of them.
    counts: BTreeMap<&'static str, (u64, Vec<PathBuf>)>,
    differences: Vec<String>,
}

impl Totals {
    fn count(&mut self, what: &'static str, number: u64, path: &Path) {
        let (sum, files) = self.counts.entry(what).or_default();
        *sum += number;
        files.push(path.to_owned());
    }

    fn add(&mut self, path: &Path, findings: Findings) {
        self.rows += findings.rows;
        self.addresses += findings.addresses;
        for (what, number) in findings.counts {
            self.count(what, number, path);
        }
        let shown = findings.differences.into_iter().take(NAMED);
        self.differences.extend(shown.map(|one| format!("{} at {one}", path.display())));
    }
}

fn check(path: &Path, bytes: &[u8], totals: &Mutex<Totals>) {
    let start = Instant::now();
    let compiled = compile(bytes);
    let took = start.elapsed();
    let mut reference = Reference::new(bytes);
    let (text, described) = (reference.text(), reference.described());
    let mut size = 0;
    let mut notes = Vec::new();
    match compiled {
        Ok(compiled) => {
            let table = Table::new(&compiled.bytes).unwrap();
            assert!(table.validate(), "{}", path.display());
            reference.check(&table, usize::MAX);
            let pcs: Vec<_> =
                random().take(RANDOM_ADDRESSES).map(|n| reference.address(n)).collect();
            reference.check_addresses(&table, pcs.into_iter());
            size = compiled.bytes.len() as u64;
            let Stats { functions, .. } = compiled.stats;
            if functions != reference.functions() {
                let known = reference.functions();
                let difference = format!("all: {functions} functions instead of {known}");
                reference.findings.differences.push(difference);
            }
        }
        Err(CompileError::NoCallFrameInformation) if text == 0 => notes.push("file without code"),
        Err(CompileError::NoCallFrameInformation) if reference.functions() == 0 => {
            notes.push("file without call frame information");
        }
        Err(error) => reference.findings.differences.push(format!("all: {error}")),
    }
    let mut totals = totals.lock().unwrap();
    totals.files += 1;
    totals.text += text;
    totals.described += described;
    totals.table += size;
    totals.building += took;
    notes.into_iter().for_each(|note| totals.count(note, 1, path));
    totals.add(path, reference.findings);
}

/// The same for each file and each run. Source: Marsaglia, "Xorshift RNGs", 2003.
fn random() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15_u64), |number| {
        let number = number ^ number << 13;
        let number = number ^ number >> 7;
        Some(number ^ number << 17)
    })
}

fn print(totals: &Totals) {
    const MB: f64 = 1e6;
    let (text, described) = (totals.text as f64 / MB, totals.described as f64 / MB);
    let milliseconds = totals.building.as_secs_f64() * 1e3;
    println!("| of all files | |\n|---|---|");
    println!("| files | {} |", totals.files);
    println!("| code | {text:.0} MB |");
    println!("| of it with call frame information | {described:.0} MB |");
    println!("| rows | {} |", totals.rows);
    println!("| addresses compared | {} |", totals.addresses);
    println!("| table, for a MB of that | {:.1} kB |", totals.table as f64 / 1e3 / described);
    println!("| compiling, for a MB of that | {:.2} ms |", milliseconds / described);
    println!("| differences | {} |", totals.differences.len());
    println!("\n| named and counted | number | files | such as |\n|---|---|---|---|");
    for (what, (number, files)) in &totals.counts {
        let named: Vec<_> =
            files.iter().take(NAMED).map(|path| path.display().to_string()).collect();
        println!("| {what} | {number} | {} | {} |", files.len(), named.join(", "));
    }
}

#[test]
fn tables_of_every_file_say_what_gimli_says() {
    if env::var_os("SIGSPY_FULL").is_none_or(|value| value != "1") {
        println!("only with SIGSPY_FULL=1");
        return;
    }
    let paths = files::all_elf_files();
    let (totals, next) = (Mutex::new(Totals::default()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Relaxed)) {
                    check(path, &fs::read(path).unwrap(), &totals);
                }
            });
        }
    });
    let totals = totals.into_inner().unwrap();
    print(&totals);
    assert!(totals.differences.is_empty(), "{:#?}", totals.differences);
}
