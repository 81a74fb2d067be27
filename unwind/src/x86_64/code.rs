//! Code that linkers and C libraries make without call frame information, known by its bytes.

use std::ops::Range;

use super::RSP;
use crate::rule::Rule;

/// From an offset on, until that of the next piece, a rule holds.
pub type Piece = (usize, Rule);

const ON_ENTRY: Rule = Rule::cfa(RSP, 8);
const PUSHED: Rule = Rule::cfa(RSP, 16);
const PUSHED_TWICE: Rule = Rule::cfa(RSP, 24);
/// No frame is below its stack pointer: a walk ends here.
const NOWHERE: Rule = Rule::cfa(RSP, -8);

const ENDBR64: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];

/// Where a dynamic linker's first function ends, which glibc does not describe: with the jump to
/// the program. Its stack is empty. `None`: it is another one.
///
/// Source: glibc, sysdeps/x86_64/dl-machine.h, `RTLD_START`.
pub fn loader_start(code: &[u8]) -> Option<usize> {
    const LONGEST: usize = 128;
    const CALL_WITH_ALL_ARGUMENTS: &[u8] = &[0x48, 0x89, 0xe7, 0xe8]; // mov rdi, rsp; call
    const JUMP_TO_PROGRAM: &[u8] = &[0x41, 0xff, 0xe4]; // jmp r12
    let code = code.get(..code.len().min(LONGEST))?;
    let start = if code.starts_with(ENDBR64) { ENDBR64.len() } else { 0 };
    let begins = code.get(start..)?.starts_with(CALL_WITH_ALL_ARGUMENTS);
    let jump = code.windows(JUMP_TO_PROGRAM.len()).position(|bytes| bytes == JUMP_TO_PROGRAM);
    jump.filter(|_| begins).map(|jump| jump + JUMP_TO_PROGRAM.len())
}

/// Where functions that have realigned their stacks have the frame pointer of their callers back
/// already: at the second instruction of `pop rbp; lea rsp, [r10 - 8]`, or of `leave` and the same.
/// GCC describes it by the slot beside the register that has just been popped.
pub fn with_popped_frame_pointer(code: &[u8]) -> impl Iterator<Item = Range<usize>> {
    const LENGTH: usize = 5;
    let is_end = |bytes: &[u8]| matches!(bytes, [0x5d | 0xc9, 0x49, 0x8d, 0x62, 0xf8]);
    let found = code.windows(LENGTH).enumerate().filter(move |(_, bytes)| is_end(bytes));
    found.map(|(place, _)| place + 1..place + LENGTH)
}

/// Where functions of Go's runtime stand on another stack than their description says, in order.
/// They load the stack pointer from where their scheduler keeps it. What begins there with a push or
/// a call does not come back, and is where Go ends a stack, too. C functions are called with the
/// goroutine beside the stack pointer. From elsewhere no way leads to the goroutine.
///
/// Source: Go, runtime/asm_amd64.s: `mcall`, `morestack`, `systemstack`, `asmcgocall`.
pub fn on_other_stacks(code: &[u8]) -> Vec<(Range<usize>, Rule)> {
    let mut found: Vec<(Range<usize>, Rule)> = Vec::new();
    let mut is_go = false;
    let mut open: Option<(usize, Rule)> = None;
    for place in 0..code.len() {
        let (length, next) = match &code[place..] {
            // mov rsp, [register + 56]; maybe by way of rbx
            [0x48 | 0x49, 0x8b, 0x60..=0x63 | 0x65..=0x67, 0x38, behind @ ..] => (4, Some(behind)),
            [0x48, 0x8b, 0x58..=0x5f, 0x38, 0x48, 0x89, 0xdc, behind @ ..] => (7, Some(behind)),
            _ => (0, None),
        };
        if let Some(behind) = next {
            is_go = true;
            let rule = if matches!(behind, [0x50 | 0xe8, ..]) { Rule::END } else { NOWHERE };
            let comes_back = open.is_some();
            turn(&mut open, place + length, (!comes_back).then_some(rule), &mut found);
            continue;
        }
        match &code[place..] {
            // sub rsp, 64; and rsp, ...
            [0x48, 0x83, 0xec, 0x40, 0x48, ..] if is_go && open.is_none() => {
                turn(&mut open, place + 4, Some(NOWHERE), &mut found);
            }
            // mov [rsp + 40], rdi or rdx
            [0x48, 0x89, 0x7c | 0x54, 0x24, 0x28, ..] if is_go => {
                turn(&mut open, place + 5, Some(Rule::GO_CALL), &mut found);
            }
            // mov rsp, rsi or r12
            [0x48, 0x89, 0xf4, ..] | [0x4c, 0x89, 0xe4, ..] if open.is_some() => {
                turn(&mut open, place + 3, None, &mut found)
            }
            _ => {}
        }
    }
    turn(&mut open, code.len(), None, &mut found);
    found
}

/// Ends the piece that is open, and begins the next.
fn turn(
    open: &mut Option<(usize, Rule)>,
    place: usize,
    next: Option<Rule>,
    found: &mut Vec<(Range<usize>, Rule)>,
) {
    found.extend(open.take().map(|(start, rule)| (start..place, rule)));
    *open = next.map(|rule| (place, rule));
}

