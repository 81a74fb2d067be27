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
    const STORE: usize = 5;
    let mut found: Vec<(Range<usize>, Rule)> = Vec::new();
    let mut since: Option<(usize, Rule)> = None;
    let mut turn = |place: usize, next: Option<Rule>| {
        found.extend(since.take().map(|(start, rule)| (start..place, rule)));
        since = next.map(|rule| (place, rule));
        next
    };
    let (mut is_go, mut now) = (false, None);
    for (place, bytes) in code.windows(STORE).enumerate() {
        match bytes {
            // mov rsp, [register + 56]
            [0x48 | 0x49, 0x8b, 0x60..=0x63 | 0x65..=0x67, 0x38, next] => {
                is_go = true;
                let rule = if matches!(next, 0x50 | 0xe8) { Rule::END } else { NOWHERE };
                now = turn(place + 4, if now.is_none() { Some(rule) } else { None });
            }
            // sub rsp, 64; and rsp, ...
            [0x48, 0x83, 0xec, 0x40, 0x48] if is_go && now.is_none() => {
                now = turn(place + 4, Some(NOWHERE));
            }
            // mov [rsp + 40], rdi or rdx
            [0x48, 0x89, 0x7c | 0x54, 0x24, 0x28] if is_go => {
                now = turn(place + STORE, Some(Rule::GO_CALL));
            }
            // mov rsp, rsi
            [0x48, 0x89, 0xf4, ..] if now.is_some() => now = turn(place + 3, None),
            _ => {}
        }
    }
    turn(code.len(), None);
    found
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
