//! What files of settings may set.

use clap::{Arg, ArgAction};

use super::Owner;
use crate::command_line;

/// Commands that do the same everywhere.
pub const WITHOUT_SETTINGS: [&str; 7] =
    ["agent", "busy", "collect", "completions", "doctor", "help", "man"];

/// What a project may set. A flag that is not here is for the user alone: it could run something,
/// replace or place a file, or tell others what is profiled.
pub const HARMLESS: [&str; 42] = [
    "clock",
    "confirm",
    "delay",
    "duration",
    "fail-on-loss",
    "false-discoveries",
    "flamechart",
    "follow",
    "format",
    "freq",
    "full-names",
    "image-width",
    "inconclusive",
    "inverted",
    "limit",
    "max-depth",
    "min-cost",
    "min-effect",
    "min-width",
    "mono",
    "must-see",
    "no-inline",
    "normalize",
    "notes",
    "only",
    "palette",
    "percent-limit",
    "quality",
    "reverse",
    "runs",
    "signal",
    "skip-after",
    "source-prefix",
    "start-paused",
    "subtitle",
    "symbol-dir",
    "threads",
    "title",
    "toggle-signal",
    "unit",
    "warm-up",
    "work",
];

/// The commands that can have a table.
pub fn commands() -> Vec<String> {
    let command = command_line::command();
    let names = command.get_subcommands().filter(|command| !command.is_hide_set());
    let names = names.map(|command| command.get_name().to_owned());
    names.filter(|name| !WITHOUT_SETTINGS.contains(&name.as_str())).collect()
}

/// The flags of a command that can be set by somebody.
pub fn of(command: &str) -> Vec<Arg> {
    let whole = command_line::command();
    let command = whole.find_subcommand(command);
    let arguments = command.into_iter().flat_map(clap::Command::get_arguments);
    arguments.filter(|argument| can_be_set(argument)).cloned().collect()
}

/// A flag that is known by a long name, shown in help, and particular to the command.
fn can_be_set(argument: &Arg) -> bool {
    let is_help = matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    );
    argument.get_long().is_some()
        && !argument.is_hide_set()
        && !argument.is_global_set()
        && !is_help
}

/// Whether the owner of a file may set a flag.
pub fn is_permitted(owner: Owner, key: &str) -> bool {
    owner == Owner::User || HARMLESS.contains(&key)
}

/// The name that was meant, if one is near.
pub fn nearest<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.8;
    let near = right.into_iter().map(|name| (strsim::jaro_winkler(wrong, name), name));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= NEAR).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longs() -> Vec<String> {
        let flags = commands().into_iter().flat_map(|command| of(&command));
        flags.filter_map(|flag| flag.get_long().map(str::to_owned)).collect()
    }

    #[test]
    fn all_that_is_harmless_exists() {
        let longs = longs();
        for key in HARMLESS {
            assert!(longs.iter().any(|long| long == key), "no command has --{key}");
        }
    }

    #[test]
    fn a_project_can_neither_run_nor_write_nor_send_anything() {
        for key in ["output", "input", "force", "open", "post-process", "debuginfod"] {
            assert!(!is_permitted(Owner::Project, key), "{key}");
        }
    }

    #[test]
    fn what_was_meant_is_guessed() {
        assert_eq!(nearest("frequ", ["freq", "clock"]), Some("freq"));
        assert_eq!(nearest("symbol_dir", ["signal", "symbol-dir"]), Some("symbol-dir"));
        assert_eq!(nearest("xyz", ["freq", "clock"]), None);
    }
}
