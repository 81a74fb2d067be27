//! Recordings that were written, cut, damaged, or made up.

use proptest::prelude::*;
use sigspy_model::{Frame, Language, LocationId, Profile, Shortfall, StackKind, Stop, Symbols};

use super::chunk::{self, FILE_HEADER};
use super::event::kind_number;
use super::reader::{Problem, parse};
use super::{Event, MetaEvent, Writer};

const SAMPLES: u32 = 40_000;
const WEIGHT_NS: u64 = 1_000_003;

fn meta() -> MetaEvent {
    let argv = vec!["./app".to_owned(), "--fast".to_owned()];
    MetaEvent { argv, period_ns: WEIGHT_NS, ..MetaEvent::default() }
}

fn sample(number: u32) -> Event {
    // Times without a pattern, so that the file is long enough to be cut in many places.
    let time_ns = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
    Event::Sample {
        time_ns,
        thread: 0,
        stack: number % 100,
        weight_ns: WEIGHT_NS,
        ticks: 1,
        is_waiting: false,
    }
}

/// A recording of some 600 KB: one process, one thread, a hundred stacks.
fn recording() -> Vec<u8> {
    let mut writer = Writer::start(Vec::new(), meta()).unwrap();
    let mut push = |event| writer.push(&event).unwrap();
    push(Event::Process { id: 0, pid: 7, parent: 1, name: "app".into(), start_ns: 0 });
    push(Event::Thread { id: 0, process: 0, tid: 7, name: "app".into(), start_ns: 0 });
    push(Event::Module { id: 0, path: "/app".into(), build_id: Some(vec![1; 20]), image: None });
    for id in 0..100 {
        push(Event::Location { id, module: Some(0), address: id.into() });
        push(Event::Stack {
            id,
            kind: kind_number(StackKind::Walked(Stop::End)),
            locations: vec![id],
        });
    }
    (0..SAMPLES).for_each(|number| push(sample(number)));
    push(Event::ProcessCpu { process: 0, cpu_ns: u64::from(SAMPLES) * WEIGHT_NS + 5 });
    writer.finish(9, Some(3)).unwrap()
}

fn walked(profile: &Profile) -> u64 {
    let is_walked = |kind| matches!(kind, StackKind::Walked(_));
    profile.samples.iter().filter(|sample| is_walked(profile.stack(sample.stack).kind)).count()
        as u64
}

/// Weights and accounting say the same.
fn assert_adds_up(profile: &Profile) {
    let weights: u64 = profile.samples.iter().map(|sample| sample.weight_ns).sum();
    assert_eq!(weights, profile.accounting.total_ns());
}

#[test]
fn a_recording_comes_back_as_it_was() {
    let profile = parse(&recording()).unwrap().profile;
    assert_eq!(walked(&profile), SAMPLES.into());
    assert_eq!(profile.accounting.unsampled_ns, 5);
    assert_eq!((profile.meta.exit_code, profile.shortfalls.len()), (Some(3), 0));
    assert_eq!(profile.meta.argv, meta().argv);
    assert_adds_up(&profile);
}

fn frames(number: u32) -> Vec<Frame> {
    let frame = |function: &str, inlined| Frame {
        function: function.into(),
        file: number.is_multiple_of(3).then(|| "src/main.rs".into()),
        line: Some(number + 1),
        language: Language::Rust,
        inlined,
    };
    vec![frame("inner", true), frame(&format!("function {}", number % 7), false)]
}

#[test]
fn names_are_added_to_a_recording_and_count_if_all_are_there() {
    let file = recording();
    let symbols = Symbols::new((0..100).map(frames).collect());
    let named = super::symbols::append(file.clone(), &symbols, 100).unwrap();
    let read = parse(&named).unwrap();
    assert_eq!(read.symbols.as_ref(), Some(&symbols));
    assert_eq!(read.profile.shortfalls, []);
    for cut in [file.len(), file.len() + 100, named.len() - 1] {
        let read = parse(&named[..cut]).unwrap();
        assert_eq!((read.symbols, read.profile.shortfalls), (None, vec![]), "{cut}");
    }
    let fewer = super::symbols::append(file, &symbols, 99).unwrap();
    assert_eq!(parse(&fewer).unwrap().symbols, None);
}

#[test]
fn a_name_that_is_too_long_is_cut_and_costs_no_others() {
    let mut all: Vec<_> = (0..100).map(frames).collect();
    all[3][0].function = format!("x{}", "é".repeat(10 << 10)).into();
    let named = super::symbols::append(recording(), &Symbols::new(all.clone()), 100).unwrap();
    let read = parse(&named).unwrap().symbols.unwrap();
    let cut = &read.frames(LocationId(3))[0].function;
    assert_eq!(cut.len(), (16 << 10) - 1);
    assert!(all[3][0].function.starts_with(&**cut));
    assert_eq!(read.frames(LocationId(4)), all[4]);
}

