//! The `cargo sigspy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    sigspy_cli::cargo_main()
}
