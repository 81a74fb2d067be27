//! Stubs of the procedure linkage table: code without symbols that jumps to a function of
//! another module. Named after it, as in `memcpy@plt`.

use std::collections::HashMap;

use object::{Architecture, Object, ObjectSection, ObjectSymbol, ObjectSymbolTable};
use object::{RelocationTarget, Section};

/// The sections that linkers put stubs into.
const SECTIONS: [&str; 3] = [".plt", ".plt.sec", ".plt.got"];
/// Stubs start at multiples of this: bytes.
const ALIGNMENT: u64 = 8;
/// Size of the largest stub: bytes.
const LARGEST: u64 = 16;
/// `jmp *displacement(%rip)`, without the displacement.
const JUMP: [u8; 2] = [0xff, 0x25];

/// A stub and the raw name of the function it jumps to.
pub struct Stub<'d> {
    pub start: u64,
    pub end: u64,
    pub target: &'d [u8],
}

/// The stubs of a file for x86-64, in no order; none for other machines.
///
/// Linkers and options differ in how stubs look and in how they are numbered. What all have in
/// common is a jump through a slot that a relocation fills with the address of a symbol.
pub fn stubs<'d>(elf: &object::File<'d>) -> Vec<Stub<'d>> {
    if elf.architecture() != Architecture::X86_64 {
        return Vec::new();
    }
    let targets = targets(elf);
    let sections = SECTIONS.iter().filter_map(|name| elf.section_by_name(name));
    sections.flat_map(|section| in_section(&section, &targets).unwrap_or_default()).collect()
}

/// Names of symbols by the address of the slot that gets theirs.
fn targets<'d>(elf: &object::File<'d>) -> HashMap<u64, &'d [u8]> {
    let relocations = elf.dynamic_relocations().into_iter().flatten();
    let symbols = elf.dynamic_symbol_table();
    let named = relocations.filter_map(|(slot, relocation)| {
        let RelocationTarget::Symbol(index) = relocation.target() else { return None };
        let name = symbols.as_ref()?.symbol_by_index(index).ok()?.name_bytes().ok()?;
        (!name.is_empty()).then_some((slot, name))
    });
    named.collect()
}

/// True for a section that linkers put stubs into.
pub fn is_plt<'d>(section: &impl ObjectSection<'d>) -> bool {
    section.name().is_ok_and(|name| SECTIONS.contains(&name))
}

fn in_section<'d>(
    section: &Section<'d, '_>,
    targets: &HashMap<u64, &'d [u8]>,
) -> Option<Vec<Stub<'d>>> {
    let code = section.data().ok()?;
    let base = section.address();
    let jumps = code.windows(6).enumerate().filter(|(_, bytes)| bytes.starts_with(&JUMP));
    let mut stubs: Vec<Stub<'d>> = Vec::new();
    for (offset, bytes) in jumps {
        let displacement = i32::from_le_bytes(bytes[2..].try_into().ok()?);
        let jump = base.checked_add(offset as u64)?;
        let slot = jump.wrapping_add(6).wrapping_add_signed(displacement.into());
        let start = jump - jump % ALIGNMENT;
        if let Some(target) = targets.get(&slot) {
            if let Some(last) = stubs.last_mut() {
                last.end = last.end.min(start);
            }
            stubs.push(Stub { start, end: start.saturating_add(LARGEST), target });
        }
    }
    Some(stubs)
}
