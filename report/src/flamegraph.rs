//! A flame graph that any browser can open: SVG by inferno, never larger than [`LARGEST`].
//!
//! The size of such a file, and the time a browser needs for it, follow the number of frames
//! drawn. Frames that are too narrow to be seen are left out; their time stays with their
//! callers, which keep their width. Should the file still be too large, more are left out. The
//! subtitle says where the line was drawn.

use std::io::Write;

use inferno::flamegraph::color::{BasicPalette, Color, Palette, PaletteMap};
use inferno::flamegraph::{self as inferno_graph, Options, TextTruncateDirection};
use sigspy_model::{Profile, Symbols};

use crate::error::Error;
use crate::names::{self, Names};
use crate::paths::{self, Paths, Roots};
use crate::quality::quality;
use crate::tree::Tree;

/// Size of an SVG file: bytes.
const LARGEST: usize = 5_000_000;
/// Bytes of an SVG file for one frame besides its name, as measured, and rounded up.
const FRAME_BYTES: usize = 300;
/// Shares of the total below which frames are left out, in hundredths of a percent. The first is
/// an eighth of a pixel on a screen 1200 wide.
const SHARES: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 10_001];
const WHOLE: u64 = 10_000;
/// Frames on one path. Browsers do not draw images higher than 32767 pixels, 16 for a frame.
const DEEPEST: usize = 1500;
/// Characters of a name.
const LONGEST_NAME: usize = 240;
/// Stands for root frames that were left out.
const NOT_DRAWN: &str = "[not drawn]";
const GREY: Color = Color { r: 190, g: 190, b: 190 };

/// How a flame graph is drawn.
#[derive(Clone, Debug, Default)]
pub struct FlameOptions {
    /// The command line if `None`.
    pub title: Option<String>,
    /// Stands before the quality of the profile, which is always there.
    pub subtitle: Option<String>,
    /// Starts each stack with its thread: `name-pid/tid`.
    pub threads: bool,
}

/// Draws a profile. A function has the same colour in all graphs. Fails with
/// [`Error::NoSamples`] when no stack was recorded, and when the writer does.
pub fn flamegraph(
    profile: &Profile,
    symbols: &Symbols,
    options: &FlameOptions,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let quality = quality(profile);
    let paths = Paths::new(profile, symbols, Roots::of(profile, options.threads));
    if quality.samples == 0 || paths.total_ns() == 0 {
        return Err(Error::NoSamples);
    }
    let frames = Labels::new(&paths.names);
    let mut tree = Tree::new(&paths, least_ns(paths.total_ns(), SHARES[0]), DEEPEST);
    let mut svg = Vec::new();
    for share in SHARES {
        tree.prune(least_ns(tree.total_ns, share));
        if frames.estimate(&tree) > LARGEST {
            continue;
        }
        let subtitle =
            [options.subtitle.clone(), Some(quality.to_string()), left_out(&tree, share)];
        let subtitle = subtitle.into_iter().flatten().collect::<Vec<_>>().join("; ");
        svg = draw(&tree, &frames, title(profile, options), subtitle)?;
        if svg.len() <= LARGEST {
            break;
        }
    }
    Ok(out.write_all(&svg)?)
}

/// The least CPU time that is at least `share` of the total.
fn least_ns(total_ns: u64, share: u64) -> u64 {
    let least = (u128::from(total_ns) * u128::from(share)).div_ceil(u128::from(WHOLE));
    u64::try_from(least).unwrap_or(u64::MAX)
}

/// What the subtitle says about frames that are not drawn.
fn left_out(tree: &Tree, share: u64) -> Option<String> {
    let percent = share as f64 / 100.0;
    let small = tree.pruned.then(|| format!("below {percent} % not drawn"));
    let deep = tree.cut.then(|| format!("deeper than {DEEPEST} not drawn"));
    let all: Vec<_> = small.into_iter().chain(deep).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn title(profile: &Profile, options: &FlameOptions) -> String {
    let title = options.title.clone().unwrap_or_else(|| profile.meta.argv.join(" "));
    let mut names = Names::default();
    let id = names.id(title);
    names::shortened(names.get(id), LONGEST_NAME / 2).into_owned()
}

/// Names as they are drawn, by id.
struct Labels(Vec<String>);

impl Labels {
    fn new(names: &Names<'_>) -> Self {
        let label = |name| names::folded(&names::shortened(name, LONGEST_NAME)).into_owned();
        Self(names.iter().map(label).collect())
    }

    /// About how many bytes the SVG file will have.
    fn estimate(&self, tree: &Tree) -> usize {
        tree.nodes.iter().map(|node| FRAME_BYTES + self.0[node.name.index()].len()).sum()
    }

    /// Folded stacks with CPU time in nanoseconds, in the order of the tree.
    fn lines(&self, tree: &Tree) -> Vec<String> {
        let mut lines = Vec::new();
        let mut stack = String::new();
        let mut ends = Vec::new(); // where each frame of `stack` ends
        for node in &tree.nodes {
            ends.truncate(node.depth);
            stack.truncate(ends.last().copied().unwrap_or(0));
            if !stack.is_empty() {
                stack.push(';');
            }
            stack.push_str(&self.0[node.name.index()]);
            ends.push(stack.len());
            if node.own_ns > 0 {
                lines.push(format!("{stack} {}", node.own_ns));
            }
        }
        let rest = tree.rootless_ns();
        lines.extend((rest > 0).then(|| format!("{NOT_DRAWN} {rest}")));
        lines
    }
}

fn draw(tree: &Tree, labels: &Labels, title: String, subtitle: String) -> Result<Vec<u8>, Error> {
    let lines = labels.lines(tree);
    let mut greys = greys();
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(subtitle);
    (options.count_name, options.factor) = unit(tree.total_ns);
    options.colors = Palette::Basic(BasicPalette::Hot);
    options.deterministic = true;
    options.palette_map = Some(&mut greys);
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.min_width = 0.0; // the tree is pruned already
    // A chart is a graph whose lines stay in their (reversed) order. Sorted as text, `f const`
    // comes between `f` and `f;g`, and `f` would be drawn twice.
    options.flame_chart = true;
    let mut svg = Vec::new();
    let lines = lines.iter().rev().map(String::as_str);
    inferno_graph::from_lines(&mut options, lines, &mut svg).map_err(Error::Draw)?;
    Ok(svg)
}

/// The unit of times and what a nanosecond is in it. Times are drawn as whole numbers, so they
/// should be large ones.
fn unit(total_ns: u64) -> (String, f64) {
    match total_ns {
        0..100_000_000 => ("ns".to_owned(), 1.0),
        100_000_000..100_000_000_000 => ("µs".to_owned(), 1e-3),
        _ => ("ms".to_owned(), 1e-6),
    }
}

/// Frames that are no functions are grey.
fn greys() -> PaletteMap {
    let mut greys = PaletteMap::default();
    for name in paths::STACKLESS.into_iter().chain(paths::INCOMPLETE).chain([NOT_DRAWN]) {
        greys.insert(name, GREY);
    }
    greys
}

#[cfg(test)]
mod tests {
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
        let (title, subtitle) = (Some("A & B".to_owned()), Some("nightly".to_owned()));
        let svg = drawn(&builder, &FlameOptions { title, subtitle, threads: true });
        assert!(svg.contains(">A &amp; B</text>") && svg.contains(&format!(">nightly; {line}<")));
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
}
