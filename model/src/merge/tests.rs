use super::*;
use crate::{Language, Life, Limits, Module, Process, StackKind, Stop, Thread};

/// One process with one thread, and a sample of 10 ns in `functions`, root first, at addresses by
/// name in one module.
fn part(functions: &[&str]) -> (Profile, Symbols) {
    let address = |name: &str| u64::from(name.as_bytes()[0]);
    let frame = |name: &str| Frame {
        function: name.into(),
        file: None,
        line: None,
        language: Language::Plain,
        inlined: false,
    };
    let life = Life { start_ns: 1, end_ns: Some(50) };
    let ids: Vec<LocationId> = (0..functions.len() as u32).map(LocationId).rev().collect();
    let location = |name: &&str| Location { module: Some(ModuleId(0)), address: address(name) };
    let profile = Profile {
        meta: Meta {
            argv: vec!["app".into()],
            host: "one".into(),
            kernel: "6.1".into(),
            version: "1".into(),
            git_revision: Some("abc".into()),
            started_unix_s: 100,
            duration_ns: 60,
            clock: Clock::Thread,
            period_ns: 10,
            exit_code: Some(0),
        },
        processes: vec![Process {
            pid: 7,
            parent: None,
            name: "app".into(),
            cpu_ns: Some(12),
            life,
            gap: None,
        }],
        threads: vec![Thread { process: ProcessId(0), tid: 7, name: "app".into(), life }],
        modules: vec![Module {
            path: "/app".into(),
            build_id: Some(BuildId(vec![1])),
            image: None,
        }],
        locations: functions.iter().map(location).collect(),
        code_names: <_>::default(),
        stacks: vec![
            Stack { kind: StackKind::Walked(Stop::End), locations: ids },
            Stack { kind: StackKind::Unsampled, locations: Vec::new() },
        ],
        samples: [(0, 10), (1, 2)]
            .map(|(stack, weight_ns)| Sample {
                time_ns: 5,
                thread: ThreadId(0),
                stack: StackId(stack),
                weight_ns,
                ticks: 1,
                is_waiting: false,
            })
            .into(),
        accounting: Accounting {
            cpu_ns: Some(12),
            recorded_ns: 10,
            unsampled_ns: 2,
            limits: Limits { timer_failures: 1, ..Limits::default() },
            ..Accounting::default()
        },
        shortfalls: vec![Shortfall::CutShort, Shortfall::Damaged { bytes: 3 }],
    };
    (profile, Symbols::new(functions.iter().map(|name| vec![frame(name)]).collect()))
}

fn names((profile, symbols): &(Profile, Symbols)) -> Vec<Vec<String>> {
    let name = |id: &LocationId| symbols.frames(*id)[0].function.to_string();
    let walked = profile.samples.iter().map(|sample| profile.stack(sample.stack));
    walked.map(|stack| stack.locations.iter().map(name).collect()).collect()
}

#[test]
fn equal_code_is_one_and_processes_are_not() {
    let whole = merge(vec![part(&["main", "f"]), part(&["main", "g"]), part(&["main", "f"])]);
    let whole = whole.unwrap();
    let profile = &whole.0;
    assert_eq!((profile.modules.len(), profile.locations.len(), profile.stacks.len()), (1, 3, 3));
    assert_eq!((profile.processes.len(), profile.threads.len()), (3, 3));
    assert_eq!(profile.threads[2].process, ProcessId(2));
    let empty: Vec<String> = Vec::new();
    let (f, g) = (vec!["f".to_owned(), "main".into()], vec!["g".to_owned(), "main".into()]);
    assert_eq!(names(&whole), [f.clone(), empty.clone(), g, empty.clone(), f, empty]);
}

