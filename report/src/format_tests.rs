//! What holds for every format.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde_json::Value;
use sigspy_model::{BuildId, Module, ModuleId, Profile, StackKind, Stop, Symbols};

use crate::made_up::Builder;
use crate::{Error, FoldedOptions};

type Format = fn(&Profile, &Symbols, &mut dyn Write) -> Result<(), Error>;

/// All that write the whole profile.
const FORMATS: [(&str, Format); 7] = [
    ("folded", |p, s, out| crate::folded(p, s, &FoldedOptions::default(), out)),
    ("pprof", crate::pprof),
    ("speedscope", |p, s, out| crate::speedscope(p, s, true, out)),
    ("firefox", crate::firefox),
    ("chrome", crate::chrome),
    ("callgrind", |p, s, out| crate::callgrind(p, s, true, out)),
    ("json", crate::json),
];

fn written(format: Format, builder: &Builder) -> Vec<u8> {
    let mut out = Vec::new();
    format(&builder.profile, &builder.symbols(), &mut out).unwrap();
    out
}

fn parsed(format: Format, builder: &Builder) -> Value {
    serde_json::from_slice(&written(format, builder)).unwrap()
}

/// Inlining, recursion, several processes and threads, time without stacks, odd names.
fn eventful() -> Builder {
    let mut builder = Builder::new();
    builder.sample(&["main", "work => inner", "leaf"], 1_000_001);
    builder.sample(&["main", "f", "g", "f", "g"], 2_000_000);
    builder.stackless(StackKind::Lost, 30_000).stackless(StackKind::Unsampled, 500_000);
    builder.stopped(Stop::NoTable, &["odd \"name\"\n|`x`"], 70_000).stopped(
        Stop::BadRule,
        &[],
        5_000,
    );
    builder.thread("sh", 7, "worker", 8).sample(&["main", "work => inner"], 4_000_000);
    builder.thread("app", 1, "second", 2).stackless(StackKind::Blocked, 9_000);
    builder.profile.samples[1].is_waiting = true;
    builder.profile.modules.push(Module {
        path: "/usr/bin/app".into(),
        build_id: Some(BuildId(vec![0xab; 20])),
        image: None,
    });
    builder.profile.locations[0].module = Some(ModuleId(0));
    builder
}

fn total_ns(builder: &Builder) -> u64 {
    builder.profile.samples.iter().map(|sample| sample.weight_ns).sum()
}

#[test]
fn the_same_profile_gives_the_same_bytes() {
    for (name, format) in FORMATS {
        assert!(written(format, &eventful()) == written(format, &eventful()), "{name}");
    }
}

#[test]
fn a_profile_without_samples_can_be_written() {
    for (_, format) in FORMATS {
        written(format, &Builder::new());
    }
}

#[test]
fn weights_of_speedscope_are_the_cpu_time_of_each_thread() {
    let file = parsed(FORMATS[2].1, &eventful());
    let sum = |profile: &Value| profile["weights"].as_array().unwrap().iter().map(number).sum();
    let totals: Vec<u64> = file["profiles"].as_array().unwrap().iter().map(sum).collect();
    assert_eq!(totals, [4_000_000, 3_605_001, 9_000]);
    assert_eq!(totals.iter().sum::<u64>(), total_ns(&eventful()));
    let heaviest = &file["profiles"][0];
    assert_eq!(heaviest["name"], "sh worker-7/8");
    let name = |frame: &Value| file["shared"]["frames"][number(frame) as usize]["name"].clone();
    let stack: Vec<Value> = heaviest["samples"][0].as_array().unwrap().iter().map(name).collect();
    assert_eq!(stack, ["main", "work", "inner"]);
}

#[test]
fn samples_of_speedscope_that_follow_one_another_on_a_path_are_one() {
    let mut builder = Builder::new();
    builder.sample(&["main"], 1).sample(&["main"], 2).sample(&["main", "f"], 3);
    let file = parsed(|p, s, out| crate::speedscope(p, s, false, out), &builder);
    assert_eq!(file["profiles"][0]["weights"].to_string(), "[3,3]");
    assert_eq!(file["profiles"][0]["endValue"], 6);
}

#[test]
fn weights_of_firefox_are_milliseconds() {
    let file = parsed(crate::firefox, &eventful());
    let threads = file["threads"].as_array().unwrap();
    let sum = |thread: &Value| -> f64 {
        assert_eq!(thread["samples"]["weightType"], "tracing-ms");
        thread["samples"]["weight"].as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).sum()
    };
    let total: f64 = threads.iter().map(sum).sum();
    assert!((total * 1e6 - total_ns(&eventful()) as f64).abs() < 1.0, "{total}");
    assert_eq!(threads[2]["pid"], "7");
    assert_eq!(threads[2]["frameTable"]["inlineDepth"].to_string(), "[0,0,1]");
    assert_eq!(file["libs"][0]["breakpadId"], "ABABABABABABABABABABABABABABABAB0");
}