#[test]
fn a_profile_is_written_as_it_was_read() {
    let mut file = recording();
    file.truncate(file.len() - 1);
    let before = parse(&file).unwrap().profile;
    let symbols = Symbols::new((0..100).map(frames).collect());
    let written = super::profile::write(&before, Some(&symbols), Vec::new()).unwrap();
    let after = parse(&written).unwrap();
    assert_eq!(format!("{:?}", after.profile), format!("{before:?}"));
    assert_eq!(after.symbols, Some(symbols));
}

#[test]
fn a_recording_that_was_cut_has_everything_before() {
    let file = recording();
    assert!(file.len() > 5 * 64 * 1024, "{} bytes", file.len());
    let mut before = 0;
    let early = 0..400;
    let borders = (0..file.len()).step_by(64 * 1024);
    for length in early.chain(borders).chain([file.len() - 1]) {
        let profile = match parse(&file[..length]) {
            Ok(recording) => recording.profile,
            Err(problem) => {
                // Too short even for the header, or for what was recorded.
                assert!(matches!(problem, Problem::Empty | Problem::Foreign), "{problem:?}");
                assert_eq!(before, 0, "{length}");
                continue;
            }
        };
        assert_eq!(profile.shortfalls, [Shortfall::CutShort], "{length}");
        assert_adds_up(&profile);
        let kept = walked(&profile);
        // A chunk is written when it has 64 KiB, of events of some 15 bytes.
        let least = (length as u64).saturating_sub(64 << 10) / 20;
        assert!(kept >= before && kept >= least, "{length}: {kept} after {before}");
        before = kept;
    }
}

#[test]
fn a_flipped_bit_costs_one_chunk() {
    let file = recording();
    let mut random = 7_u64;
    for _ in 0..60 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let position = (random >> 20) as usize % file.len();
        let mut damaged = file.clone();
        damaged[position] ^= 1 << (random % 8);
        if position < FILE_HEADER {
            continue; // it may be of another version now
        }
        let profile = parse(&damaged).unwrap().profile;
        assert_adds_up(&profile);
        assert!(!profile.shortfalls.is_empty(), "at {position}");
        let kept = walked(&profile) + profile.accounting.lost_ns / WEIGHT_NS;
        assert!(kept > u64::from(SAMPLES) * 3 / 4, "{kept} after a flip at {position}");
    }
}

#[test]
fn what_is_no_recording_is_named() {
    assert_eq!(parse(b"").unwrap_err(), Problem::Empty);
    assert_eq!(parse(b"\x7fELF and more").unwrap_err(), Problem::Foreign);
    assert_eq!(parse(&chunk::file_header()).unwrap_err(), Problem::Empty);
    let mut newer = recording();
    newer[8] = 200;
    assert_eq!(parse(&newer).unwrap_err(), Problem::OtherVersion(200));
}

/// A recording with these events behind those that come first in each.
fn with(events: &[Event]) -> Profile {
    let mut writer = Writer::start(Vec::new(), meta()).unwrap();
    events.iter().for_each(|event| writer.push(event).unwrap());
    parse(&writer.finish(1, None).unwrap()).unwrap().profile
}

#[test]
fn times_beyond_measure_still_add_up() {
    let process = |id| Event::Process { id, pid: id, parent: 0, name: "p".into(), start_ns: 0 };
    let cpu = |process| Event::ProcessCpu { process, cpu_ns: u64::MAX };
    let sample = Event::Sample {
        time_ns: u64::MAX,
        thread: 0,
        stack: 0,
        weight_ns: u64::MAX,
        ticks: 1,
        is_waiting: false,
    };
    let profile = with(&[process(1), process(2), cpu(1), cpu(2), sample.clone(), sample]);
    assert_adds_up(&profile);
    let cpu_ns = profile.processes.iter().filter_map(|process| process.cpu_ns).sum();
    assert_eq!(profile.accounting.cpu_ns, Some(cpu_ns));
}

#[test]
fn only_a_walk_has_frames() {
    let stack = |id, kind, locations| Event::Stack { id, kind: kind_number(kind), locations };
    let location = Event::Location { id: 0, module: None, address: 1 };
    let walked = StackKind::Walked(Stop::End);
    let bad = [stack(1, StackKind::Blocked, vec![0]), stack(2, walked, vec![0; 100_000])];
    let profile = with(&[&[location, stack(0, walked, vec![0])], &bad[..]].concat());
    assert_eq!(profile.stacks.len(), 1);
}

