//! Graphs of made-up profiles.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::made_up::Builder;
use sigspy_model::{StackKind, Stop};

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
    let svg = drawn(
        &builder,
        &FlameOptions { title, subtitle, threads: true, ..FlameOptions::default() },
    );
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

/// Where the first box in `text` begins and how wide it is: nanoseconds.
fn extent(text: &str) -> (u64, u64) {
    let number = |attribute: &str| {
        let value = text.split(&format!("{attribute}=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().parse().unwrap()
    };
    (number("fg:x"), number("fg:w"))
}

/// Each frame that is drawn: where it begins and how wide it is, in nanoseconds, and its name.
fn boxes(svg: &str) -> Vec<(u64, u64, &str)> {
    let frame = |text| {
        let (at, width) = extent(text);
        (at, width, text.split(" (").next().unwrap())
    };
    let frames = svg.split("<title>").skip(1).map(frame);
    frames.filter(|(.., name)| *name != "all").collect()
}

#[test]
fn inlined_functions_are_paler_and_say_so() {
    let mut builder = Builder::new();
    builder.sample(&["main", "outer => inner"], 1_000).sample(&["main", "inner"], 1_000);
    let svg = drawn(&builder, &FlameOptions::default());
    assert_eq!(tips(&svg, "inner (inlined)").len(), 1);
    assert!(tips(&svg, "inner").contains(&"1,000 ns, 50.00%"), "{svg}");
    assert_eq!(svg.matches("<g fill-opacity=\"0.6\"><title>inner (inlined) (").count(), 1);
    assert_eq!(svg.matches("<g fill-opacity").count(), 1);
}

#[test]
fn a_chart_keeps_the_order_of_time_and_the_place_of_what_is_too_narrow() {
    let mut builder = Builder::new();
    builder.sample(&["main", "a"], 40_000).sample(&["main", "b"], 10_000);
    builder.sample(&["main", "a"], 20_000).sample(&["main", "a", "c"], 30_000);
    let options = FlameOptions { chart: true, ..FlameOptions::default() };
    let all =
        [(0, 100_000, "main"), (0, 40_000, "a"), (40_000, 10_000, "b"), (50_000, 50_000, "a")];
    let svg = drawn(&builder, &options);
    let mut drawn_boxes = boxes(&svg);
    drawn_boxes.retain(|(.., name)| *name != "c");
    drawn_boxes.sort_by_key(|(at, width, _)| (*at, std::cmp::Reverse(*width)));
    assert_eq!(drawn_boxes, all);
    let svg = drawn(&builder, &FlameOptions { least_percent: 15.0, ..options });
    assert!(boxes(&svg).contains(&(50_000, 50_000, "a")) && !svg.contains("<title>b "), "{svg}");
    assert!(svg.contains("below 15 % not drawn"));
}

#[test]
fn a_chart_of_several_threads_has_one_after_the_other() {
    let mut builder = Builder::new();
    builder.sample(&["main"], 1_000);
    builder.thread("app", 1, "worker", 2).sample(&["run"], 1_000);
    let svg = drawn(&builder, &FlameOptions { chart: true, ..FlameOptions::default() });
    assert!(boxes(&svg).contains(&(0, 1_000, "app-1/1")), "{svg}");
    assert!(boxes(&svg).contains(&(1_000, 1_000, "worker-1/2")), "{svg}");
}

#[test]
fn a_reversed_graph_stands_on_the_functions_that_were_running() {
    let mut builder = Builder::new();
    builder.sample(&["main", "a", "copy"], 1_000).sample(&["main", "b", "copy"], 1_000);
    let svg = drawn(&builder, &FlameOptions { reversed: true, ..FlameOptions::default() });
    assert!(boxes(&svg).contains(&(0, 2_000, "copy")), "{svg}");
    assert!(boxes(&svg).contains(&(1_000, 1_000, "main")), "{svg}");
}

#[test]
fn stacks_begin_where_they_are_asked_to() {
    let mut builder = Builder::new();
    builder.stopped(Stop::NoTable, &["start", "main", "run", "run", "work"], 1_000);
    builder.sample(&["start", "other"], 1_000);
    let options = FlameOptions { begin_at: vec!["run".to_owned()], ..FlameOptions::default() };
    let svg = drawn(&builder, &options);
    assert!(boxes(&svg).contains(&(0, 1_000, "run")), "{svg}");
    assert_eq!(tips(&svg, "run").len(), 1);
    assert!(!svg.contains("incomplete") && svg.contains("<title>start ("), "{svg}");
}

#[test]
fn notes_cannot_break_the_file() {
    let mut builder = Builder::new();
    builder.sample(&["main"], 1_000);
    let notes = Some("built with --release --><script>-".to_owned());
    let svg = drawn(&builder, &FlameOptions { notes, ..FlameOptions::default() });
    assert!(svg.contains("NOTES: built with \u{2013}release \u{2013}&gt;&lt;script&gt;- -->"));
}

#[test]
fn the_image_has_the_width_that_was_asked_for() {
    let mut builder = Builder::new();
    builder.sample(&["main"], 1_000);
    let options =
        FlameOptions { image_width: Some(800), inverted: true, ..FlameOptions::default() };
    assert!(drawn(&builder, &options).contains("width=\"800\""));
}

/// Stacks of up to 20 frames from few functions, so that they recurse and share a lot.
fn random_stacks(seed: u64) -> Builder {
    let mut builder = Builder::new();
    let mut random = seed;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let names: Vec<String> = (0..5).map(|i| format!("f{i} => g{i}")).collect();
    let locations = builder.locations(&names);
    for _ in 0..300 {
        let stack = (0..=next(20)).map(|_| locations[next(5) as usize]).collect();
        builder.walked(stack, 1_000 * (1 + next(50)));
    }
    builder
}

#[test]
fn each_box_stands_on_one_that_is_as_wide_and_none_overlaps_another() {
    for variant in 0..16 {
        let options = FlameOptions {
            chart: variant & 1 > 0,
            reversed: variant & 2 > 0,
            inverted: variant & 4 > 0,
            least_percent: if variant & 8 > 0 { 2.0 } else { 0.0 },
            ..FlameOptions::default()
        };
        let builder = random_stacks(variant + 1);
        let svg = drawn(&builder, &options);
        let mut rows: BTreeMap<i64, Vec<(u64, u64)>> = BTreeMap::new();
        for (row, at, width) in rectangles(&svg) {
            rows.entry(row).or_default().push((at, at + width));
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        if !options.inverted {
            rows.reverse();
        }
        assert_eq!(rows[0], [(0, builder.profile.accounting.total_ns())], "{options:?}");
        rows.iter_mut().for_each(|boxes| boxes.sort_unstable());
        for boxes in &rows {
            assert!(boxes.is_sorted_by(|(_, end), (start, _)| end <= start), "{options:?}");
        }
        for pair in rows.windows(2) {
            let stands = |(start, end): &(u64, u64)| {
                pair[0].iter().any(|(first, last)| first <= start && end <= last)
            };
            assert!(pair[1].iter().all(stands), "{options:?}");
        }
    }
}

/// Row, begin and width of each box.
fn rectangles(svg: &str) -> impl Iterator<Item = (i64, u64, u64)> {
    svg.split("<title>").skip(1).map(|text| {
        let y = text.split(" y=\"").nth(1).unwrap().split('"').next().unwrap();
        let (at, width) = extent(text);
        (y.parse().unwrap(), at, width)
    })
}
