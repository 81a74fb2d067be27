//! Damaged files cost names, never the report.

use std::fs;

use object::ObjectSection;
use proptest::prelude::*;

use super::folder::{Folder, INLINING};
use super::*;

/// A recording of a file whose contents are these.
fn damaged(contents: &[u8], build_id: Option<BuildId>) -> Module {
    let path = "damaged".to_owned();
    Module { path, build_id, image: Some(contents.to_vec()) }
}

/// An executable with debug information and a place in it.
fn sound(name: &str, arguments: &[&str]) -> (Vec<u8>, Vec<u64>) {
    let folder = Folder::new(name);
    let program = folder.compile(INLINING, arguments);
    let (outer, _) = symbol(&program, "outer");
    let (main, _) = symbol(&program, "main");
    (fs::read(program).unwrap(), vec![0, main, outer, outer + 4, u64::MAX])
}

fn assert_survives(contents: &[u8], addresses: &[u64]) {
    let (frames, _) = look_up(&damaged(contents, None), addresses);
    assert!(frames.iter().all(|frames| !frames.is_empty()));
}

#[test]
fn a_file_cut_anywhere_does_no_harm() {
    let (contents, addresses) = sound("cut", &["-g"]);
    for length in (0..contents.len()).step_by(61) {
        assert_survives(&contents[..length], &addresses);
    }
}

#[test]
fn what_is_no_elf_file_is_told() {
    let (frames, cause) = look_up(&damaged(b"#!/bin/sh\n", None), &[0x10]);
    assert!(are(&frames[0], &["damaged+0x10"]));
    assert!(matches!(cause, Some(Cause::Unreadable(_))), "{cause:?}");
}

#[test]
fn flipped_bits_do_no_harm() {
    for (name, arguments) in [("flip", &["-g"] as &[_]), ("flip-gz", &["-g", "-gz"])] {
        let (contents, addresses) = sound(name, arguments);
        let bit = (0..contents.len(), 0..8_u32);
        let flips = proptest::collection::vec(bit, 1..40);
        let config =
            ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) };
        proptest!(config, |(flips in flips)| {
            let mut contents = contents.clone();
            flips.iter().for_each(|(at, bit)| contents[*at] ^= 1 << bit);
            assert_survives(&contents, &addresses);
        });
    }
}

/// Of a stripped file the unwind information is read, from where the table says it is or not.
#[test]
fn flipped_bits_in_unwind_information_do_no_harm() {
    for (name, argument) in [("flip-table", "-g0"), ("flip-entries", "-Wl,--no-eh-frame-hdr")] {
        let (_, addresses) = sound(name, &[argument]);
        let folder = Folder::new(name);
        let contents = fs::read(folder.compile(INLINING, &[argument, "-s"])).unwrap();
        let sections = [".eh_frame_hdr", ".eh_frame"].iter().filter_map(|name| {
            let elf = object::File::parse(&*contents).unwrap();
            let (start, size) = elf.section_by_name(name)?.file_range()?;
            Some(start as usize..(start + size) as usize)
        });
        for at in sections.flatten() {
            for bits in [1 << (at % 8), 0x80, 0xff] {
                let mut contents = contents.clone();
                contents[at] ^= bits;
                assert_survives(&contents, &addresses);
            }
        }
    }
}

/// The first page and the section headers decide where everything is, so they get most flips.
#[test]
fn flipped_bits_in_headers_do_no_harm() {
    let (contents, addresses) = sound("flip-headers", &["-g"]);
    let end = contents.len();
    for at in (0..4096).chain(end - 4096..end) {
        let mut contents = contents.clone();
        contents[at] ^= 1 << (at % 8);
        assert_survives(&contents, &addresses);
    }
}
