//! Everything in the walk that knows the processor: System V ABI on x86-64.

#[cfg(feature = "compile")]
pub mod code;

use crate::walk::Memory;

/// DWARF numbers of the registers that rules and walks name.
pub const RBX: u8 = 3;
pub const RBP: u8 = 6;
pub const RSP: u8 = 7;
pub const R9: u8 = 9;
/// General registers.
pub const REGISTERS: u8 = 16;

/// From the address of the return address to the CFA.
pub const RETURN_ADDRESS: u64 = 8;

/// Words from the frame pointer to the return address, and to the end of both.
pub const FRAME_POINTER_TO_RETURN: u64 = 8;
pub const FRAME_POINTER_TO_CFA: u64 = 16;

/// User code lies between the pages that are never mapped and the canonical border.
const CODE: core::ops::Range<u64> = 0x1000..0x7fff_ffff_f000;

/// Whether code could be at `pc` at all.
pub fn may_be_code(pc: u64) -> bool {
    CODE.contains(&pc)
}

/// What a PLT entry has pushed at `pc`; `threshold` is the offset in it at which it has.
///
/// Entries are 16 bytes, and aligned to that. Source: bfd/elfxx-x86.h, `elf_x86_64_lazy_plt`.
pub fn pushed_by_plt(pc: u64, threshold: i32) -> u64 {
    if (pc & 15) as i32 >= threshold { 8 } else { 0 }
}

/// Offsets from rsp, when a handler has returned to the restorer, to what the kernel saved
/// there: `ucontext.uc_mcontext`, in DWARF order of the general registers.
///
/// Source: linux/arch/x86/include/uapi/asm/sigcontext.h and ucontext.h.
const SAVED_GENERAL: [u64; 16] =
    [144, 136, 152, 128, 112, 104, 120, 160, 40, 48, 56, 64, 72, 80, 88, 96];
const SAVED_PC: u64 = 168;

/// The registers in the signal frame at `sp`: general ones, program counter. Async-signal-safe.
pub fn interrupted_registers(sp: u64, memory: &mut impl Memory) -> Option<([u64; 16], u64)> {
    let mut general = [0; 16];
    for (register, offset) in general.iter_mut().zip(SAVED_GENERAL) {
        *register = memory.word(sp.wrapping_add(offset))?;
    }
    Some((general, memory.word(sp.wrapping_add(SAVED_PC))?))
}

/// From rsp to the CFA of a function that has pushed one word.
pub const BEHIND_ONE_WORD: u64 = 16;

/// Whether code does nothing more but leave: `add rsp, 8; ret`, maybe with `call rcx` before it. The
/// CFA is at [`BEHIND_ONE_WORD`] then. CPython calls each Python function through such a trampoline
/// while it has a perf map, and the trampoline has no frame pointer. Async-signal-safe.
///
/// Source: python/cpython, Python/asm_trampoline.S.
pub fn only_leaves(pc: u64, memory: &mut impl Memory) -> bool {
    matches!(
        code_at(pc, memory),
        Some([0x48, 0x83, 0xc4, 0x08, 0xc3, ..] | [0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3, _])
    )
}

/// Whether the bytes before `pc` are a call: an indirect one, or of something that can be read.
/// Async-signal-safe.
pub fn follows_call(pc: u64, memory: &mut impl Memory) -> bool {
    match code_before(pc, memory) {
        Some([.., CALL, a, b, c, d]) => {
            let distance = i32::from_le_bytes([a, b, c, d]);
            memory.word(pc.wrapping_add_signed(distance.into()) & !7).is_some()
        }
        Some(code) => is_indirect_call(&code),
        None => false,
    }
}

/// Whether bytes end with `call` by a register, or by memory in any of the ways to address it.
fn is_indirect_call(code: &[u8; 8]) -> bool {
    matches!(
        code,
        [.., 0xff, 0xd0..=0xd7 | 0x10..=0x13 | 0x16 | 0x17]
            | [.., 0xff, 0x14 | 0x50..=0x53 | 0x55..=0x57, _]
            | [.., 0xff, 0x54, _, _]
            | [.., 0xff, 0x15 | 0x90..=0x93 | 0x95..=0x97, _, _, _, _]
            | [.., 0xff, 0x94, _, _, _, _, _]
    )
}

