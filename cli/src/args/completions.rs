//! `sigspy completions` and `sigspy man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

pub const COMPLETIONS_HELP: &str = "\
Examples:
  sigspy completions bash > ~/.local/share/bash-completion/completions/sigspy
  sigspy completions zsh > \"${fpath[1]}/_sigspy\"
  sigspy completions fish > ~/.config/fish/completions/sigspy.fish";

pub const MAN_HELP: &str = "\
Example:
  sigspy man ~/.local/share/man/man1 && man sigspy-record";

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that is to complete commands and flags
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The folder that gets a page for each command
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Replace existing files
    #[arg(long)]
    pub force: bool,
}
