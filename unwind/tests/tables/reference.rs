//! Tables against gimli's own evaluation of the same call frame information.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use gimli::{BaseAddresses, DebugFrame, EhFrame, EhFrameHdr, LittleEndian};
use object::elf::PT_GNU_EH_FRAME;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Object, ObjectSection, ObjectSegment};
use sigspy_unwind::{Kind, Rule, Table, compile};

use crate::files;
use crate::linkage;
use crate::section::{Findings, Reader, Section, addresses};

/// The file, as other code than the compiler's sees it.
pub struct Reference<'a> {
    elf: ElfFile64<'a, object::LittleEndian>,
    /// Merged where they touch.
    code: Vec<Range<u64>>,
    eh_frame: Section<'a, EhFrame<Reader<'a>>>,
    debug_frame: Section<'a, DebugFrame<Reader<'a>>>,
    pub findings: Findings,
}

impl<'a> Reference<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let elf = ElfFile64::parse(bytes).unwrap();
        let mut findings = Findings::default();
        let code = code(&elf);
        let bases = BaseAddresses::default();
        let (start, data) = section(&elf, ".eh_frame");
        let eh_frame = EhFrame::new(data, LittleEndian);
        let eh_frame =
            Section::new(eh_frame, bases.clone().set_eh_frame(start), &code, &mut findings);
        let (_, data) = section(&elf, ".debug_frame");
        let debug_frame = DebugFrame::new(data, LittleEndian);
        let mut debug_frame = Section::new(debug_frame, bases, &code, &mut findings);
        let before = debug_frame.functions.len();
        debug_frame.functions.retain(|(range, _)| {
            let behind = eh_frame.functions.partition_point(|(other, _)| other.start < range.end);
            behind == 0 || eh_frame.functions[behind - 1].0.end <= range.start
        });
        let known = before - debug_frame.functions.len();
        findings.count("function of .debug_frame that .eh_frame knows", known);
        let more = debug_frame.functions.len();
        findings.count("function of .debug_frame alone", more);
        let functions = debug_frame.functions.iter().map(|(range, _)| range);
        debug_frame.switching = functions.filter(|range| switches(&elf, range)).cloned().collect();
        Self { elf, code, eh_frame, debug_frame, findings }
    }

    pub fn functions(&self) -> usize {
        self.eh_frame.functions.len() + self.debug_frame.functions.len()
    }

    /// Bytes of code.
    pub fn text(&self) -> u64 {
        self.code.iter().map(|range| range.end - range.start).sum()
    }

    /// Bytes of code that has call frame information.
    pub fn described(&self) -> u64 {
        let eh_frame = self.eh_frame.functions.iter().map(|(range, _)| range);
        let all = eh_frame.chain(self.debug_frame.functions.iter().map(|(range, _)| range));
        all.map(|range| range.end - range.start).sum()
    }

    /// Checks the borders of all rows, of all gaps, and every `step`th address between them.
    pub fn check(&mut self, table: &Table, step: usize) {
        self.eh_frame.check_rows(table, step, &mut self.findings);
        self.debug_frame.check_rows(table, step, &mut self.findings);
        for gap in self.gaps() {
            for pc in addresses(gap, step) {
                self.check_gap(pc, table);
            }
        }
        self.check_index();
        self.check_linkage_tables(table);
    }

    /// Checks each instruction of linkage tables, described by their linker or not.
    fn check_linkage_tables(&mut self, table: &Table) {
        for section in self.elf.sections() {
            let is_table = section.name().is_ok_and(linkage::is_linkage_table);
            let Some(bytes) = section.data().ok().filter(|bytes| is_table && !bytes.is_empty())
            else {
                continue;
            };
            let Some(checked) = linkage::check(bytes, section.address(), table) else {
                self.findings.count("linkage table with unknown instructions", 1);
                continue;
            };
            self.findings.addresses += checked.instructions;
            for (pc, rule) in checked.differences {
                if self.eh_frame.at(pc).is_some() {
                    // an entry for thread-local storage, or for `bnd jmp`
                    self.findings.count("linkage table that its linker describes wrongly", 1);
                } else {
                    let difference = format!("{pc:#x}: {rule:?} is not what has been pushed");
                    self.findings.differences.push(difference);
                }
            }
        }
    }

    /// Checks addresses of code by gimli's way to look up addresses.
    pub fn check_addresses(&mut self, table: &Table, pcs: impl Iterator<Item = u64>) {
        for pc in pcs {
            let known = self.eh_frame.check_address(pc, table, &mut self.findings)
                || self.debug_frame.check_address(pc, table, &mut self.findings);
            if !known && !self.linkage().iter().any(|range| range.contains(&pc)) {
                self.check_gap(pc, table);
            }
        }
    }

    /// The address that is this many bytes into the code, counted around.
    pub fn address(&self, number: u64) -> u64 {
        let mut offset = number % self.text();
        for range in &self.code {
            match offset.checked_sub(range.end - range.start) {
                None => return range.start + offset,
                Some(behind) => offset = behind,
            }
        }
        unreachable!("less than all of the code")
    }

    fn check_gap(&mut self, pc: u64, table: &Table) {
        let rule = table.lookup(pc).unwrap();
        if rule.kind == Kind::Signal && self.is_restorer(pc) {
            self.findings.count("address of a restorer known by its bytes", 1);
        } else if rule.kind == Kind::End && self.is_loader_start(pc) {
            self.findings.count("address of a loader's first function known by its bytes", 1);
        } else {
            self.findings.expect(pc, rule, Rule::GAP);
        }
    }

    fn is_loader_start(&self, pc: u64) -> bool {
        const LONGEST: u64 = 128;
        let start = self.elf.entry();
        (start..start + LONGEST).contains(&pc)
    }

    /// Whether the bytes around are those of a restorer.
    fn is_restorer(&self, pc: u64) -> bool {
        const RESTORER: [u8; 9] = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
        (pc - 8..=pc + 1).any(|start| {
            self.elf.segments().any(|segment| {
                segment.data_range(start, 9).is_ok_and(|data| data == Some(&RESTORER))
            })
        })
    }

    /// Each function that the linker has put into its index is one that we know.
    fn check_index(&mut self) {
        let Some(index) = index(&self.elf) else { return };
        for (start, fde) in index {
            let known = self.eh_frame.functions.iter();
            let place = known.as_slice().binary_search_by_key(&start, |(range, _)| range.start);
            let in_code = self.code.iter().any(|range| range.contains(&start));
            let offset = fde.wrapping_sub(self.eh_frame.bases.eh_frame.section.unwrap_or(0));
            let is_empty = || self.eh_frame.is_empty_entry(offset);
            match place {
                Ok(place) if self.eh_frame.functions[place].1.offset() as u64 == offset => {}
                Ok(_) if is_empty() => self.findings.count("entry for no code in the index", 1),
                Ok(_) => self.findings.differences.push(format!("{start:#x}: another entry")),
                Err(_) if !in_code => self.findings.count("function outside of code in index", 1),
                Err(_) => self.findings.differences.push(format!("{start:#x}: only in the index")),
            }
        }
    }

    /// Code with rules of our own, if there is no call frame information for it.
    fn linkage(&self) -> Vec<Range<u64>> {
        let is_linkage = |name: &str| {
            [".plt", ".iplt", ".init", ".fini"].iter().any(|start| name.starts_with(start))
        };
        let sections = self.elf.sections();
        let linkage = sections.filter(|section| section.name().is_ok_and(is_linkage));
        linkage.map(|section| section.address()..section.address() + section.size()).collect()
    }

    /// Address ranges of code that no entry covers, without those that have rules of our own.
    fn gaps(&self) -> Vec<Range<u64>> {
        let mut known = self.linkage();
        known.extend(self.eh_frame.functions.iter().map(|(range, _)| range.clone()));
        known.extend(self.debug_frame.functions.iter().map(|(range, _)| range.clone()));
        known.sort_by_key(|range| range.start);
        let mut gaps = Vec::new();
        for code in &self.code {
            let mut position = code.start;
            for range in known.iter().filter(|range| code.contains(&range.start)) {
                gaps.push(position..range.start);
                position = position.max(range.end);
            }
            gaps.push(position..code.end);
        }
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }
}

