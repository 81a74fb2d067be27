//! `sigspy diff`: what has changed between two sides.

use std::path::{Path, PathBuf};

use sigspy_compare::Comparison;
use sigspy_report::{self as report, ComparisonOptions, DiffLayout};

use crate::args::{Diff, DiffFormat, Layout};
use crate::error::Error;
use crate::sink::{STDOUT, Sink};
use crate::{comparing, message, output};

/// Characters of a name.
const NAME_WIDTH: usize = 100;

/// Runs the command.
pub fn run(arguments: &Diff) -> Result<u8, Error> {
    let bases = side(arguments.base.as_deref(), &arguments.bases);
    let news = side(arguments.new.as_deref(), &arguments.news);
    let base = comparing::read(&bases, &arguments.places)?;
    let new = comparing::read(&news, &arguments.places)?;
    // After reading: it may be one of these.
    let mut sink = Sink::create(&arguments.output, arguments.force)?;
    let comparison = Comparison::new(
        &comparing::inputs(&base, arguments.base_work.unwrap_or(1.0)),
        &comparing::inputs(&new, arguments.new_work.unwrap_or(1.0)),
        &comparing::options(&arguments.comparing),
    );
    let options = ComparisonOptions {
        base: label(&bases, "base"),
        head: label(&news, "new"),
        limit: arguments.limit,
        name_width: NAME_WIDTH,
    };
    let mut end = "";
    match arguments.format {
        DiffFormat::Text => report::comparison_text(&comparison.result(), &options, &mut sink)?,
        DiffFormat::Markdown => {
            report::comparison_markdown(&comparison.result(), &options, &mut sink)?;
        }
        DiffFormat::Json => report::comparison_json(&comparison.result(), &mut sink)?,
        DiffFormat::Flamegraph => {
            let layout = match arguments.layout {
                Layout::Union => DiffLayout::Union,
                Layout::Base => DiffLayout::Base,
                Layout::New => DiffLayout::Head,
            };
            report::diff_flamegraph(&comparison, layout, &options, &mut sink)?;
            end = output::SVG_MARK;
        }
    }
    sink.finish(end)?;
    if arguments.output != Path::new(STDOUT) {
        message::note(&format!("wrote {}", arguments.output.display()));
    }
    Ok(0)
}

fn side(one: Option<&Path>, several: &[PathBuf]) -> Vec<PathBuf> {
    one.map(Path::to_owned).into_iter().chain(several.iter().cloned()).collect()
}

/// What a side is called: by its file, if it is one.
fn label(paths: &[PathBuf], several: &str) -> String {
    match paths {
        [one] => one.display().to_string(),
        _ => several.to_owned(),
    }
}