#[test]
fn profiles_follow_one_another_and_all_that_counts_is_added() {
    let (profile, _) = merge(vec![part(&["a"]), part(&["b"]), part(&["c"])]).unwrap();
    let times: Vec<u64> = profile.samples.iter().map(|sample| sample.time_ns).collect();
    assert_eq!(times, [5, 5, 65, 65, 125, 125]);
    assert_eq!(profile.processes[1].life, Life { start_ns: 61, end_ns: Some(110) });
    assert_eq!(profile.meta.duration_ns, 180);
    assert_eq!(profile.accounting.total_ns(), 36);
    assert_eq!(profile.accounting.cpu_ns, Some(36));
    assert_eq!(profile.accounting.limits.timer_failures, 3);
    assert_eq!(profile.shortfalls, [Shortfall::CutShort, Shortfall::Damaged { bytes: 9 }]);
}

#[test]
fn what_differs_is_told_as_the_worse_of_both() {
    let mut other = part(&["a"]);
    let meta = &mut other.0.meta;
    (meta.host, meta.git_revision, meta.started_unix_s) = ("two".into(), None, 50);
    (meta.clock, meta.period_ns, meta.exit_code) = (Clock::Perf, 99, Some(3));
    let (profile, _) = merge(vec![part(&["a"]), other.clone(), other]).unwrap();
    let meta = &profile.meta;
    assert_eq!((meta.host.as_str(), &meta.git_revision), ("one, two", &None));
    assert_eq!((meta.clock, meta.period_ns, meta.started_unix_s), (Clock::Thread, 99, 50));
    assert_eq!(meta.exit_code, Some(3));
}

#[test]
fn wall_time_is_not_added_to_cpu_time() {
    let mut wall = part(&["a"]);
    wall.0.meta.clock = Clock::Wall;
    assert_eq!(merge(vec![part(&["a"]), wall.clone()]).unwrap_err(), MergeError::WallAndCpu);
    assert!(merge(vec![wall.clone(), wall]).is_ok());
    assert_eq!(merge(Vec::new()).unwrap_err(), MergeError::Nothing);
}

#[test]
fn the_names_that_tell_more_are_kept() {
    let (profile, symbols) = part(&["a"]);
    let mut frame = symbols.frames(LocationId(0))[0].clone();
    frame.file = Some("a.c".into());
    let detailed = (profile.clone(), Symbols::new(vec![vec![frame]]));
    for parts in [vec![part(&["a"]), detailed.clone()], vec![detailed, part(&["a"])]] {
        let (profile, symbols) = merge(parts).unwrap();
        assert_eq!(profile.locations.len(), 1);
        assert!(symbols.frames(LocationId(0))[0].file.is_some());
    }
}

#[test]
fn files_without_a_build_id_may_be_others_under_the_same_path() {
    let mut parts = [part(&["a"]), part(&["alpha"]), part(&["a"])];
    parts.iter_mut().for_each(|(profile, _)| profile.modules[0].build_id = None);
    let (profile, _) = merge(parts.into()).unwrap();
    assert_eq!((profile.modules.len(), profile.locations.len()), (1, 2));
}

#[test]
fn code_without_a_module_is_its_processs_own() {
    let mut jit = part(&["a"]);
    jit.0.locations[0].module = None;
    jit.0.code_names.insert(LocationId(0), "py::f".into());
    let (profile, _) = merge(vec![jit.clone(), jit]).unwrap();
    assert_eq!(profile.locations.len(), 2);
    assert_eq!(profile.code_names.len(), 2);
}

#[test]
fn more_time_than_can_be_counted_is_an_error() {
    let mut long = part(&["a"]);
    long.0.accounting.recorded_ns = 1 << 61;
    assert_eq!(merge(vec![long.clone(), long.clone(), long]).unwrap_err(), MergeError::TooMuch);
}

#[test]
fn time_that_nobody_was_charged_for_is_that_of_the_samples() {
    let mut imported = part(&["a"]);
    imported.0.accounting.cpu_ns = None;
    imported.0.processes[0].cpu_ns = None;
    let (profile, _) = merge(vec![part(&["a"]), imported.clone()]).unwrap();
    assert_eq!(profile.accounting.cpu_ns, Some(24));
    assert_eq!(profile.processes[1].cpu_ns, Some(12));
    let (profile, _) = merge(vec![imported.clone(), imported]).unwrap();
    assert_eq!(profile.accounting.cpu_ns, None);
}
