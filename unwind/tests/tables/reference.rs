//! Tables against gimli's own evaluation of the same call frame information.

use std::fs;
use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EndianSlice, EvaluationResult,
    FrameDescriptionEntry, LittleEndian, Register, RegisterRule, UnwindContext, UnwindSection,
    UnwindTableRow, Value, X86_64,
};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSegment};
use sigspy_unwind::{Compiled, Kind, ReturnAddress, Rule, Saved, Table, compile};

use crate::files;

type Reader<'a> = EndianSlice<'a, LittleEndian>;
type Fde<'a> = FrameDescriptionEntry<Reader<'a>>;

/// Bytes at the start of a loader that have a rule of our own at most.
const LOADER_START: u64 = 128;

/// The file, as other code than the compiler's sees it.
struct Reference<'a> {
    elf: ElfFile64<'a, object::LittleEndian>,
    eh_frame: EhFrame<Reader<'a>>,
    bases: BaseAddresses,
    fdes: Vec<Fde<'a>>,
}

impl<'a> Reference<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let elf = ElfFile64::parse(bytes).unwrap();
        let section = elf.section_by_name(".eh_frame").unwrap();
        let eh_frame = EhFrame::new(section.data().unwrap(), LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame(section.address());
        let mut fdes = Vec::new();
        for entry in eh_frame.entries(&bases) {
            if let CieOrFde::Fde(partial) = entry.unwrap() {
                fdes.push(partial.parse(EhFrame::cie_from_offset).unwrap());
            }
        }
        fdes.retain(|fde| fde.len() > 0);
        fdes.sort_by_key(Fde::initial_address);
        Self { elf, eh_frame, bases, fdes }
    }

    /// Address ranges of code that no entry covers, without those that have rules of our own.
    fn gaps(&self) -> Vec<Range<u64>> {
        let mut known: Vec<_> =
            self.fdes.iter().map(|fde| fde.initial_address()..fde.end_address()).collect();
        for section in self.elf.sections() {
            let name = section.name().unwrap();
            if [".plt", ".iplt", ".init", ".fini"].iter().any(|start| name.starts_with(start)) {
                known.push(section.address()..section.address() + section.size());
            }
        }
        let start = self.elf.entry();
        known.push(start..start + LOADER_START);
        known.sort_by_key(|range| range.start);
        let mut gaps = Vec::new();
        for segment in self.elf.segments().filter(|segment| segment.permissions().executable()) {
            let mut position = segment.address();
            for range in &known {
                gaps.push(position..range.start);
                position = position.max(range.end);
            }
            gaps.push(position..segment.address() + segment.size());
        }
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// Whether `pc` is behind the first byte of `pop rbp; lea rsp, [r10 - 8]; ret`.
    fn has_popped_rbp(&self, pc: u64) -> bool {
        const EPILOGUE: [u8; 6] = [0x5d, 0x49, 0x8d, 0x62, 0xf8, 0xc3];
        let segment = self
            .elf
            .segments()
            .find(|segment| (segment.address()..segment.address() + segment.size()).contains(&pc));
        let (start, bytes) =
            segment.map_or((0, &[][..]), |one| (one.address(), one.data().unwrap()));
        let place = (pc - start) as usize;
        (1..EPILOGUE.len()).any(|back| {
            place >= back
                && bytes.get(place - back..).is_some_and(|code| code.starts_with(&EPILOGUE))
        })
    }

    /// Calls `check` with each row of each function.
    fn each_row(&self, mut check: impl FnMut(&Fde<'a>, &UnwindTableRow<usize>)) {
        let mut context = UnwindContext::new();
        for fde in &self.fdes {
            let mut rows = fde.rows(&self.eh_frame, &self.bases, &mut context).unwrap();
            while let Some(row) = rows.next_row().unwrap() {
                check(fde, row);
            }
        }
    }

    /// The CFA by gimli, in a made-up frame.
    fn cfa(&self, fde: &Fde, row: &UnwindTableRow<usize>, pc: u64) -> u64 {
        let expression = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                return value_of(*register, pc).wrapping_add_signed(*offset);
            }
            CfaRule::Expression(expression) => expression.get(&self.eh_frame).unwrap(),
        };
        let mut evaluation = expression.evaluation(fde.cie().encoding());
        let mut state = evaluation.evaluate().unwrap();
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    evaluation.resume_with_register(Value::Generic(value_of(register, pc))).unwrap()
                }
                EvaluationResult::RequiresMemory { address, .. } => {
                    evaluation.resume_with_memory(Value::Generic(word_at(address))).unwrap()
                }
                other => panic!("{other:?}"),
            };
        }
        evaluation.value_result().unwrap().to_u64(!0).unwrap()
    }
}

