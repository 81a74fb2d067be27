//! What sigspy has exported comes back as it was.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use sigspy_import::{Format, Options, Unit, import};
use sigspy_model::{
    Accounting, BuildId, Clock, Frame, Language, Life, Location, LocationId, Meta, Module,
    ModuleId, Process, ProcessId, Profile, Sample, Stack, StackId, StackKind, Stop, Symbols,
    Thread, ThreadId,
};
use sigspy_report::FoldedOptions;

const KINDS: [StackKind; 8] = [
    StackKind::Walked(Stop::End),
    StackKind::Walked(Stop::NoTable),
    StackKind::Walked(Stop::BadRule),
    StackKind::Walked(Stop::Truncated),
    StackKind::Walked(Stop::Stale),
    StackKind::Lost,
    StackKind::Blocked,
    StackKind::Unsampled,
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,3}",
        "[a-z]{1,2}(<[a-z; ]{1,4}>)?::[a-z]( const| 12)?",
        Just("operator new[](unsigned long)".to_owned()),
        Just("# include".to_owned()),
        "\\PC{0,8}",
    ]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let frame = (name(), proptest::option::of("[a-z/]{1,6}\\.c"), proptest::option::of(1..999u32));
    proptest::collection::vec(frame, 1..4).prop_map(|frames| {
        let physical = frames.len() - 1;
        let frame = |(place, (function, file, line)): (usize, (String, Option<String>, _))| Frame {
            function: function.into(),
            file: file.map(Into::into),
            line,
            language: Language::Plain,
            inlined: place < physical,
        };
        frames.into_iter().enumerate().map(frame).collect()
    })
}

/// A sample as made up: stack, thread, weight in us, waiting.
type Made = (Index, Index, u64, bool);

/// Up to three processes, of two threads each.
fn profile() -> impl Strategy<Value = (Profile, Symbols)> {
    let locations = proptest::collection::vec((frames(), proptest::bool::ANY), 1..12);
    let stack =
        (proptest::sample::select(&KINDS[..]), proptest::collection::vec(any::<Index>(), 0..6));
    let stacks = proptest::collection::vec(stack, 1..12);
    let samples = (any::<Index>(), any::<Index>(), 1..1_000_000u64, any::<bool>());
    let samples = proptest::collection::vec(samples, 1..40);
    (1..4u32, locations, stacks, samples).prop_map(|(processes, locations, stacks, samples)| {
        let mut profile = empty(processes);
        let mut symbols = Vec::new();
        for (address, (frames, has_module)) in (0x1000..).zip(locations) {
            profile.locations.push(Location { module: has_module.then_some(ModuleId(0)), address });
            symbols.push(frames);
        }
        for (kind, places) in stacks {
            let location = |place: &Index| LocationId(place.index(symbols.len()) as u32);
            let is_walked = matches!(kind, StackKind::Walked(_));
            let locations = places.iter().filter(|_| is_walked).map(location).collect();
            profile.stacks.push(Stack { kind, locations });
        }
        samples.iter().for_each(|made| add(&mut profile, made));
        // A process without samples is in no export, and one alone is no frame.
        let first = profile.samples[0];
        let thread = |process| ThreadId(2 * process);
        let each = (0..processes).map(|process| Sample { thread: thread(process), ..first });
        profile.samples.extend(each);
        (profile, Symbols::new(symbols))
    })
}

fn add(profile: &mut Profile, (stack, thread, us, is_waiting): &Made) {
    let stack = stack.index(profile.stacks.len());
    let is_walked = matches!(profile.stacks[stack].kind, StackKind::Walked(_));
    profile.samples.push(Sample {
        time_ns: 0,
        thread: ThreadId(thread.index(profile.threads.len()) as u32),
        stack: StackId(stack as u32),
        weight_ns: us * 1000,
        ticks: is_walked.into(),
        is_waiting: *is_waiting && is_walked,
    });
}

fn empty(processes: u32) -> Profile {
    let process = |index| Process {
        pid: 100 + index,
        parent: None,
        name: format!("process {index}"),
        cpu_ns: None,
        life: Life::default(),
        gap: None,
    };
    let thread = |index| Thread {
        process: ProcessId(index / 2),
        tid: 100 + index,
        name: format!("thread {}", index % 2),
        life: Life::default(),
    };
    let build_id = Some(BuildId((0..20).collect()));
    Profile {
        meta: Meta {
            argv: vec!["app".to_owned()],
            host: String::new(),
            kernel: String::new(),
            version: String::new(),
            git_revision: None,
            started_unix_s: 7,
            duration_ns: 9,
            clock: Clock::Thread,
            period_ns: 1_000_000,
            exit_code: None,
        },
        processes: (0..processes).map(process).collect(),
        threads: (0..2 * processes).map(thread).collect(),
        modules: vec![Module { path: "/bin/process 0".into(), build_id, image: None }],
        locations: Vec::new(),
        code_names: BTreeMap::new(),
        stacks: Vec::new(),
        samples: Vec::new(),
        accounting: Accounting::default(),
        shortfalls: Vec::new(),
    }
}