#[test]
fn durations_of_chrome_are_cpu_time_and_calls_are_nested() {
    let file = parsed(crate::chrome, &eventful());
    let mut open: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut roots_us = 0.0;
    for event in file["traceEvents"].as_array().unwrap() {
        let stack = open.entry(number(&event["tid"])).or_default();
        match event["ph"].as_str().unwrap() {
            "B" => stack.push(event["ts"].as_f64().unwrap()),
            "E" => {
                let begin = stack.pop().expect("a call that ends has begun");
                let duration = event["ts"].as_f64().unwrap() - begin;
                assert!(duration >= 0.0);
                roots_us += if stack.is_empty() { duration } else { 0.0 };
            }
            _ => {}
        }
    }
    assert!(open.values().all(Vec::is_empty));
    assert!((roots_us * 1000.0 - total_ns(&eventful()) as f64).abs() < 1.0, "{roots_us}");
}

#[test]
fn a_call_goes_on_while_ticks_come_a_little_late() {
    let mut builder = Builder::new();
    for time_ns in [10_000, 20_500, 31_000, 90_000] {
        builder.sample(&["main"], 10_000);
        builder.profile.samples.last_mut().unwrap().time_ns = time_ns;
    }
    let file = parsed(crate::chrome, &builder);
    let events = file["traceEvents"].as_array().unwrap();
    let times: Vec<f64> = events.iter().filter_map(|event| event["ts"].as_f64()).collect();
    assert_eq!(times, [0.0, 30.0, 80.0, 90.0]);
}

#[test]
fn costs_of_callgrind_are_the_cpu_time_once() {
    let text = String::from_utf8(written(FORMATS[5].1, &eventful())).unwrap();
    let (mut own, mut is_call) = (0, false);
    for line in text.lines() {
        if let Some((first, cost)) = line.split_once(' ')
            && first.bytes().all(|byte| byte.is_ascii_digit())
        {
            own += if is_call { 0 } else { cost.parse::<u64>().unwrap() };
        }
        is_call = line.starts_with("calls=");
    }
    assert_eq!(own, total_ns(&eventful()));
    assert!(text.contains(&format!("\nsummary: {own}\n")), "{text}");
}

#[test]
fn callgrind_has_the_lines_of_inlined_code_and_the_functions_around_it() {
    let mut builder = Builder::new();
    builder.sample(&["main", "work => inner"], 5);
    let symbols = Symbols::new(
        (0..2u32)
            .map(|id| {
                let mut frames = builder.symbols().frames(sigspy_model::LocationId(id)).to_vec();
                for (line, frame) in (7..).zip(&mut frames) {
                    frame.file = Some(format!("{}.c", frame.function).into());
                    frame.line = Some(line);
                }
                frames
            })
            .collect(),
    );
    let mut out = Vec::new();
    crate::callgrind(&builder.profile, &symbols, false, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(") work\nfi=(4) inner.c\n7 5\n"), "{text}");
    assert!(!text.contains(") inner\n"), "{text}");
    assert!(
        text.contains(") main.c\nfn=(5) main\ncob=(0)\ncfi=(2)\ncfn=(1)\ncalls=1 0\n7 5\n"),
        "{text}"
    );
}

#[test]
fn a_function_that_calls_itself_has_its_time_once() {
    let mut builder = Builder::new();
    builder.sample(&["main", "f", "f", "g", "f", "leaf"], 10);
    let mut out = Vec::new();
    crate::callgrind(&builder.profile, &builder.symbols(), false, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("calls=1").count(), 3, "{text}"); // main to f, g to f, f to leaf
}

#[test]
fn pprof_is_gzip_with_all_names() {
    let bytes = written(crate::pprof, &eventful());
    let mut raw = Vec::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut raw).unwrap();
    let has = |text: &str| raw.windows(text.len()).any(|window| window == text.as_bytes());
    for text in ["[lost]", "[unsampled]", "inner", "[waiting]", "nanoseconds", "/usr/bin/app"] {
        assert!(has(text), "{text}");
    }
    assert!(has(&"ab".repeat(20)));
}

#[test]
fn json_has_samples_as_they_are() {
    let file = parsed(crate::json, &eventful());
    assert_eq!((&file["format"], &file["version"]), (&"sigspy".into(), &1.into()));
    let samples = file["samples"].as_array().unwrap();
    assert_eq!(samples.len(), eventful().profile.samples.len());
    let sum: u64 = samples.iter().map(|sample| number(&sample["weight_ns"])).sum();
    assert_eq!(sum, number(&file["quality"]["total_ns"]));
    let stack = &file["stacks"][number(&samples[0]["stack"]) as usize];
    let name = |frame: &Value| file["frames"][number(frame) as usize]["function"].clone();
    let names: Vec<Value> = stack["frames"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(names, ["leaf", "inner", "work", "main"]);
    assert_eq!(samples[1]["waiting"], true);
}

#[test]
fn markdown_is_short_and_names_cannot_break_it() {
    let mut builder = eventful();
    let names: Vec<String> = (0..500).map(|i| format!("{}|`{i}", "long".repeat(100))).collect();
    for depth in 1..names.len() {
        let path: Vec<&str> = names[..depth].iter().map(String::as_str).collect();
        builder.sample(&path, 10_000);
    }
    let mut out = Vec::new();
    crate::markdown(&builder.profile, &builder.symbols(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.len() < 30_000, "{} bytes", text.len());
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ")).collect();
    assert_eq!(rows.len(), 32);
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}
