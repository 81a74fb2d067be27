//! A flame graph that any browser can open: SVG by inferno, never larger than [`LARGEST`].
//!
//! The size of such a file, and the time a browser needs for it, follow the number of frames
//! drawn. Frames that are too narrow to be seen are left out; their time stays with their
//! callers, which keep their width. Should the file still be too large, more are left out. The
//! subtitle says where the line was drawn.

#[cfg(test)]
mod tests;

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
    names::shortened(&names::presentable(title), LONGEST_NAME / 2).into_owned()
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
    options.subtitle = Some(names::presentable(subtitle).into_owned());
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