/// Values of registers and of memory in a made-up frame: all different.
fn value_of(register: Register, pc: u64) -> u64 {
    if register == X86_64::RA { pc } else { 0x7ffe_0000_0000 + u64::from(register.0) * 0x10_0000 }
}

fn word_at(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn cfa_by_rule(rule: &Rule, pc: u64) -> u64 {
    let base = value_of(Register(rule.register.into()), pc).wrapping_add_signed(rule.offset.into());
    match rule.kind {
        Kind::Register => base,
        Kind::Plt => base + if pc % 16 >= rule.second as u64 { 8 } else { 0 },
        Kind::Deref => word_at(base).wrapping_add_signed(rule.second.into()),
        other => panic!("{other:?} has no CFA"),
    }
}

/// Where a register is saved: an address in the made-up frame.
fn place(saved: Saved, cfa: u64, pc: u64) -> Option<u64> {
    match saved {
        Saved::At(words) => Some(cfa.wrapping_add_signed(i64::from(words) * 8)),
        Saved::BesideRbp(words) => {
            Some(value_of(X86_64::RBP, pc).wrapping_add_signed(i64::from(words) * 8))
        }
        Saved::Kept | Saved::Lost => None,
    }
}

fn check_saved(
    rule: Option<RegisterRule<usize>>,
    saved: Saved,
    cfa: u64,
    pc: u64,
    is_popped: bool,
) {
    match rule {
        None | Some(RegisterRule::SameValue) => assert_eq!(saved, Saved::Kept),
        Some(RegisterRule::Offset(offset)) => {
            assert_eq!(place(saved, cfa, pc), Some(cfa.wrapping_add_signed(offset)));
        }
        // gcc's only form is an offset to rbp, which has been popped at the end of a function; any
        // other may be given up
        Some(RegisterRule::Expression(_)) if is_popped => assert_eq!(saved, Saved::Kept),
        Some(RegisterRule::Expression(_)) => {
            assert!(matches!(saved, Saved::BesideRbp(_) | Saved::Lost));
        }
        Some(_) => assert_eq!(saved, Saved::Lost),
    }
}

/// Returns whether the row could be expressed.
fn check_row(
    reference: &Reference,
    fde: &Fde,
    row: &UnwindTableRow<usize>,
    pc: u64,
    rule: &Rule,
) -> bool {
    if fde.is_signal_trampoline() {
        assert_eq!(*rule, Rule::SIGNAL);
        return true;
    }
    match row.register(X86_64::RA) {
        Some(RegisterRule::Undefined) => {
            assert_eq!(*rule, Rule::END);
            return true;
        }
        _ if rule.kind == Kind::Unsupported => return false,
        Some(RegisterRule::Offset(-8)) => {
            assert_eq!(rule.return_address, ReturnAddress::BelowCfa);
        }
        Some(RegisterRule::Register(Register(register))) => {
            assert_eq!(rule.return_address, ReturnAddress::Register(register as u8));
        }
        other => panic!("{other:?} for the return address became {rule:?}"),
    }
    let cfa = reference.cfa(fde, row, pc);
    assert_eq!(cfa_by_rule(rule, pc), cfa, "{rule:?}");
    let is_popped = reference.has_popped_rbp(pc);
    check_saved(row.register(X86_64::RBP), rule.rbp, cfa, pc, is_popped);
    check_saved(row.register(X86_64::RBX), rule.rbx, cfa, pc, false);
    true
}

/// Checks each address (`step` 1), or the borders of rows and every `step`th address.
fn check_file(name: &str, bytes: &[u8], step: usize) -> Compiled {
    let compiled = compile(bytes).unwrap();
    let table = Table::new(&compiled.bytes).unwrap();
    assert!(table.validate());
    let reference = Reference::new(bytes);
    let (mut checked, mut unsupported) = (0, 0);
    let addresses = |range: Range<u64>| {
        let last = range.end - 1;
        range.step_by(step).chain([last])
    };
    reference.each_row(|fde, row| {
        for pc in addresses(row.start_address()..row.end_address().max(row.start_address() + 1)) {
            if row.contains(pc) {
                let rule = table.lookup(pc).unwrap();
                unsupported += usize::from(!check_row(&reference, fde, row, pc, &rule));
                checked += 1;
            }
        }
    });
    for gap in reference.gaps() {
        for pc in addresses(gap) {
            assert_eq!(table.lookup(pc), Some(Rule::GAP), "{name} at {pc:#x}");
            checked += 1;
        }
    }
    println!("{name}: {checked} addresses, {unsupported} unsupported, {:?}", compiled.stats);
    assert!(unsupported * 500 <= checked, "{unsupported} of {checked} addresses in {name}");
    assert_eq!(compiled.stats.malformed, 0);
    compiled
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
