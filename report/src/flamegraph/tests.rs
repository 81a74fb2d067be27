//! Graphs of made-up profiles.

use std::time::{Duration, Instant};

use super::*;
use crate::made_up::Builder;
use sigspy_model::StackKind;

fn drawn(builder: &Builder, options: &FlameOptions) -> String {
    let mut out = Vec::new();
    flamegraph(&builder.profile, &builder.symbols(), options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What the tooltips of all frames called `name` say: `(12,345 µs, 1.23%)`.
fn tips<'s>(svg: &'s str, name: &str) -> Vec<&'s str> {
    let start = format!("<title>{name} (");
    let tips = svg.split(&start).skip(1);
    tips.map(|rest| rest.split(")</title>").next().unwrap()).collect()
}

#[test]
fn a_frame_says_its_cpu_time() {
    let mut builder = Builder::new();
    builder.sample(&["main", "work"], 300_000_000).sample(&["main"], 100_000_000);
    let svg = drawn(&builder, &FlameOptions::default());
    assert_eq!(tips(&svg, "all"), ["400,000 µs, 100%"]);
    assert_eq!(tips(&svg, "main"), ["400,000 µs, 100.00%"]);
    assert_eq!(tips(&svg, "work"), ["300,000 µs, 75.00%"]);
}

#[test]
fn title_and_subtitle_say_what_was_recorded_and_how_well() {
    let mut builder = Builder::new();
    builder.sample(&["main"], 300_000_000);
    let svg = drawn(&builder, &FlameOptions::default());
    assert!(svg.contains(">./app --fast</text>"));
    let line = quality(&builder.profile).to_string();
    assert!(svg.contains(&format!(">{line}</text>")), "{line}");
    let (title, subtitle) = (Some("A & B".to_owned()), Some("nightly\0".to_owned()));
    let svg = drawn(&builder, &FlameOptions { title, subtitle, threads: true });
    assert!(
        svg.contains(">A &amp; B</text>") && svg.contains(&format!(">nightly\u{fffd}; {line}<"))
    );
    assert_eq!(tips(&svg, "app-1/1").len(), 1);
}

#[test]
fn names_cannot_break_the_file() {
    let mut builder = Builder::new();
    builder.sample(&["<T as U>::f", "a && b", "[u8; 8]", "two\nlines", "shard 12"], 1_000);
    let svg = drawn(&builder, &FlameOptions::default());
    let names =
        ["&lt;T as U&gt;::f", "a &amp;&amp; b", "[u8: 8]", "two\u{fffd}lines", "shard\u{a0}12"];
    for name in names {
        assert_eq!(tips(&svg, name), ["1,000 ns, 100.00%"], "{name}");
    }
}

#[test]
fn a_function_whose_name_continues_another_does_not_split_it() {
    let mut builder = Builder::new();
    builder.sample(&["f", "g"], 1_000).sample(&["f"], 1_000).sample(&["f const"], 1_000);
    assert_eq!(tips(&drawn(&builder, &FlameOptions::default()), "f"), ["2,000 ns, 66.67%"]);
}

#[test]
fn narrow_frames_leave_their_time_to_their_callers() {
    let mut builder = Builder::new();
    builder.sample(&["main", "work"], 100_000_000);
    for i in 0..100 {
        builder.sample(&["main", &format!("tiny{i}")], 5_000);
        builder.sample(&[&format!("root{i}")], 5_000);
    }
    let svg = drawn(&builder, &FlameOptions::default());
    assert!(!svg.contains("<title>tiny") && !svg.contains("<title>root"));
    assert_eq!(tips(&svg, "all"), ["101,000 µs, 100%"]);
    assert_eq!(tips(&svg, "main"), ["100,500 µs, 99.50%"]);
    assert_eq!(tips(&svg, "[not drawn]"), ["500 µs, 0.50%"]);
    assert!(svg.contains("; below 0.01 % not drawn</text>"));
}

#[test]
fn what_is_no_function_is_grey_and_functions_keep_their_colours() {
    let mut builder = Builder::new();
    builder.sample(&["main"], 1_000).stackless(StackKind::Lost, 1_000);
    let colour = |svg: &str, name: &str| {
        let rest = svg.split(&format!("<title>{name} (")).nth(1).unwrap();
        rest.split("fill=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let first = drawn(&builder, &FlameOptions::default());
    assert_eq!(colour(&first, "[lost]"), "rgb(190,190,190)");
    builder.sample(&["another"], 5_000);
    let second = drawn(&builder, &FlameOptions::default());
    assert_eq!(colour(&first, "main"), colour(&second, "main"));
}

/// 200,000 distinct stacks of 20 to 59 frames, none of them rare enough to be dropped for
/// that alone.
fn many_stacks() -> Builder {
    let mut builder = Builder::new();
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let names: Vec<String> =
        (0..5_000).map(|i| format!("some_crate::some_module::function_{i:05}")).collect();
    let locations = builder.locations(&names);
    for _ in 0..200_000 {
        let depth = 20 + next(40);
        let stack = (0..depth).map(|level| {
            // Few choices near the root (the last location), many near the leaf.
            let choices = if level + 12 > depth { 3 } else { 5_000 };
            locations[next(choices) as usize]
        });
        builder.walked(stack.collect(), 10_000_000);
    }
    builder
}

#[test]
fn the_file_is_small_however_many_stacks_there_are() {
    let builder = many_stacks();
    let start = Instant::now();
    let svg = drawn(&builder, &FlameOptions::default());
    let took = start.elapsed();
    assert!(svg.len() <= LARGEST, "{} bytes", svg.len());
    assert!(svg.len() > LARGEST / 10, "{} bytes: more could have been drawn", svg.len());
    assert!(svg.contains("% not drawn</text>"));
    assert_eq!(tips(&svg, "all"), ["2,000,000 ms, 100%"]);
    // Generous: this is a debug build on a machine that may be busy.
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_deep_recursion_fits_the_image_a_browser_can_draw() {
    let mut builder = Builder::new();
    builder.sample(&vec!["'recurse'".repeat(1000).as_str(); 5_000], 1_000);
    let svg = drawn(&builder, &FlameOptions::default());
    assert!(svg.len() <= LARGEST, "{} bytes", svg.len());
    assert!(svg.contains("; deeper than 1500 not drawn</text>"));
    let height = svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(height.parse::<u32>().unwrap() < 32_767, "{height}");
}

#[test]
fn nothing_to_draw_is_an_error() {
    let mut builder = Builder::new();
    let draw = |builder: &Builder| {
        let options = FlameOptions::default();
        flamegraph(&builder.profile, &builder.symbols(), &options, &mut Vec::new())
    };
    assert!(matches!(draw(&builder), Err(Error::NoSamples)));
    builder.stackless(StackKind::Unsampled, 1_000);
    assert!(matches!(draw(&builder), Err(Error::NoSamples)));
}
