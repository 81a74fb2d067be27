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

/// For a return address in code that no module holds and that keeps no frame pointer: from rsp
/// to the CFA, if the code is seen to do nothing but leave (`add rsp, 8; ret`). CPython calls
/// each Python function through such a trampoline while a profiler is announced to it.
/// Async-signal-safe.
///
/// Source: python/cpython, Python/asm_trampoline.S.
pub fn leaving_code(pc: u64, memory: &mut impl Memory) -> Option<u64> {
    const ADD_RSP_8_RET: u128 = 0xc3_08_c4_83_48;
    let word = pc & !7;
    let low = u128::from(memory.word(word)?);
    let high = u128::from(memory.word(word.wrapping_add(8))?);
    let code = (low | high << 64).wrapping_shr((pc & 7) as u32 * 8);
    (code & 0xff_ffff_ffff == ADD_RSP_8_RET).then_some(16)
}
