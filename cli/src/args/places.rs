//! Where names come from.

use std::path::PathBuf;

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
pub struct Places {
    /// Look for programs, libraries and their debug files in this folder, too (repeatable)
    #[arg(long = "symbol-dir", value_name = "DIR")]
    pub symbol_dirs: Vec<PathBuf>,
}
