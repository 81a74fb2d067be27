//! How a flame graph is drawn: flags that mean what they mean to `cargo flamegraph`.

use std::ffi::OsString;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sigspy_report::Palette;

use super::Naming;

/// Narrower images have no room for names, wider ones are not drawn by browsers: pixels.
const WIDTHS: std::ops::RangeInclusive<i64> = 200..=32_767;

/// How a flame graph is drawn, and what is done with it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Drawing")]
pub struct Drawing {
    /// Title of the flame graph [default: the command line]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Stands below the title, before the quality of the profile
    #[arg(long, value_name = "TEXT")]
    pub subtitle: Option<String>,
    /// Colours
    #[arg(long, value_name = "PALETTE", default_value = "hot", value_parser = palette())]
    pub palette: Palette,
    /// Draw the root at the top, as icicles hang
    #[arg(short, long)]
    pub inverted: bool,
    /// Begin each stack with the function that was running, so that its callers stand on it
    #[arg(long)]
    pub reverse: bool,
    /// Keep the order of time, thread by thread, instead of merging equal stacks
    #[arg(long)]
    pub flamechart: bool,
    /// Leave out frames below this share of the whole, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.01, value_parser = share)]
    pub min_width: f64,
    /// Width of the image [default: that of the window]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(WIDTHS))]
    pub image_width: Option<u32>,
    /// Let stacks begin at this function, where it is in them (may be given several times)
    #[arg(long, value_name = "FUNCTION")]
    pub skip_after: Vec<String>,
    /// Command of the shell that gets the folded stacks, behind their threads, and writes those to draw
    #[arg(long, value_name = "COMMAND", conflicts_with = "flamechart")]
    pub post_process: Option<OsString>,
    /// Text that is put into the file and not shown
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// Start each stack with its thread
    #[arg(short, long)]
    pub threads: bool,
    #[command(flatten)]
    pub naming: Naming,
    /// Show the flame graph in a browser: that of $BROWSER, or of xdg-open
    #[arg(long)]
    pub open: bool,
    #[command(flatten)]
    pub habits: Habits,
}

/// What `perf` and `cargo flamegraph` need and sigspy does not.
#[derive(Debug, Args)]
pub struct Habits {
    /// Colours of functions are always the same.
    #[arg(long, hide = true)]
    deterministic: bool,
    #[arg(long, hide = true, value_name = "FLAGS", num_args = 0..=1, require_equals = true)]
    root: Option<Option<OsString>>,
    #[arg(short, long, hide = true, value_name = "COMMAND")]
    cmd: Option<OsString>,
    #[arg(short = 'g', hide = true)]
    graph: bool,
    #[arg(long, hide = true, value_name = "MODE")]
    call_graph: Option<OsString>,
    #[arg(short = 'z', long, hide = true, value_name = "LEVEL")]
    compression_level: Option<OsString>,
    #[arg(long, hide = true)]
    ignore_status: bool,
}

impl Habits {
    /// The flags that were given and change nothing, as they are written.
    pub fn needless(&self) -> Vec<&'static str> {
        let flags = [
            (self.root.is_some(), "--root"),
            (self.cmd.is_some(), "--cmd"),
            (self.graph, "-g"),
            (self.call_graph.is_some(), "--call-graph"),
            (self.compression_level.is_some(), "--compression-level"),
            (self.ignore_status, "--ignore-status"),
        ];
        flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)).collect()
    }
}

fn palette() -> impl TypedValueParser<Value = Palette> {
    PossibleValuesParser::new(Palette::NAMES).try_map(|name| name.parse::<Palette>())
}

fn share(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "a share in percent, from 0 to 100".to_owned())
}
