//! Everything that sigspy says to people, on standard error.

use std::error::Error;
use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What was done.
pub fn note(text: &str) {
    eprintln!("sigspy: {text}");
}

/// What may matter.
pub fn warning(text: &str) {
    eprintln!("sigspy: warning: {text}");
}

/// What went wrong, with its causes.
pub fn error(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    eprintln!("sigspy: error: {text}");
}

/// A bar on a terminal, nothing elsewhere. Shows itself only if the work takes a while.
pub fn progress(what: &'static str) -> ProgressBar {
    let target = match stderr().is_terminal() {
        true => ProgressDrawTarget::stderr_with_hz(10),
        false => ProgressDrawTarget::hidden(),
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}
