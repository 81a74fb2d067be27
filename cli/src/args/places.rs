//! Where names come from.

use std::path::PathBuf;

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
pub struct Places {
    /// Look for programs, libraries and their debug files in this folder, too (repeatable)
    #[arg(long = "symbol-dir", value_name = "DIR", value_parser = folder)]
    pub symbol_dirs: Vec<PathBuf>,
}

/// A folder that is there: nobody would notice otherwise that names do not come from it.
fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such folder".to_owned()) }
}