fn folded(profile: &Profile, symbols: &Symbols, threads: bool) -> String {
    let mut out = Vec::new();
    let options = FoldedOptions { threads, ..FoldedOptions::default() };
    sigspy_report::folded(profile, symbols, &options, &mut out).expect("memory can be written to");
    String::from_utf8(out).expect("names are text")
}

fn pprof(profile: &Profile, symbols: &Symbols) -> Vec<u8> {
    let mut out = Vec::new();
    sigspy_report::pprof(profile, symbols, &mut out).expect("memory can be written to");
    out
}

fn options(format: Option<Format>) -> Options {
    Options { format, unit: Unit::default(), name: "imported".to_owned() }
}

fn weights(profile: &Profile) -> u64 {
    profile.samples.iter().map(|sample| sample.weight_ns).sum()
}

proptest! {
    #[test]
    fn folded_stacks_come_back_line_by_line((profile, symbols) in profile(), threads: bool) {
        let text = folded(&profile, &symbols, threads);
        let imported = import(text.as_bytes(), &options(Some(Format::Folded))).expect("it is ours");
        let again = folded(&imported.profile, &imported.symbols, threads);
        prop_assert_eq!(again, text);
        prop_assert_eq!(weights(&imported.profile), weights(&profile));
        prop_assert_eq!(imported.profile.accounting.total_ns(), weights(&profile));
    }

    #[test]
    fn pprof_comes_back_with_threads_lines_and_accounting((profile, symbols) in profile()) {
        let imported = import(&pprof(&profile, &symbols), &options(None)).expect("it is ours");
        let again = folded(&imported.profile, &imported.symbols, true);
        prop_assert_eq!(again, folded(&profile, &symbols, true));
        prop_assert_eq!(weights(&imported.profile), weights(&profile));
        prop_assert_eq!(imported.profile.meta.period_ns, profile.meta.period_ns);
        for stack in &imported.profile.stacks {
            prop_assert!(stack.locations.is_empty() || matches!(stack.kind, StackKind::Walked(_)));
        }
        let kinds = [StackKind::Lost, StackKind::Blocked, StackKind::Unsampled];
        for kind in kinds {
            prop_assert_eq!(of_kind(&imported.profile, kind), of_kind(&profile, kind));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in [None, Some(Format::Folded), Some(Format::Pprof), Some(Format::Perf)] {
            let _ = import(&bytes, &options(format));
        }
    }

    #[test]
    fn damaged_pprof_is_read_without_a_panic(
        (profile, symbols) in profile(),
        flips in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut: Index,
    ) {
        let mut raw = Vec::new();
        let packed = pprof(&profile, &symbols);
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed), &mut raw).expect("gzip");
        for (place, byte) in &flips {
            let place = place.index(raw.len());
            raw[place] = *byte;
        }
        let _ = import(&raw, &options(Some(Format::Pprof)));
        raw.truncate(cut.index(raw.len()));
        let _ = import(&raw, &options(Some(Format::Pprof)));
    }
}

fn of_kind(profile: &Profile, kind: StackKind) -> u64 {
    let samples = profile.samples.iter().filter(|sample| profile.stack(sample.stack).kind == kind);
    samples.map(|sample| sample.weight_ns).sum()
}

#[test]
fn what_unpacks_to_much_more_is_refused() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![0; 20 << 20]).expect("memory can be written to");
    let bomb = packed.finish().expect("memory can be written to");
    let error = import(&bomb, &options(None)).expect_err("it is a bomb").to_string();
    assert!(error.contains("100 times"), "{error}");
}

#[test]
fn errors_say_where_and_what_to_do() {
    let error = |bytes: &[u8], format| {
        import(bytes, &options(format)).expect_err("it is no profile").to_string()
    };
    assert!(error(b"main;a 1\nmain;b\n", None).starts_with("line 2 "));
    assert!(error(b"PERFILE2", None).contains("perf script"));
    assert!(error(b"\x7fELF", None).contains("--from"));
    assert!(error(b"a 99999999999999999\nb 99999999999999999\n", None).contains("--unit"));
    assert!(error(b"\x08", Some(Format::Pprof)).contains("pprof"));
}