fn code(elf: &ElfFile64<object::LittleEndian>) -> Vec<Range<u64>> {
    let segments = elf.segments().filter(|segment| segment.permissions().executable());
    let mut code: Vec<_> =
        segments.map(|segment| segment.address()..segment.address() + segment.size()).collect();
    code.sort_by_key(|range| range.start);
    code.dedup_by(|next, range| {
        let touches = next.start <= range.end;
        range.end = if touches { range.end.max(next.end) } else { range.end };
        touches
    });
    code
}

/// Address and bytes of a section; nothing if it is missing, or not to be read.
/// Whether a function loads its stack pointer from where Go's scheduler has it.
fn switches(elf: &ElfFile64<object::LittleEndian>, function: &Range<u64>) -> bool {
    let size = function.end - function.start;
    let is_load = |bytes: &[u8]| matches!(bytes, [0x48 | 0x49, 0x8b, 0x60..=0x67, 0x38]);
    elf.segments().any(|segment| {
        let code = segment.data_range(function.start, size).ok().flatten();
        code.unwrap_or_default().windows(4).any(is_load)
    })
}

fn section<'a>(elf: &ElfFile64<'a, object::LittleEndian>, name: &str) -> (u64, &'a [u8]) {
    let Some(section) = elf.section_by_name(name) else { return (0, &[]) };
    let bytes = match section.uncompressed_data().unwrap_or_default() {
        Cow::Borrowed(bytes) => bytes,
        Cow::Owned(bytes) => bytes.leak(), // few files have any, and the process is a test
    };
    (section.address(), bytes)
}

