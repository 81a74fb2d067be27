//! Names from `.symtab`, `.dynsym` and the stubs of the linker, for code without debug
//! information.
//!
//! A symbol names an address only when it covers it. Hand-written assembly often leaves the
//! size out; such a symbol reaches to the next one, to the end of its section, or
//! [`UNSIZED_REACH`] bytes, whichever comes first.

use std::cmp::Ordering;

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind, SymbolSection};

use crate::elf;
use crate::plt::{self, Stub};

/// Bytes of code that a symbol without a size may name.
const UNSIZED_REACH: u64 = 4096;
/// How many symbols that start later, but end too early, are passed over in a search. Symbols
/// nest a few deep at most; the limit keeps a hostile table from making searches slow.
const NESTING: usize = 64;

/// What of a longer name is read, bytes. A thousand symbols can share one name of a megabyte, and
/// names are compared, and copied for each frame.
const LONGEST_NAME: usize = 16 * 1024;

/// Symbols of code, sorted by address.
pub struct SymbolTable<'d> {
    symbols: Vec<Symbol<'d>>,
}

#[derive(Clone, Copy)]
struct Symbol<'d> {
    start: u64,
    /// First address that is no longer covered.
    end: u64,
    sized: bool,
    global: bool,
    name: Name<'d>,
}

/// The name of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'d> {
    /// As in the file, up to [`LONGEST_NAME`].
    pub raw: &'d [u8],
    /// It is not this function, but a stub that jumps to it.
    pub stub: bool,
}

impl<'d> Name<'d> {
    /// The name of a function.
    pub fn function(raw: &'d [u8]) -> Self {
        Self::new(raw, false)
    }

    fn new(raw: &'d [u8], stub: bool) -> Self {
        Self { raw: raw.get(..LONGEST_NAME).unwrap_or(raw), stub }
    }

    /// Has the path of a function in its name, as C++ and Rust do.
    pub fn is_mangled(&self) -> bool {
        self.raw.starts_with(b"_Z") || self.raw.starts_with(b"_R")
    }

    /// `malloc` is plainer than its alias `__libc_malloc`. In the vDSO the underscores matter, as
    /// `clock_gettime` is also the function of libc that calls it; that name then comes second
    /// by the alphabet.
    fn underscores(&self) -> usize {
        let vdso = self.raw.starts_with(b"__vdso_");
        if vdso { 0 } else { self.raw.iter().take_while(|byte| **byte == b'_').count() }
    }
}

impl<'d> SymbolTable<'d> {
    /// The symbols of all files together; they describe the same module.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a object::File<'d>>) -> Self
    where
        'd: 'a,
    {
        let mut symbols = Vec::new();
        for elf in files {
            symbols.extend(code_symbols(elf));
            symbols.extend(plt::stubs(elf).into_iter().map(stub_symbol));
        }
        symbols.sort_unstable_by(Symbol::order);
        end_at_successor(&mut symbols);
        Self { symbols }
    }

    /// The name of the innermost symbol that covers `address`.
    pub fn find(&self, address: u64) -> Option<Name<'d>> {
        let after = self.symbols.partition_point(|symbol| symbol.start <= address);
        let candidates = self.symbols[..after].iter().rev().take(NESTING);
        candidates.into_iter().find(|symbol| address < symbol.end).map(|symbol| symbol.name)
    }
}

impl Symbol<'_> {
    /// By address. Of several names of one address, the last is the one to show.
    fn order(a: &Self, b: &Self) -> Ordering {
        a.start
            .cmp(&b.start)
            .then(a.sized.cmp(&b.sized))
            .then_with(|| b.name.underscores().cmp(&a.name.underscores()))
            .then(a.global.cmp(&b.global))
            .then_with(|| b.name.cmp(&a.name))
    }
}

fn code_symbols<'d, 'a>(
    elf: &'a object::File<'d>,
) -> impl Iterator<Item = Symbol<'d>> + use<'a, 'd> {
    elf.symbols().chain(elf.dynamic_symbols()).filter_map(|symbol| code_symbol(elf, &symbol))
}

