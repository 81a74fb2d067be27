//! A flame graph of a profile, as the flags say.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use sigspy_model::Language;
use sigspy_report::{self as report, FlameOptions};

use crate::args::Drawing;
use crate::error::Error;
use crate::named::Named;
use crate::sink::{STDOUT, Sink};
use crate::{message, output, post_process};

/// Draws a profile into `sink`, which was created at `path`, and shows it if that was asked for.
pub fn draw(named: Named, drawing: Drawing, mut sink: Sink, path: &Path) -> Result<(), Error> {
    for flag in drawing.habits.needless() {
        message::note(&format!("{flag} is not needed here"));
    }
    let open = drawing.open;
    let named = named.named_as(&drawing.naming);
    let Named { profile, symbols } = match &drawing.post_process {
        Some(command) => post_process::through(command, &named)?,
        None => named,
    };
    report::flamegraph(&profile, &symbols, &options(drawing), &mut sink)?;
    sink.finish(output::SVG_MARK)?;
    if path != Path::new(STDOUT) {
        message::note(&format!("wrote {}", path.display()));
        if open {
            show(path);
        }
    }
    Ok(())
}

fn options(drawing: Drawing) -> FlameOptions {
    FlameOptions {
        title: drawing.title,
        subtitle: drawing.subtitle,
        notes: drawing.notes,
        threads: drawing.threads,
        palette: drawing.palette,
        inverted: drawing.inverted,
        reversed: drawing.reverse,
        chart: drawing.flamechart,
        least_percent: drawing.min_width,
        image_width: drawing.image_width,
        begin_at: drawing.skip_after.iter().flat_map(|name| spellings(name)).collect(),
    }
}

/// A function as it may be called in the graph: as it was given, and as it is shown then.
fn spellings(name: &str) -> [String; 3] {
    let shown = |language| report::readable_name(name, language).into_owned();
    [name.to_owned(), shown(Language::Rust), shown(Language::Cpp)]
}

/// Opens a file in a browser, which is not waited for. No browser is started as root: it would
/// leave files of root in a home folder, and most refuse.
fn show(path: &Path) {
    let file = path.display();
    if geteuid().is_root() {
        return message::note(&format!("--open starts no browser as root; open {file} yourself"));
    }
    let browser = env::var_os("BROWSER").filter(|browser| !browser.is_empty());
    let browser = browser.unwrap_or_else(|| OsString::from("xdg-open"));
    let mut command = Command::new(&browser);
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sigspy_collector::leave_limit_as_it_was(&mut command);
    if let Err(error) = command.spawn() {
        let browser = browser.display();
        message::warning(&format!("cannot open {file} by {browser}: {error}; set BROWSER"));
    }
}
