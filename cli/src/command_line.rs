//! From the words of the command line to [`Arguments`].

use std::ffi::OsString;
use std::path::Path;

use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use crate::args::{Arguments, Color, Command};
use crate::output;

/// What people type.
pub const NAME: &str = "sigspy";

/// The command line as clap knows it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Understands `words`, the first of which is the program.
pub fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let arguments = parse_as_written(words)?;
    match &arguments.command {
        Command::Flamegraph(graph) if graph.command.first().is_some_and(is_recording) => {
            parse_as_written(&with_input(words, graph.command.len()))
        }
        _ => Ok(arguments),
    }
}

fn is_recording(word: &OsString) -> bool {
    output::is_recording(Path::new(word))
}

/// `flamegraph RECORDING OPTION...` as `flamegraph --input=RECORDING OPTION...`: a command takes
/// all words that follow, but nothing that can be executed is a recording. `count` words are taken
/// for the command.
fn with_input(words: &[OsString], count: usize) -> Vec<OsString> {
    let (before, command) = words.split_at(words.len() - count);
    let before = before.strip_suffix(&[OsString::from("--")]).unwrap_or(before);
    let mut input = OsString::from("--input=");
    input.push(&command[0]);
    [before, &[input], &command[1..]].concat()
}

fn parse_as_written(words: &[OsString]) -> Result<Arguments, clap::Error> {
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
    fn options_may_stand_behind_a_recording() {
        let table = [
            (
                "sigspy flamegraph x.sigspy -o y.svg",
                3,
                "sigspy flamegraph --input=x.sigspy -o y.svg",
            ),
            (
                "sigspy flamegraph --reverse -- x.sigspy",
                1,
                "sigspy flamegraph --reverse --input=x.sigspy",
            ),
        ];
        for (line, count, expected) in table {
            assert_eq!(with_input(&words(line), count), words(expected));
        }
    }

    #[test]
    fn color_is_known_before_the_rest_is() {
        assert_eq!(color_of(&words("sigspy --color=never recrod")), Color::Never);
        assert_eq!(color_of(&words("sigspy record --color always --frq")), Color::Always);
        assert_eq!(color_of(&words("sigspy record -- ls --color=always")), Color::Auto);
        assert_eq!(color_of(&words("sigspy --color=blue")), Color::Auto);
    }
}
