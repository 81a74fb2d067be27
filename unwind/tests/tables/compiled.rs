//! What the compiler makes of made-up files.

use sigspy_unwind::{CompileError, Compiled, Kind, ReturnAddress, Rule, Saved, Table, compile};

use crate::made_up::{CODE, Elf, Frames, PT_GNU_EH_FRAME, PT_LOAD, USUAL, cfa};

const RSP: u8 = 7;
const ON_ENTRY: Rule = Rule::cfa(RSP, 8);
const PUSHED: Rule = Rule::cfa(RSP, 16);

fn rule_at(compiled: &Compiled, address: u64) -> Rule {
    let table = Table::new(&compiled.bytes).unwrap();
    assert!(table.validate());
    table.lookup(address).unwrap()
}

/// Of the file with this `.eh_frame`.
fn compile_frames(frames: Frames) -> Compiled {
    compile(&Elf::new().eh_frame(frames).build()).unwrap()
}

/// The rule that one function has four bytes from its start, where `instructions` hold.
fn rule_after(instructions: &[u8]) -> Rule {
    let instructions = [&[cfa::ADVANCE_4], instructions].concat();
    let frames = Frames::eh_frame().common("", USUAL).function(0x1000, 32, &instructions);
    let compiled = compile_frames(frames);
    assert_eq!(rule_at(&compiled, 0x1003), ON_ENTRY);
    rule_at(&compiled, 0x1004)
}

#[test]
fn a_row_holds_to_the_next_and_a_function_to_its_end() {
    let instructions = [&[cfa::ADVANCE_4], cfa::DEF_CFA_RSP_16].concat();
    let frames = Frames::eh_frame().common("", USUAL).function(0x1ffe, 0x2002, &instructions);
    let compiled = compile_frames(frames);
    assert_eq!(rule_at(&compiled, 0x1ffd), Rule::GAP);
    assert_eq!(rule_at(&compiled, 0x1ffe), ON_ENTRY);
    assert_eq!(rule_at(&compiled, 0x2001), ON_ENTRY);
    assert_eq!(rule_at(&compiled, 0x2002), PUSHED);
    assert_eq!(rule_at(&compiled, 0x3fff), PUSHED);
    assert_eq!(rule_at(&compiled, 0x4000), Rule::GAP);
    assert_eq!(rule_at(&compiled, 0), Rule::GAP);
    assert_eq!(rule_at(&compiled, u64::MAX), Rule::GAP);
}

#[test]
fn states_are_remembered_and_sizes_of_arguments_ignored() {
    let instructions = [
        &[cfa::GNU_ARGS_SIZE, 32, cfa::REMEMBER, cfa::ADVANCE_4][..],
        cfa::DEF_CFA_RSP_16,
        &[cfa::ADVANCE_4, cfa::RESTORE],
    ];
    let frames = Frames::eh_frame().common("", USUAL);
    let compiled = compile_frames(frames.function(0x1000, 32, &instructions.concat()));
    assert_eq!(rule_at(&compiled, 0x1004), PUSHED);
    assert_eq!(rule_at(&compiled, 0x1008), ON_ENTRY);
}

#[test]
fn four_expressions_are_known_for_the_cfa() {
    let by = |expression: &[u8]| {
        rule_after(&[&[cfa::DEF_CFA_EXPRESSION, expression.len() as u8], expression].concat())
    };
    let deref = Rule { kind: Kind::Deref, ..Rule::cfa(6, -8) };
    assert_eq!(by(&[0x76, 0x78, 0x06]), deref); // *(rbp - 8)
    assert_eq!(by(&[0x76, 0x78, 0x06, 0x23, 0x10]), Rule { second: 16, ..deref });
    let plt = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
    assert_eq!(by(&plt), Rule { kind: Kind::Plt, second: 11, ..Rule::cfa(RSP, 8) });
    let indexed = [0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8]; // *(rsp + 8 + 8 * r9) + 8
    assert_eq!(by(&indexed), Rule { kind: Kind::Indexed, second: 8, ..Rule::cfa(RSP, 8) });
    assert_eq!(by(&[0x76, 0x78, 0x06, 0x06]), Rule::UNSUPPORTED); // **(rbp - 8)
    assert_eq!(by(&[0x77, 8]), Rule::UNSUPPORTED);
    assert_eq!(by(&[0x30; 20]), Rule::UNSUPPORTED);
    assert_eq!(by(&[0x77]), Rule::UNSUPPORTED); // cut off
}

