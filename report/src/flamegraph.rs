//! A flame graph that any browser can open: SVG by inferno, never larger than [`LARGEST`].
//!
//! The size of such a file, and the time a browser needs for it, follow the number of frames
//! drawn. Frames that are too narrow to be seen are left out; their time stays with their
//! callers, which keep their width. Should the file still be too large, more are left out. The
//! subtitle says where the line was drawn.

mod chart;
mod layout;
mod palette;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Write;

use inferno::flamegraph::color::{Color, PaletteMap};
use inferno::flamegraph::{
    self as inferno_graph, Direction, FuncFrameAttrsMap, Options, TextTruncateDirection,
};
use sigspy_model::{Profile, Symbols};

use crate::error::Error;
use crate::names::{self, FrameId};
use crate::paths::{self, Paths, Roots, Shape};
use crate::quality::quality;
use layout::{Labels, Layout, NOT_DRAWN};
pub use palette::Palette;

/// Size of an SVG file: bytes.
const LARGEST: usize = 5_000_000;
/// Shares of the total below which frames are left out, in percent, if the least one that was
/// asked for makes the file too large.
const SHARES: [f64; 14] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 101.0];
/// Frames on one path. Browsers do not draw images higher than 32767 pixels, 16 for a frame.
const DEEPEST: usize = 1500;
/// Characters of a title.
const LONGEST_TITLE: usize = 120;
const GREY: Color = Color { r: 190, g: 190, b: 190 };
/// Inlined functions are paler.
const PALE: &str = "g_extra=fill-opacity=\"0.6\"";

/// How a flame graph is drawn.
#[derive(Clone, Debug)]
pub struct FlameOptions {
    /// The command line if `None`.
    pub title: Option<String>,
    /// Stands before the quality of the profile, which is always there.
    pub subtitle: Option<String>,
    /// Put into the file as a comment.
    pub notes: Option<String>,
    /// Starts each stack with its thread: `name-pid/tid`.
    pub threads: bool,
    /// Colours.
    pub palette: Palette,
    /// Draws the root at the top.
    pub inverted: bool,
    /// Starts each stack with the function that was running.
    pub reversed: bool,
    /// Draws stacks in the order of time, thread by thread, and does not merge equal ones.
    pub chart: bool,
    /// Frames below this share of the total are left out: percent. The default is an eighth of a
    /// pixel on a screen 1200 wide.
    pub least_percent: f64,
    /// Pixels; that of the window if `None`.
    pub image_width: Option<u32>,
    /// Functions at which stacks begin.
    pub begin_at: Vec<String>,
}

impl Default for FlameOptions {
    fn default() -> Self {
        Self {
            title: None,
            subtitle: None,
            notes: None,
            threads: false,
            palette: Palette::default(),
            inverted: false,
            reversed: false,
            chart: false,
            least_percent: SHARES[0],
            image_width: None,
            begin_at: Vec::new(),
        }
    }
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
    let shape = Shape { begin_at: &options.begin_at, reversed: options.reversed };
    let paths = if options.chart {
        let several = quality.threads > 1; // else nothing shows where one ends and the next begins
        let roots = Roots::of(profile, options.threads || several);
        Paths::in_time(profile, symbols, roots, &shape)
    } else {
        Paths::shaped(profile, symbols, Roots::of(profile, options.threads), &shape)
    };
    let total_ns = paths.total_ns();
    if quality.samples == 0 || total_ns == 0 {
        return Err(Error::NoSamples);
    }
    let labels = Labels::new(&paths.names);
    let mut layout = Layout::new(&paths, options.chart, least_ns(total_ns, options.least_percent));
    let mut svg = Vec::new();
    let larger = SHARES.into_iter().filter(|share| *share > options.least_percent);
    for percent in std::iter::once(options.least_percent).chain(larger) {
        layout.prune(least_ns(total_ns, percent));
        if layout.estimate(&labels) > LARGEST {
            continue;
        }
        let subtitle =
            [options.subtitle.clone(), Some(quality.to_string()), left_out(&layout, percent)];
        let subtitle = subtitle.into_iter().flatten().collect::<Vec<_>>().join("; ");
        svg = draw(&layout, &labels, title(profile, options), subtitle, options)?;
        if svg.len() <= LARGEST {
            break;
        }
    }
    Ok(out.write_all(&svg)?)
}

/// The least CPU time that is at least `percent` of the total, and more than none.
fn least_ns(total_ns: u64, percent: f64) -> u64 {
    ((total_ns as f64 * percent / 100.0).ceil() as u64).max(1)
}

/// What the subtitle says about frames that are not drawn.
fn left_out(layout: &Layout<'_>, percent: f64) -> Option<String> {
    let small = layout.is_pruned().then(|| format!("below {percent} % not drawn"));
    let deep = layout.is_cut().then(|| format!("deeper than {DEEPEST} not drawn"));
    let all: Vec<_> = small.into_iter().chain(deep).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn title(profile: &Profile, options: &FlameOptions) -> String {
    let title = options.title.clone().unwrap_or_else(|| profile.meta.argv.join(" "));
    names::shortened(&names::presentable(title), LONGEST_TITLE).into_owned()
}

fn draw(
    layout: &Layout<'_>,
    labels: &Labels,
    title: String,
    subtitle: String,
    how: &FlameOptions,
) -> Result<Vec<u8>, Error> {
    let lines = layout.lines(labels);
    let mut greys = greys();
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(names::presentable(subtitle).into_owned());
    options.notes = how.notes.as_deref().map(comment).unwrap_or_default();
    (options.count_name, options.factor) = unit(layout.total_ns());
    options.colors = how.palette.colors();
    options.deterministic = true;
    options.palette_map = Some(&mut greys);
    options.func_frameattrs = pale(layout, labels).map_err(Error::Draw)?;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.direction = if how.inverted { Direction::Inverted } else { Direction::Straight };
    options.image_width = how.image_width.map(|pixels| pixels as usize);
    options.min_width = 0.0; // what is too narrow is left out already
    // A chart is a graph whose lines stay in their (reversed) order. Sorted as text, `f const`
    // comes between `f` and `f;g`, and `f` would be drawn twice.
    options.flame_chart = true;
    let mut svg = Vec::new();
    let lines = lines.iter().rev().map(String::as_str);
    inferno_graph::from_lines(&mut options, lines, &mut svg).map_err(Error::Draw)?;
    Ok(svg)
}

/// `text` as the content of a comment in XML, which two hyphens would end.
fn comment(text: &str) -> String {
    let text = names::presentable(text).replace("--", "\u{2013}");
    if text.ends_with('-') { text + " " } else { text }
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

/// Makes the frames of inlined functions paler.
fn pale(layout: &Layout<'_>, labels: &Labels) -> std::io::Result<FuncFrameAttrsMap> {
    let inlined: BTreeSet<FrameId> = layout.frames().filter(|frame| frame.is_inlined()).collect();
    let line = |frame: &FrameId| format!("{}\t{PALE}\n", labels.of(*frame));
    let lines: String = inlined.iter().map(line).collect();
    FuncFrameAttrsMap::from_reader(lines.as_bytes())
}