fn code_symbol<'d>(elf: &object::File<'d>, symbol: &object::Symbol<'d, '_>) -> Option<Symbol<'d>> {
    let function = match symbol.kind() {
        SymbolKind::Text => true,
        SymbolKind::Unknown => symbol.is_definition(), // assembly; no mapping symbols such as `$x`
        _ => false,
    };
    let raw =
        symbol.name_bytes().ok().filter(|name| !name.is_empty() && !name.starts_with(b".L"))?;
    let section_end = code_end(elf, symbol.section()).filter(|_| function)?;
    let (start, size) = (symbol.address(), symbol.size());
    let reach = if size > 0 { size } else { UNSIZED_REACH };
    Some(Symbol {
        start,
        end: start.saturating_add(reach).min(section_end),
        sized: size > 0,
        global: symbol.is_global(),
        name: Name::function(raw),
    })
}

/// Where a section ends, if it holds code.
fn code_end(elf: &object::File<'_>, section: SymbolSection) -> Option<u64> {
    let SymbolSection::Section(index) = section else { return None };
    let section = elf.section_by_index(index).ok()?;
    elf::is_code(&section).then(|| section.address().saturating_add(section.size()))
}

fn stub_symbol(stub: Stub<'_>) -> Symbol<'_> {
    let name = Name::new(stub.target, true);
    Symbol { start: stub.start, end: stub.end, sized: true, global: false, name }
}

/// Ends symbols without a size where the next one starts.
fn end_at_successor(symbols: &mut [Symbol<'_>]) {
    let mut next = u64::MAX;
    let mut here = u64::MAX;
    for symbol in symbols.iter_mut().rev() {
        if symbol.start != here {
            (next, here) = (here, symbol.start);
        }
        if !symbol.sized {
            symbol.end = symbol.end.min(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(start: u64, size: u64, name: &'static str) -> Symbol<'static> {
        let reach = if size > 0 { size } else { UNSIZED_REACH };
        let name = Name::function(name.as_bytes());
        Symbol { start, end: start + reach, sized: size > 0, global: true, name }
    }

    fn table(mut symbols: Vec<Symbol<'static>>) -> SymbolTable<'static> {
        symbols.sort_unstable_by(Symbol::order);
        end_at_successor(&mut symbols);
        SymbolTable { symbols }
    }

    fn name(table: &SymbolTable<'static>, address: u64) -> Option<&'static str> {
        table.find(address).map(|name| std::str::from_utf8(name.raw).unwrap())
    }

    #[test]
    fn a_symbol_names_only_what_it_covers() {
        let table = table(vec![symbol(0x1000, 0x10, "first"), symbol(0x2000, 0x10, "second")]);
        assert_eq!(name(&table, 0xfff), None);
        assert_eq!(name(&table, 0x1000), Some("first"));
        assert_eq!(name(&table, 0x100f), Some("first"));
        assert_eq!(name(&table, 0x1010), None);
        assert_eq!(name(&table, 0x2010), None);
    }

    #[test]
    fn a_symbol_without_size_reaches_to_the_next_one_but_not_far() {
        let table = table(vec![symbol(0x1000, 0, "start"), symbol(0x1100, 0, "far")]);
        assert_eq!(name(&table, 0x10ff), Some("start"));
        assert_eq!(name(&table, 0x1100), Some("far"));
        assert_eq!(name(&table, 0x1100 + UNSIZED_REACH - 1), Some("far"));
        assert_eq!(name(&table, 0x1100 + UNSIZED_REACH), None);
    }

    #[test]
    fn the_innermost_of_nested_symbols_wins() {
        let table = table(vec![symbol(0x1000, 0x100, "outer"), symbol(0x1040, 0x10, "inner")]);
        assert_eq!(name(&table, 0x1048), Some("inner"));
        assert_eq!(name(&table, 0x1050), Some("outer"));
    }

    #[test]
    fn of_several_names_the_plainest_is_shown() {
        let names = ["__libc_malloc", "malloc", "__malloc"];
        let table = table(names.map(|name| symbol(0x1000, 8, name)).to_vec());
        assert_eq!(name(&table, 0x1000), Some("malloc"));
    }

    #[test]
    fn addresses_at_the_end_of_the_number_line_do_no_harm() {
        let mut last = symbol(0x1000, 8, "last");
        (last.start, last.end) = (u64::MAX - 1, u64::MAX);
        let table = table(vec![last]);
        assert_eq!(name(&table, u64::MAX - 1), Some("last"));
        assert_eq!(name(&table, u64::MAX), None);
    }
}
