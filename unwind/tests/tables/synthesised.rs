//! Rules for code without call frame information.

use sigspy_unwind::{Kind, Rule, Table, compile};

use crate::made_up::{Elf, Frames, USUAL};

const RSP: u8 = 7;

/// The rules at each byte of a section, which begins at 0x1_8000 behind the other code.
fn rules_of(name: &'static str, code: &[u8]) -> Vec<Rule> {
    const START: u64 = 0x1_8000;
    let frames = Frames::eh_frame().common("", USUAL).function(0x1000, 32, &[]);
    let elf = Elf::new().section(name, START, code.to_vec()).eh_frame(frames).build();
    let compiled = compile(&elf).unwrap();
    let table = Table::new(&compiled.bytes).unwrap();
    assert_eq!(table.lookup(START + code.len() as u64), Some(Rule::GAP));
    (0..code.len() as u64).map(|offset| table.lookup(START + offset).unwrap()).collect()
}

fn offsets(rules: &[Rule]) -> Vec<i32> {
    assert!(rules.iter().all(|rule| *rule == Rule::cfa(RSP, rule.offset)), "{rules:?}");
    rules.iter().map(|rule| rule.offset).collect()
}

const HEAD: [u8; 16] = [0xff, 0x35, 1, 2, 3, 4, 0xff, 0x25, 1, 2, 3, 4, 0x0f, 0x1f, 0x40, 0];
const LAZY: [u8; 16] = [0xff, 0x25, 1, 2, 3, 4, 0x68, 0, 0, 0, 0, 0xe9, 1, 2, 3, 4];
const LAZY_IBT: [u8; 16] = [0xf3, 0x0f, 0x1e, 0xfa, 0x68, 0, 0, 0, 0, 0xe9, 1, 2, 3, 4, 0x66, 0x90];
const EAGER: [u8; 8] = [0xff, 0x25, 1, 2, 3, 4, 0x66, 0x90];

#[test]
fn a_lazy_linkage_table_pushes_in_its_head_and_in_each_entry() {
    for (entry, threshold) in [(LAZY, 11), (LAZY_IBT, 9)] {
        let rules = rules_of(".plt", &[HEAD, entry, entry].concat());
        assert_eq!(offsets(&rules[..16]), [[16; 6].as_slice(), &[24; 10]].concat());
        let expected = Rule { kind: Kind::Plt, second: threshold, ..Rule::cfa(RSP, 8) };
        assert!(rules[16..].iter().all(|rule| *rule == expected), "{rules:?}");
    }
}

#[test]
fn the_linkage_table_of_mold_pushes_twice_in_its_head_alone() {
    let pushes = [0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x53, 0xff, 0x35, 1, 2, 3, 4];
    let head = [&pushes[..], &[0xff, 0x25, 1, 2, 3, 4], &[0xcc; 14]].concat();
    let entry = [0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0xbb, 0, 0, 0, 0, 0xff, 0x25, 1, 2, 3, 4];
    let expected = [&[8; 6][..], &[16; 6], &[24; 20], &[8; 32]].concat();
    assert_eq!(offsets(&rules_of(".plt", &[&*head, &entry, &entry].concat())), expected);
}

#[test]
fn other_linkage_tables_push_nothing() {
    assert_eq!(offsets(&rules_of(".plt.got", &EAGER)), [8; 8]);
    assert_eq!(offsets(&rules_of(".plt.sec", &[EAGER, EAGER].concat())), [8; 16]);
    assert_eq!(rules_of(".iplt", &LAZY)[0].kind, Kind::Plt);
    assert_eq!(offsets(&rules_of(".plt", &HEAD)), [[16; 6].as_slice(), &[24; 10]].concat());
    assert_eq!(offsets(&rules_of(".plt", &HEAD[..3])), [8; 3]);
}

#[test]
fn init_and_fini_have_one_slot_between_their_first_and_last_part() {
    let glibc = [0x48, 0x83, 0xec, 8, 0x90, 0x90, 0x48, 0x83, 0xc4, 8, 0xc3];
    let expected = [[8; 4].as_slice(), &[16; 6], &[8]].concat();
    assert_eq!(offsets(&rules_of(".init", &glibc)), expected);
    let with_ibt = [&[0xf3, 0x0f, 0x1e, 0xfa], &glibc[..]].concat();
    assert_eq!(offsets(&rules_of(".fini", &with_ibt)), [&[8; 4], &*expected].concat());
    assert_eq!(offsets(&rules_of(".init", &[0x50, 0x90, 0x58, 0xc3])), [8, 16, 16, 8]);
    assert_eq!(rules_of(".init", &[0x55, 0x90, 0x5d, 0xc3]), [Rule::GAP; 4]);
}

#[test]
fn a_restorer_is_found_in_a_gap_one_byte_early() {
    let restorer = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
    let rules = rules_of(".other", &[&[0x90, 0x90], &restorer[..], &[0xcc]].concat());
    let expected = [&[Rule::GAP][..], &[Rule::SIGNAL; 10], &[Rule::GAP]].concat();
    assert_eq!(rules, expected);
}

#[test]
fn nobody_calls_where_a_loader_starts() {
    let start = [0x48, 0x89, 0xe7, 0xe8, 1, 2, 3, 4, 0x49, 0x89, 0xc4];
    let code = [&start[..], &[0x41, 0xff, 0xe4, 0xcc]].concat();
    let rules = |code: &[u8]| {
        const E_ENTRY: std::ops::Range<usize> = 24..32;
        let frames = Frames::eh_frame().common("", USUAL).function(0x1000, 32, &[]);
        let elf = Elf::new().section(".start", 0x1_8000, code.to_vec()).eh_frame(frames);
        let mut file = elf.build();
        file[E_ENTRY].copy_from_slice(&0x1_8000_u64.to_le_bytes());
        let compiled = compile(&file).unwrap();
        let table = Table::new(&compiled.bytes).unwrap();
        (0..15).map(|offset| table.lookup(0x1_8000 + offset).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(rules(&code), [&[Rule::END; 14][..], &[Rule::GAP]].concat());
    assert_eq!(rules(&[0x90; 15]), [Rule::GAP; 15]);
}

#[test]
fn call_frame_information_goes_before_what_bytes_look_like() {
    let frames = Frames::eh_frame().common("", USUAL).function(0x1_8000, 32, &[]);
    let code = [HEAD, LAZY].concat();
    let elf = Elf::new().section(".plt", 0x1_8000, code).eh_frame(frames).build();
    let compiled = compile(&elf).unwrap();
    let table = Table::new(&compiled.bytes).unwrap();
    assert!((0x1_8000..0x1_8020).all(|pc| table.lookup(pc) == Some(Rule::cfa(RSP, 8))));
    assert_eq!(compiled.stats.synthesised, 0);
}