/// Whether the bytes before `pc` could be a call, direct or by any operand; true if they cannot be
/// read. Async-signal-safe.
pub fn may_follow_call(pc: u64, memory: &mut impl Memory) -> bool {
    let Some(code) = code_before(pc, memory) else { return true };
    let is_direct = matches!(code, [.., CALL, _, _, _, _]);
    let is_indirect = |bytes: &[u8]| matches!(bytes, [0xff, modrm] if modrm >> 3 & 7 == 2);
    is_direct || code.windows(2).any(is_indirect)
}

/// `mov rax, 15; syscall`: returns from a signal handler. Debuggers know it by the same bytes.
pub const RESTORER: [u8; 9] = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];

/// Whether a signal handler returns to this code, whatever is said about it: by the first bytes.
/// Async-signal-safe.
pub fn is_restorer(pc: u64, memory: &mut impl Memory) -> bool {
    code_at(pc, memory).is_some_and(|code| RESTORER.starts_with(&code))
}

/// `call` of a function at a distance of four bytes.
const CALL: u8 = 0xe8;

fn code_before(pc: u64, memory: &mut impl Memory) -> Option<[u8; 8]> {
    if may_be_code(pc) { code_at(pc - 8, memory) } else { None }
}

fn code_at(pc: u64, memory: &mut impl Memory) -> Option<[u8; 8]> {
    let word = pc & !7;
    let low = u128::from(memory.word(word)?);
    let high = u128::from(memory.word(word.wrapping_add(8))?);
    Some(((low | high << 64).wrapping_shr((pc & 7) as u32 * 8) as u64).to_le_bytes())
}

/// What the stack pointer was when Go's `asmcgocall` was entered, from what it is while C runs:
/// beside it are the goroutine `g` and how far below the upper end of its stack, `g.stack.hi`, that
/// was (stacks may move). Without a goroutine it is the stack pointer itself.
///
/// Source: Go, runtime/asm_amd64.s, `asmcgocall`.
pub fn stack_before_go_call(sp: u64, memory: &mut impl Memory) -> Option<u64> {
    const GOROUTINE: u64 = 48;
    const DEPTH: u64 = 40;
    const STACK_HI: u64 = 8;
    let goroutine = memory.word(sp.wrapping_add(GOROUTINE))?;
    let depth = memory.word(sp.wrapping_add(DEPTH))?;
    match goroutine {
        0 => Some(depth),
        _ => memory.word(goroutine.wrapping_add(STACK_HI))?.checked_sub(depth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::MadeUpMemory;

    #[test]
    fn calls_are_known_by_their_last_bytes() {
        const PC: u64 = 0x1003;
        let is_call = |bytes: &[u8]| {
            let mut code = [0x90; 16];
            code[3 + 8 - bytes.len()..3 + 8].copy_from_slice(bytes);
            let words = [0, 8].map(|at| u64::from_le_bytes(*code[at..].first_chunk().unwrap()));
            follows_call(PC + 8, &mut MadeUpMemory::default().with(PC & !7, &words))
        };
        assert!(is_call(&[0xff, 0xd0])); // rax
        assert!(is_call(&[0x41, 0xff, 0xd4])); // r12
        assert!(is_call(&[0xff, 0x13])); // [rbx]
        assert!(is_call(&[0xff, 0x14, 0xc8])); // [rax + rcx * 8]
        assert!(is_call(&[0xff, 0x15, 1, 2, 3, 4])); // [rip + ...]
        assert!(is_call(&[0xff, 0x50, 0x20])); // [rax + 0x20]
        assert!(is_call(&[0xff, 0x54, 0x24, 0x20])); // [rsp + 0x20]
        assert!(is_call(&[0x41, 0xff, 0x95, 1, 2, 3, 4])); // [r13 + ...]
        assert!(is_call(&[0x41, 0xff, 0x94, 0x24, 1, 2, 3, 4])); // [r12 + ...]
        assert!(is_call(&[CALL, 0xf8, 0xff, 0xff, 0xff])); // 8 bytes lower
        assert!(!is_call(&[CALL, 0, 0, 0x40, 0])); // to where nothing is
        assert!(!is_call(&[0xff, 0xe0])); // a jump
        assert!(!is_call(&[0xff, 0x14]));
        assert!(!is_call(&[]));
    }
}