/// The linker's index of `.eh_frame`: starts of functions, and addresses of their entries.
fn index(elf: &ElfFile64<object::LittleEndian>) -> Option<Vec<(u64, u64)>> {
    let little = object::LittleEndian;
    let mut segments = elf.elf_program_headers().iter();
    let segment = segments.find(|segment| segment.p_type(little) == PT_GNU_EH_FRAME)?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(segment.p_vaddr(little));
    let bytes = segment.data(little, elf.data()).ok()?;
    let index = EhFrameHdr::new(bytes, LittleEndian).parse(&bases, 8).ok()?;
    let table = index.table()?;
    let rows = table.iter(&bases).map_while(Result::ok);
    rows.map(|(start, fde)| Some((start.direct().ok()?, fde.direct().ok()?))).collect()
}

/// Checks each address (`step` 1), or the borders of rows and every `step`th address. Returns
/// what was counted.
pub fn check_file(name: &str, bytes: &[u8], step: usize) -> BTreeMap<&'static str, u64> {
    let compiled = compile(bytes).unwrap();
    let table = Table::new(&compiled.bytes).unwrap();
    assert!(table.validate());
    let mut reference = Reference::new(bytes);
    reference.check(&table, step);
    let Findings { rows, addresses, counts, differences } = reference.findings;
    println!("{name}: {rows} rows, {addresses} addresses, {counts:?}, {:?}", compiled.stats);
    assert!(differences.is_empty(), "{name}: {differences:#?}");
    assert!(compiled.stats.unsupported * 500 <= compiled.stats.rows, "{name}: {counts:?}");
    assert_eq!(compiled.stats.malformed, 0);
    counts
}

#[test]
fn tables_of_system_files_say_what_gimli_says() {
    for path in files::system_files() {
        let bytes = fs::read(&path).unwrap();
        let step = if bytes.len() < 4 << 20 { 1 } else { 61 };
        check_file(&path.display().to_string(), &bytes, step);
    }
}

#[test]
fn the_table_of_the_vdso_says_what_gimli_says() {
    check_file("vdso", &files::vdso(), 1);
}