#[test]
fn registers_are_kept_saved_or_lost() {
    let beside = |offset| rule_after(&[cfa::EXPRESSION, 6, 2, 0x76, offset]).rbp;
    let in_frame = [cfa::DEF_CFA_RSP_16, &[cfa::EXPRESSION, 6, 2, 0x76, 0]].concat();
    assert_eq!(rule_after(&in_frame).rbp, Saved::BesideRbp(0));
    assert_eq!(beside(0), Saved::Kept); // there is no frame any more
    assert_eq!(beside(0x70), Saved::BesideRbp(-2));
    assert_eq!(beside(0x71), Saved::Lost); // no whole word
    assert_eq!(rule_after(&[cfa::EXPRESSION, 6, 2, 0x77, 0]).rbp, Saved::Lost);
    let saved = rule_after(&[0x86, 2, 0x83, 3]); // rbp at CFA - 16, rbx at CFA - 24
    assert_eq!((saved.rbp, saved.rbx), (Saved::At(-2), Saved::At(-3)));
    assert_eq!(rule_after(&[0x86, 0x80, 0x80, 4]).rbp, Saved::Lost); // 512 KiB away
    assert_eq!(rule_after(&[cfa::REGISTER, 3, 12]).rbx, Saved::Lost);
    assert_eq!(rule_after(&[0x8c, 2]), ON_ENTRY); // r12
}

#[test]
fn a_frame_pointer_that_was_popped_is_in_its_register() {
    for pop in [0x5d, 0xc9] {
        let mut code = vec![0x90; 32];
        code[8..13].copy_from_slice(&[pop, 0x49, 0x8d, 0x62, 0xf8]); // and lea rsp, [r10 - 8]
        let by_r10 = [cfa::DEF_CFA, 10, 0, cfa::EXPRESSION, 6, 2, 0x76, 0];
        let frames = Frames::eh_frame().common("", USUAL).function(0x1_8000, 32, &by_r10);
        let elf = Elf::new().section(".more", 0x1_8000, code).eh_frame(frames).build();
        let compiled = compile(&elf).unwrap();
        let rbp = |offset| rule_at(&compiled, 0x1_8000 + offset).rbp;
        let kept: Vec<u64> = (0..32).filter(|&offset| rbp(offset) == Saved::Kept).collect();
        assert_eq!(kept, [9, 10, 11, 12]);
        assert_eq!(rbp(13), Saved::BesideRbp(0));
    }
}

#[test]
fn return_addresses_have_three_places() {
    assert_eq!(rule_after(&[cfa::UNDEFINED, 16]), Rule::END);
    let in_rdi = Rule { return_address: ReturnAddress::Register(5), ..ON_ENTRY };
    assert_eq!(rule_after(&[cfa::REGISTER, 16, 5]), in_rdi);
    assert_eq!(rule_after(&[cfa::REGISTER, 16, 17]), Rule::UNSUPPORTED);
    assert_eq!(rule_after(&[0x90, 2]), Rule::UNSUPPORTED);
    assert_eq!(rule_after(&[cfa::REGISTER, 7, 8]), Rule::UNSUPPORTED); // another stack
}

#[test]
fn a_signal_trampoline_is_known_by_its_augmentation() {
    let frames = Frames::eh_frame().common("zS", USUAL).function(0x1fff, 16, &[]);
    let compiled = compile_frames(frames);
    assert_eq!(rule_at(&compiled, 0x1fff), Rule::SIGNAL);
    assert_eq!(rule_at(&compiled, 0x200e), Rule::SIGNAL);
}

#[test]
fn malformed_instructions_spoil_the_rest_of_their_function_only() {
    let frames = Frames::eh_frame()
        .common("", USUAL)
        .function(0x1000, 32, &[cfa::ADVANCE_4, cfa::UNKNOWN])
        .function(0x1020, 32, cfa::DEF_CFA_RSP_16)
        .function(0x1040, 32, &[cfa::UNKNOWN]);
    let compiled = compile_frames(frames);
    assert_eq!(rule_at(&compiled, 0x1003), ON_ENTRY);
    assert_eq!(rule_at(&compiled, 0x1004), Rule::UNSUPPORTED);
    assert_eq!(rule_at(&compiled, 0x1020), PUSHED);
    assert_eq!(rule_at(&compiled, 0x1040), Rule::UNSUPPORTED);
    assert_eq!(compiled.stats.malformed, 2);
}

#[test]
fn a_function_ends_where_the_next_one_starts() {
    let frames = Frames::eh_frame()
        .common("", USUAL)
        .function(0x1040, 32, &[])
        .function(0x1000, 0x200, cfa::DEF_CFA_RSP_16)
        .function(0x1040, 64, cfa::DEF_CFA_RSP_16)
        .function(0x1030, 0, &[]);
    let compiled = compile_frames(frames);
    assert_eq!(rule_at(&compiled, 0x103f), PUSHED);
    assert_eq!(rule_at(&compiled, 0x105f), ON_ENTRY);
    assert_eq!(rule_at(&compiled, 0x1060), Rule::GAP);
    assert_eq!(compiled.stats.functions, 2);
}

#[test]
fn functions_outside_of_code_are_left_out() {
    let frames = Frames::eh_frame()
        .common("", USUAL)
        .function(u64::MAX - 8, 32, &[])
        .function(1 << 60, 32, &[])
        .function(0x1000, 32, &[]);
    let compiled = compile_frames(frames);
    assert_eq!(compiled.stats.functions, 1);
    assert!(compiled.bytes.len() < 200);
}