/// `_init` and `_fini`: linked together from a first and a last part that make and undo one
/// slot on the stack, with calls between them. Empty: they are made in another way.
pub fn bracketed(code: &[u8]) -> Vec<Piece> {
    const BRACKETS: [(&[u8], &[u8]); 2] = [
        (&[0x48, 0x83, 0xec, 8], &[0x48, 0x83, 0xc4, 8, 0xc3]), // glibc: sub and add, ret
        (&[0x50], &[0x58, 0xc3]),                               // musl: push and pop rax, ret
    ];
    let start = if code.starts_with(ENDBR64) { ENDBR64.len() } else { 0 };
    let body = code.get(start..).unwrap_or_default();
    let fits = |(first, last): &&(&[u8], &[u8])| {
        body.len() >= first.len() + last.len() && body.starts_with(first) && body.ends_with(last)
    };
    match BRACKETS.iter().find(fits) {
        Some((first, _)) => {
            vec![(0, ON_ENTRY), (start + first.len(), PUSHED), (code.len() - 1, ON_ENTRY)]
        }
        None => Vec::new(),
    }
}

/// A procedure linkage table: entries of 16 bytes, of which the lazy ones push a number and go
/// to the head of the table, which pushes another; or entries that push nothing.
pub fn linkage_table(code: &[u8]) -> Vec<Piece> {
    let (mut pieces, size) = head(code);
    if let Some(entries) = code.get(size..).filter(|entries| !entries.is_empty()) {
        pieces.push((size, entry_rule(entries)));
    }
    pieces
}

/// The head of a lazy linkage table, and its size; nothing if there is none. It is `push [slot];
/// jmp [slot]`, behind the push of the entry; with mold, whose entries have the number in r11,
/// `endbr64; push r11; push [slot]; jmp [slot]`.
///
/// Source: rui314/mold, src/arch-x86-64.cc, `write_plt_header`.
fn head(code: &[u8]) -> (Vec<Piece>, usize) {
    const PUSH_MEMORY: &[u8] = &[0xff, 0x35];
    const PUSH_MEMORY_SIZE: usize = 6;
    const OF_MOLD: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x53, 0xff, 0x35];
    if code.starts_with(PUSH_MEMORY) && code.len() >= 16 {
        (vec![(0, PUSHED), (PUSH_MEMORY_SIZE, PUSHED_TWICE)], 16)
    } else if code.starts_with(OF_MOLD) && code.len() >= 32 {
        (vec![(0, ON_ENTRY), (6, PUSHED), (6 + PUSH_MEMORY_SIZE, PUSHED_TWICE)], 32)
    } else {
        (Vec::new(), 0)
    }
}

/// Lazy entries are `jmp [slot]; push number; jmp head`, or `endbr64; push number; jmp head`.
fn entry_rule(entries: &[u8]) -> Rule {
    const JUMP_INDIRECT: &[u8] = &[0xff, 0x25];
    const PUSH_NUMBER: u8 = 0x68;
    const PUSH_NUMBER_SIZE: i32 = 5;
    let pushes_at = |offset: usize| entries.get(offset) == Some(&PUSH_NUMBER);
    if entries.starts_with(JUMP_INDIRECT) && pushes_at(6) {
        Rule::plt(8, 6 + PUSH_NUMBER_SIZE)
    } else if entries.starts_with(ENDBR64) && pushes_at(4) {
        Rule::plt(8, 4 + PUSH_NUMBER_SIZE)
    } else {
        ON_ENTRY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_SCHEDULER: &[u8] = &[0x49, 0x8b, 0x66, 0x38]; // mov rsp, [r14 + 56]
    const BY_RBX: &[u8] = &[0x48, 0x8b, 0x5a, 0x38, 0x48, 0x89, 0xdc];
    const ALIGN: &[u8] = &[0x48, 0x83, 0xec, 0x40, 0x48, 0x83, 0xe4, 0xf0]; // sub; and
    const KEEP: &[u8] = &[0x48, 0x89, 0x7c, 0x24, 0x28]; // mov [rsp + 40], rdi
    const KEEP_SP: &[u8] = &[0x48, 0x89, 0x54, 0x24, 0x28]; // mov [rsp + 40], rdx
    const BACK: &[u8] = &[0x48, 0x89, 0xf4]; // mov rsp, rsi
    const CALL: &[u8] = &[0xff, 0xd0];
    const RET: &[u8] = &[0xc3];

    #[test]
    fn code_that_stays_on_its_stack_has_no_pieces() {
        let code = [ALIGN, KEEP_SP, CALL, BACK, RET].concat();
        assert_eq!(on_other_stacks(&code), []);
        assert_eq!(on_other_stacks(&[]), []);
    }

    #[test]
    fn what_does_not_come_back_from_the_scheduler_is_outermost() {
        for next in [&[0x50][..], &[0xe8, 0, 0, 0, 0]] {
            let code = [RET, TO_SCHEDULER, next, RET].concat();
            assert_eq!(on_other_stacks(&code), [(5..code.len(), Rule::END)]);
        }
    }

    #[test]
    fn no_way_leads_from_the_scheduler_to_what_comes_back() {
        let code = [RET, BY_RBX, CALL, TO_SCHEDULER, RET].concat();
        assert_eq!(on_other_stacks(&code), [(8..14, NOWHERE)]);
    }

    #[test]
    fn calls_of_c_have_the_goroutine_beside_them() {
        let code = [TO_SCHEDULER, ALIGN, KEEP, CALL, BACK, RET, ALIGN, KEEP_SP, CALL, BACK, RET];
        let code = code.concat();
        let first = [(4..17, NOWHERE), (17..22, Rule::GO_CALL)];
        let second = [(27..36, NOWHERE), (36..41, Rule::GO_CALL)];
        assert_eq!(on_other_stacks(&code), [first, second].concat());
    }
}
