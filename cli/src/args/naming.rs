//! How functions are named: the flags of all commands that show some.

use clap::Args;

#[derive(Debug, Args)]
pub struct Naming {
    /// Leave out inlined functions: their time is that of the functions they were inlined into
    #[arg(long)]
    pub no_inline: bool,
    /// Show names as they are, with type arguments, parameters and numbers of closures
    #[arg(long)]
    pub full_names: bool,
}
