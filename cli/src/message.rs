//! Everything that sigspy says to people, on standard error.

use std::env;
use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use clap::builder::styling::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{Color, Global};

/// How things are said, from [`set_up`] on.
#[derive(Clone, Copy, Default)]
struct Manner {
    is_quiet: bool,
    is_verbose: bool,
    is_colored: bool,
}

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Decides how things are said. What is said before is neither colored nor left out.
pub fn set_up(wanted: &Global) {
    let Global { quiet, verbose, color, .. } = *wanted;
    let is_colored = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => wants_color(|name| env::var_os(name), stderr().is_terminal()),
    };
    let manner = Manner { is_quiet: quiet, is_verbose: verbose, is_colored };
    let _ = MANNER.set(manner); // the first one counts
}

/// Whether the environment wants color, where nobody has said so.
///
/// Source: <https://no-color.org> and <https://bixense.com/clicolors>.
fn wants_color(variable: impl Fn(&str) -> Option<std::ffi::OsString>, is_terminal: bool) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_forced =
        is_set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let is_dumb = variable("TERM").is_some_and(|value| value == "dumb");
    !is_set("NO_COLOR") && (is_forced || is_terminal && !is_dumb)
}

fn manner() -> Manner {
    MANNER.get().copied().unwrap_or_default()
}

/// What helps to understand the rest, for those who ask for more.
pub fn detail(text: &str) {
    if manner().is_verbose {
        eprintln!("sigspy: {text}");
    }
}

/// What was done.
pub fn note(text: &str) {
    if !manner().is_quiet {
        eprintln!("sigspy: {text}");
    }
}

/// What may matter.
pub fn warning(text: &str) {
    eprintln!("sigspy: {} {text}", painted("warning:", AnsiColor::Yellow));
}

/// What went wrong, with its causes.
pub fn error(error: &dyn Error) {
    eprintln!("sigspy: {} {}", painted("error:", AnsiColor::Red), with_causes(error));
}

/// An error in one line: what happened, its causes, what to do.
pub fn with_causes(error: &dyn Error) -> String {
    let text = error.to_string();
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push_str(&format!(": {error}"));
        cause = error.source();
    }
    match text.split_once("; ") {
        Some((happened, remedy)) => format!("{happened}{causes}; {remedy}"),
        None => text + &causes,
    }
}

/// Words in color, where messages have any.
fn painted(words: &str, color: AnsiColor) -> String {
    let style = match manner().is_colored {
        true => Style::new().bold().fg_color(Some(color.into())),
        false => Style::new(),
    };
    format!("{style}{words}{style:#}")
}

/// A bar on a terminal, nothing elsewhere. Shows itself only if the work takes a while.
pub fn progress(what: &'static str) -> ProgressBar {
    let target = match stderr().is_terminal() && !manner().is_quiet {
        true => ProgressDrawTarget::stderr_with_hz(10),
        false => ProgressDrawTarget::hidden(),
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_come_before_what_to_do() {
        let full = || std::io::ErrorKind::StorageFull.into();
        let text = with_causes(&crate::error::Error::ReadConfig("x.toml".into(), full()));
        let expected = "cannot read the settings in x.toml: no storage space; name another file, or say --no-config";
        assert_eq!(text, expected);
        assert_eq!(with_causes(&std::io::Error::other("full")), "full");
    }

    #[test]
    fn color_is_for_terminals_unless_the_environment_says_otherwise() {
        let wanted = |variables: &[(&str, &str)], is_terminal| {
            let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
            wants_color(|name| find(name).map(|(_, value)| value.into()), is_terminal)
        };
        assert!(wanted(&[], true));
        assert!(!wanted(&[], false));
        assert!(!wanted(&[("NO_COLOR", "1")], true));
        assert!(wanted(&[("NO_COLOR", "")], true));
        assert!(!wanted(&[("TERM", "dumb")], true));
        assert!(wanted(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!wanted(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!wanted(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false));
    }
}
