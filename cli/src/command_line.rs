//! From the words of the command line to [`Arguments`].

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use crate::args::{Arguments, Color};

/// What people type.
pub const NAME: &str = "sigspy";

/// The command line as clap knows it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Understands `words`, the first of which is the program.
pub fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let color = match color_of(words) {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let matches = command().color(color).try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches)
}

/// What `--color` says. Help and usage errors are printed before there are [`Arguments`].
fn color_of(words: &[OsString]) -> Color {
    let mut words = words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--");
    let mut color = Color::default();
    while let Some(word) = words.next() {
        let value = match word {
            "--color" => words.next(),
            _ => word.strip_prefix("--color="),
        };
        color = value.and_then(|value| Color::from_str(value, false).ok()).unwrap_or(color);
    }
    color
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn color_is_known_before_the_rest_is() {
        assert_eq!(color_of(&words("sigspy --color=never recrod")), Color::Never);
        assert_eq!(color_of(&words("sigspy record --color always --frq")), Color::Always);
        assert_eq!(color_of(&words("sigspy record -- ls --color=always")), Color::Auto);
        assert_eq!(color_of(&words("sigspy --color=blue")), Color::Auto);
    }
}
