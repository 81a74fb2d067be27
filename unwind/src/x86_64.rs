//! Everything in the walk that knows the processor: System V ABI on x86-64.

#[cfg(feature = "compile")]
pub mod code;

use crate::walk::Memory;

/// DWARF numbers of the registers that rules and walks name.
pub const RBX: u8 = 3;
pub const RBP: u8 = 6;
pub const RSP: u8 = 7;
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

/// Whether code does nothing more but leave: `add rsp, 8; ret`. The CFA is at [`BEHIND_ONE_WORD`]
/// then. CPython calls each Python function through such a trampoline while it has a perf map, and
/// the trampoline has no frame pointer. Async-signal-safe.
///
/// Source: python/cpython, Python/asm_trampoline.S.
pub fn only_leaves(pc: u64, memory: &mut impl Memory) -> bool {
    matches!(code_at(pc, memory), Some([0x48, 0x83, 0xc4, 0x08, 0xc3, ..]))
}

/// Where the caller's frame is, seen from an instruction that has not made its own yet, or has taken
/// it back: from rsp to the CFA, and whether the caller's rbp lies below the return address.
/// Async-signal-safe.
pub fn frameless(pc: u64, memory: &mut impl Memory) -> Option<(u64, bool)> {
    match code_at(pc, memory)? {
        // ret; push rbp
        [0xc3 | 0x55, ..] => Some((RETURN_ADDRESS, false)),
        // mov rbp, rsp, in both ways to spell it
        [0x48, 0x89, 0xe5, ..] | [0x48, 0x8b, 0xec, ..] => Some((BEHIND_ONE_WORD, true)),
        // the trampoline of CPython: sub rsp, 8; call rcx; add rsp, 8
        [0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, ..] => Some((RETURN_ADDRESS, false)),
        [0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3, _] | [0x48, 0x83, 0xc4, 0x08, 0xc3, ..] => {
            Some((BEHIND_ONE_WORD, false))
        }
        _ => None,
    }
}

/// Whether a return address is behind a call of a function that begins shortly before `pc`.
/// Async-signal-safe.
pub fn was_called_from(return_address: u64, pc: u64, memory: &mut impl Memory) -> bool {
    const SHORTLY: u64 = 64;
    let Some([.., CALL, a, b, c, d]) = code_before(return_address, memory) else { return false };
    let distance = i32::from_le_bytes([a, b, c, d]);
    let function = return_address.wrapping_add_signed(distance.into());
    pc.checked_sub(function).is_some_and(|offset| offset < SHORTLY)
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
