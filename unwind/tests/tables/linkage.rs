//! Procedure linkage tables, instruction by instruction: what each has pushed when it runs.

use sigspy_unwind::{Kind, Rule, Table};

/// Linkers align entries to that.
const ENTRY: usize = 16;

/// What is in a table.
#[derive(Default)]
pub struct Checked {
    pub instructions: u64,
    /// Where rules say something else than the instructions do.
    pub differences: Vec<(u64, Rule)>,
}

pub fn is_linkage_table(name: &str) -> bool {
    name == ".plt" || name == ".iplt" || name.starts_with(".plt.")
}

enum Instruction {
    Push,
    Other,
    /// Never runs.
    Padding,
}

/// The first instruction, and its size.
fn decode(code: &[u8]) -> Option<(Instruction, usize)> {
    use Instruction::{Other, Padding, Push};
    Some(match code {
        [0xff, 0x35, ..] => (Push, 6),
        [0x68, ..] => (Push, 5),
        [0x41, 0x53, ..] => (Push, 2),
        [0xf3, 0x0f, 0x1e, 0xfa, ..] => (Other, 4), // endbr64
        [0xf2, 0xff, 0x25, ..] => (Other, 7),       // bnd jmp [slot]
        [0xf2, 0xe9, ..] => (Other, 6),             // bnd jmp head
        [0xff, 0x25, ..] => (Other, 6),             // jmp [slot]
        [0x41, 0xbb, ..] => (Other, 6),             // mov r11d, number
        [0xe9, ..] => (Other, 5),                   // jmp head
        [0x66, 0x0f, 0x1f, 0x44, ..] => (Padding, 6),
        [0x0f, 0x1f, 0x44, ..] => (Padding, 5),
        [0x0f, 0x1f, 0x40, ..] => (Padding, 4),
        [0x0f, 0x1f, 0x00, ..] => (Padding, 3),
        [0x0f, 0x1f, 0x80, ..] => (Padding, 7),
        [0x66, 0x90, ..] => (Padding, 2),
        [0x90 | 0xcc, ..] => (Padding, 1),
        _ => return None,
    })
}

/// `None`: there is an instruction that this file does not know. A head that begins with a push is behind the push of an
/// entry; that of mold, which begins otherwise, is two entries long.
pub fn check(code: &[u8], address: u64, table: &Table) -> Option<Checked> {
    const RSP: u8 = 7;
    const HEAD_OF_MOLD: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x53];
    let (mut offset, mut pushed, mut checked) = (0, 8, Checked::default());
    while offset < code.len() {
        if offset % ENTRY == 0 && !(offset == ENTRY && code.starts_with(HEAD_OF_MOLD)) {
            let is_head = offset == 0 && code.starts_with(&[0xff, 0x35]);
            pushed = if is_head { 16 } else { 8 };
        }
        let (instruction, size) = decode(&code[offset..])?;
        let pc = address + offset as u64;
        let rule = table.lookup(pc).unwrap();
        let more = if rule.kind == Kind::Plt && pc % 16 >= rule.second as u64 { 8 } else { 0 };
        let expected =
            Rule { kind: rule.kind, second: rule.second, ..Rule::cfa(RSP, pushed - more) };
        let is_padding = matches!(instruction, Instruction::Padding);
        if rule != expected && !is_padding {
            checked.differences.push((pc, rule));
        }
        checked.instructions += u64::from(!is_padding);
        pushed += if matches!(instruction, Instruction::Push) { 8 } else { 0 };
        offset += size;
    }
    Some(checked)
}