#[test]
fn code_is_called_what_the_program_calls_it() {
    let location = |id| Event::Location { id, module: None, address: 1 };
    let name = |location, name: &str| Event::CodeName { location, name: name.into() };
    let long = "n".repeat(5000);
    let profile = with(&[
        location(5),
        location(7),
        name(7, "py::work:/app/main.py"),
        name(5, &long),
        name(6, "of nothing"),
    ]);
    let expected = [(LocationId(1), "py::work:/app/main.py".to_owned())];
    assert_eq!(profile.code_names, expected.into());
}

#[test]
fn a_thread_whose_name_is_learnt_after_its_end_stays_ended() {
    let named = |name: &str| Event::Thread {
        id: 1,
        process: 0,
        tid: 8,
        name: name.to_owned(),
        start_ns: 5,
    };
    let process = Event::Process { id: 0, pid: 7, parent: 1, name: "app".into(), start_ns: 0 };
    let end = Event::ThreadEnd { thread: 1, time_ns: 9 };
    let profile = with(&[process, named("app"), end, named("worker")]);
    let thread = profile.threads.iter().find(|thread| thread.tid == 8).unwrap();
    assert_eq!((&*thread.name, thread.life.end_ns), ("worker", Some(9)));
}

/// As many threads as processes, none of them the main thread of its process.
#[test]
fn a_recording_of_many_short_processes_is_read_at_once() {
    let each = (0..100_000).flat_map(|id| {
        let name = String::new();
        let process = Event::Process { id, pid: 1, parent: 0, name: name.clone(), start_ns: 0 };
        let thread = Event::Thread { id, process: id, tid: 2, name, start_ns: 0 };
        [process, thread, Event::ProcessCpu { process: id, cpu_ns: 7 }]
    });
    let profile = with(&each.collect::<Vec<_>>());
    assert_eq!(profile.threads.len(), 200_000);
    assert_eq!(profile.accounting.unsampled_ns, 700_000);
}

fn id_of_location_and_name() -> impl Strategy<Value = Event> {
    (0..6u32, any::<String>()).prop_map(|(location, name)| Event::CodeName { location, name })
}

fn event() -> impl Strategy<Value = Event> {
    let id = 0..6u32;
    let kind = prop_oneof![0..8u8, 126..134u8, any::<u8>()];
    prop_oneof![
        (id.clone(), any::<u32>(), any::<u64>()).prop_map(|(id, pid, start_ns)| Event::Process {
            id,
            pid,
            parent: pid / 2,
            name: "p".into(),
            start_ns
        }),
        (id.clone(), any::<u64>())
            .prop_map(|(process, time_ns)| Event::ProcessEnd { process, time_ns }),
        (id.clone(), any::<u8>()).prop_map(|(process, reason)| Event::Gap { process, reason }),
        (id.clone(), any::<u64>())
            .prop_map(|(thread, time_ns)| Event::ThreadEnd { thread, time_ns }),
        (id.clone(), any::<u64>())
            .prop_map(|(process, cpu_ns)| Event::ProcessCpu { process, cpu_ns }),
        (id.clone(), id.clone(), any::<u32>()).prop_map(|(id, process, tid)| {
            Event::Thread { id, process, tid, name: "t".into(), start_ns: 0 }
        }),
        id.clone().prop_map(|id| {
            Event::Module { id, path: "/m".into(), build_id: None, image: None }
        }),
        (id.clone(), proptest::option::of(id.clone()), any::<u64>())
            .prop_map(|(id, module, address)| Event::Location { id, module, address }),
        (id.clone(), kind, proptest::collection::vec(id.clone(), 0..5))
            .prop_map(|(id, kind, locations)| Event::Stack { id, kind, locations }),
        (any::<u64>(), id.clone(), id, any::<u64>(), any::<u32>()).prop_map(
            |(time_ns, thread, stack, weight_ns, ticks)| {
                Event::Sample { time_ns, thread, stack, weight_ns, ticks, is_waiting: ticks == 1 }
            }
        ),
        (any::<u64>(), any::<u64>()).prop_map(|(unbalanced_ticks, bad_records)| {
            Event::Defects { unbalanced_ticks, bad_records }
        }),
        id_of_location_and_name(),
        Just(Event::End),
    ]
}

proptest! {
    #[test]
    fn any_events_make_a_profile_that_holds_together(
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let mut writer = Writer::start(Vec::new(), meta()).unwrap();
        events.iter().for_each(|event| writer.push(event).unwrap());
        let profile = parse(&writer.finish(1, None).unwrap()).unwrap().profile;
        for sample in &profile.samples {
            let thread = profile.thread(sample.thread);
            profile.process(thread.process);
            for location in &profile.stack(sample.stack).locations {
                let location = profile.locations[location.0 as usize];
                prop_assert!(location.module.is_none_or(|id| (id.0 as usize) < profile.modules.len()));
            }
        }
    }

    #[test]
    fn any_raw_chunk_is_read_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut file = chunk::file_header().to_vec();
        file.extend(chunk::encode(&raw));
        let _ = parse(&file);
    }
}
