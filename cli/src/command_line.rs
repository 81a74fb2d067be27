//! From the words of the command line to [`Arguments`].

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use crate::args::{Arguments, Color, Command, Global};
use crate::config::{self, Setting};
use crate::error::{Error, reason};
use crate::output;

/// What people type.
pub const NAME: &str = "sigspy";

/// The command line as clap knows it. A flag that is given again replaces what was said before.
pub fn command() -> clap::Command {
    Arguments::command().mut_subcommands(|command| command.args_override_self(true))
}

/// Understands `words` again, with defaults from files of settings.
pub fn add_settings(words: &[OsString], arguments: Arguments) -> Result<Arguments, Error> {
    let matches = command().try_get_matches_from(words);
    let matches = matches.map_err(|error| Error::Usage(Box::new(error)))?;
    match matches.subcommand_name().filter(|name| config::applies_to(name)) {
        Some(name) => with_settings(words, Some(name), name, &arguments.global, parse),
        None => Ok(arguments),
    }
}

/// Understands `words` with the settings for `command`, which go behind the word `behind`, or
/// behind the program. Flags that `parse` does not know are for another command of that name.
pub fn with_settings<A>(
    words: &[OsString],
    behind: Option<&str>,
    command: &str,
    global: &Global,
    parse: impl Fn(&[OsString]) -> Result<A, clap::Error>,
) -> Result<A, Error> {
    let with = |settings: &[Setting]| {
        let (before, after) = words.split_at(1 + behind.map_or(0, |name| place_of(name, words)));
        let flags: Vec<OsString> = settings.iter().flat_map(|one| one.words.clone()).collect();
        parse(&[before, &flags, after].concat())
    };
    let mut settings = config::settings_of(command, global)?;
    settings.retain(|one| {
        let parsed = with(std::slice::from_ref(one));
        !parsed.is_err_and(|error| error.kind() == ErrorKind::UnknownArgument)
    });
    with(&settings).map_err(|error| {
        let wrong = settings.iter().find_map(|one| {
            let reason = reason(&with(std::slice::from_ref(one)).err()?);
            Some(Error::Config { file: one.file.clone(), line: one.line, problem: reason })
        });
        wrong.unwrap_or_else(|| Error::Usage(Box::new(error)))
    })
}

/// Where the name of the command is.
fn place_of(name: &str, words: &[OsString]) -> usize {
    let is_it = |index: &usize| words[*index] == name && !is_value(words, *index);
    (1..words.len()).find(is_it).unwrap_or(0)
}

/// Whether a word is the value of a flag that all commands have.
fn is_value(words: &[OsString], index: usize) -> bool {
    words[index - 1] == "--config" || words[index - 1] == "--color"
}

/// The word that stands where the name of the command should be.
pub fn name_in(words: &[OsString]) -> Option<&OsString> {
    let is_flag = |index: usize| words[index].as_encoded_bytes().starts_with(b"-");
    let is_name = |index: &usize| !is_flag(*index) && !is_value(words, *index);
    (1..words.len()).find(is_name).map(|index| &words[index])
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
    fn the_command_is_known_even_if_its_flags_are_not() {
        let table = [
            ("sigspy check --bad", Some("check")),
            ("sigspy -q --color always check --bad", Some("check")),
            ("sigspy --config check record --bad", Some("record")),
            ("sigspy --color=always", None),
        ];
        for (line, name) in table {
            assert_eq!(name_in(&words(line)), name.map(OsString::from).as_ref(), "{line}");
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