#[test]
fn debug_frame_speaks_where_eh_frame_is_silent() {
    let eh_frame = Frames::eh_frame().common("", USUAL).function(0x1100, 0x100, &[]);
    let debug_frame = Frames::debug_frame()
        .common("", USUAL)
        .function(0x1080, 0x80, cfa::DEF_CFA_RSP_16)
        .function(0x1180, 0x100, cfa::DEF_CFA_RSP_16)
        .function(0x1400, 0x100, cfa::DEF_CFA_RSP_16);
    let compiled =
        compile(&Elf::new().eh_frame(eh_frame).debug_frame(debug_frame).build()).unwrap();
    assert_eq!(rule_at(&compiled, 0x10ff), PUSHED);
    assert_eq!(rule_at(&compiled, 0x1180), ON_ENTRY);
    assert_eq!(rule_at(&compiled, 0x1200), Rule::GAP);
    assert_eq!(rule_at(&compiled, 0x1400), PUSHED);
    let debug_frame = Frames::debug_frame().common("", USUAL).function(0x1080, 0x80, &[]);
    let compiled = compile(&Elf::new().debug_frame(debug_frame).build()).unwrap();
    assert_eq!(rule_at(&compiled, 0x1080), ON_ENTRY);
}

#[test]
fn without_section_headers_the_index_leads_to_the_information() {
    let index = [&[1, 0, 0xff, 0xff][..], &0x2_0000_u64.to_le_bytes()].concat();
    let frames = Frames::eh_frame().common("", USUAL).function(0x1000, 32, &[]);
    let elf = Elf::new().section(".eh_frame_hdr", 0x1_8000, index).eh_frame(frames);
    let elf = elf.segment(PT_GNU_EH_FRAME, 0, 0x1_8000, 12);
    let compiled = compile(&elf.build_bare()).unwrap();
    assert_eq!(rule_at(&compiled, 0x1000), ON_ENTRY);
    assert_eq!(compiled.bytes, compile(&elf.build()).unwrap().bytes);
}

/// More distinct rules than a row can name.
#[test]
fn surplus_rules_are_unsupported() {
    const FUNCTIONS: u64 = 8;
    const ROWS: u32 = 0x2_0001;
    let mut frames = Frames::eh_frame().common("", USUAL);
    let size = u64::from(ROWS);
    for function in 0..FUNCTIONS {
        let mut instructions = Vec::new();
        for row in 0..ROWS {
            let offset = row | (function as u32) << 18;
            instructions.push(cfa::DEF_CFA_OFFSET);
            instructions.extend([0, 7, 14].map(|shift| (offset >> shift) as u8 | 0x80));
            instructions.extend([(offset >> 21) as u8, 0x41]);
        }
        frames = frames.function(0x10_0000 + function * size, size, &instructions);
    }
    let elf = Elf::new().section(".text", 0x10_0000, vec![0; (FUNCTIONS * size) as usize]);
    let compiled = compile(&elf.section(".eh_frame", 0x80_0000, frames.finish()).build()).unwrap();
    assert_eq!(compiled.stats.rules, 1 << 20);
    assert_eq!(rule_at(&compiled, 0x10_0000 + 5), Rule::cfa(RSP, 5));
    assert_eq!(rule_at(&compiled, 0x10_0000 + FUNCTIONS * size - 1), Rule::UNSUPPORTED);
}

#[test]
fn a_common_entry_that_would_run_for_ever_is_refused() {
    let frames = Frames::eh_frame()
        .common("", &[USUAL, &[0; 1000]].concat())
        .function(0x1000, 32, &[])
        .common("", USUAL)
        .function(0x1100, 32, &[]);
    let compiled = compile_frames(frames);
    assert_eq!(rule_at(&compiled, 0x1000), Rule::GAP);
    assert_eq!(rule_at(&compiled, 0x1100), ON_ENTRY);
    assert_eq!(compiled.stats.malformed, 1);
}

#[test]
fn what_cannot_be_compiled_says_why() {
    assert_eq!(compile(b"#!/bin/sh").unwrap_err(), CompileError::NotElf);
    let other = Elf::new().machine(183).build();
    assert_eq!(compile(&other).unwrap_err(), CompileError::OtherMachine(183));
    let nothing = Elf::new().build();
    assert_eq!(compile(&nothing).unwrap_err(), CompileError::NoCallFrameInformation);
    let far = 1 << 40;
    let frames = Frames::eh_frame().common("", USUAL).function(0x1000, 32, &[]);
    let elf = Elf::new().eh_frame(frames.function(far, 32, &[]));
    let huge = elf.segment(PT_LOAD, CODE, far, 0x1000).build();
    assert_eq!(compile(&huge).unwrap_err(), CompileError::TooLarge);
}
