//! Recordings from bytes, and what must hold for whatever is read from them.

use std::io::{Write, sink};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};
use sigspy_model::{Frame, Language, Location, Profile, StackKind, Symbols};
use sigspy_report::{FlameOptions, FoldedOptions, TextOptions, Unit, quality};

/// As in collector/src/recording/chunk.rs.
const FILE_HEADER: &[u8; 16] = b"SIGSPY\r\n\x04\0\0\0\0\0\0\0";
const CHUNK_MAGIC: &[u8; 4] = b"CHNK";
const CHUNK_HEADER: usize = 16;

/// A recording of one chunk with these bytes as its events.
pub fn file_of_events(raw: &[u8]) -> Vec<u8> {
    let stored = lz4_flex::block::compress(raw);
    let lengths = [stored.len() as u32, raw.len() as u32].map(u32::to_le_bytes).concat();
    let sum = crc32fast::hash(&[&*lengths, &*stored].concat());
    [FILE_HEADER, &CHUNK_MAGIC[..], &lengths, &sum.to_le_bytes(), &stored].concat()
}

/// Gives each chunk the checksum of what is in it, or else hardly any mutation of a recording
/// would get further than that. A chunk that is longer than the file ends with it.
pub fn repair(file: &mut [u8]) {
    let mut at = FILE_HEADER.len();
    while let Some(chunk) = file.get_mut(at..)
        && chunk.len() >= CHUNK_HEADER
    {
        if !chunk.starts_with(CHUNK_MAGIC) {
            at += 1;
            continue;
        }
        let (header, stored) = chunk.split_at_mut(CHUNK_HEADER);
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let length = length.min(stored.len());
        header[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        let sum = crc32fast::hash(&[&header[4..12], &stored[..length]].concat());
        header[12..16].copy_from_slice(&sum.to_le_bytes());
        at += CHUNK_HEADER + length;
    }
}

/// The profile in the bytes of a recording, by way of a file, as users do it.
pub fn read(file: &[u8]) -> Option<Profile> {
    let memory = memfd_create("recording", MFdFlags::MFD_CLOEXEC).expect("no memory file");
    let mut memory = std::fs::File::from(memory);
    memory.write_all(file).expect("cannot write to memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    Some(sigspy_collector::read(&path).ok()?.profile)
}

/// What reports rely on: ids lead somewhere, and the accounting is that of the samples.
pub fn assert_sound(profile: &Profile) {
    for thread in &profile.threads {
        profile.process(thread.process);
    }
    for location in &profile.locations {
        assert!(location.module.is_none_or(|id| (id.0 as usize) < profile.modules.len()));
    }
    for stack in &profile.stacks {
        assert!(stack.locations.iter().all(|id| (id.0 as usize) < profile.locations.len()));
        assert!(stack.locations.is_empty() || matches!(stack.kind, StackKind::Walked(_)));
    }
    let mut weights = 0_u64;
    for sample in &profile.samples {
        profile.thread(sample.thread);
        profile.stack(sample.stack);
        weights = weights.saturating_add(sample.weight_ns);
    }
    assert_eq!(weights, profile.accounting.total_ns());
    assert!(profile.meta.period_ns > 0);
}

/// Writes every report there is, with made-up names.
pub fn report(profile: &Profile) {
    let symbols = Symbols::new(profile.locations.iter().map(made_up_frames).collect());
    report_with(profile, &symbols);
}

/// Writes every report there is.
pub fn report_with(profile: &Profile, symbols: &Symbols) {
    let text = TextOptions::default();
    sigspy_report::text(profile, symbols, &quality(profile), &text, &mut sink()).expect("no text");
    for format in [
        sigspy_report::pprof,
        sigspy_report::firefox,
        sigspy_report::chrome,
        sigspy_report::json,
        sigspy_report::markdown,
    ] {
        format(profile, symbols, &mut sink()).expect("no file");
    }
    for threads in [false, true] {
        sigspy_report::speedscope(profile, symbols, threads, &mut sink()).expect("no file");
        sigspy_report::callgrind(profile, symbols, threads, &mut sink()).expect("no file");
        for unit in [Unit::Ticks, Unit::Microseconds] {
            let folded = FoldedOptions { unit, threads };
            // An error is one that users can get: no samples.
            let _ = sigspy_report::folded(profile, symbols, &folded, &mut sink());
        }
        let flame = FlameOptions { threads, ..FlameOptions::default() };
        let _ = sigspy_report::flamegraph(profile, symbols, &flame, &mut sink());
    }
}

/// Few names, so that stacks share frames and recurse; some locations are inlined functions.
fn made_up_frames(location: &Location) -> Vec<Frame> {
    let frame = |number: u64, inlined| Frame {
        function: format!("function {number}").into(),
        file: (number % 2 == 0).then(|| "file;\n".into()),
        line: None,
        language: Language::Plain,
        inlined,
    };
    let number = location.address % 8;
    if number < 6 {
        vec![frame(number, false)]
    } else {
        vec![frame(number, true), frame(number - 5, false)]
    }
}
