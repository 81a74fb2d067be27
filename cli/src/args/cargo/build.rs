//! How a program is built: the flags of cargo that matter, handed on to it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
pub struct Build {
    /// The package with the program
    #[arg(short, long, value_name = "NAME")]
    pub package: Vec<String>,
    /// Features to turn on
    #[arg(short, long, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// Turn on all features
    #[arg(long)]
    pub all_features: bool,
    /// Turn off the default feature
    #[arg(long)]
    pub no_default_features: bool,
    /// Build as with this profile, but with debug lines [default: release]
    #[arg(long, value_name = "PROFILE", conflicts_with = "dev")]
    pub profile: Option<String>,
    /// Build as with the profile dev
    #[arg(long)]
    pub dev: bool,
    /// Build as with the profile release, which is the default
    #[arg(short, long, conflicts_with_all = ["dev", "profile"])]
    pub release: bool,
    /// Build for this target
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// The Cargo.toml to use
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
    /// Keep Cargo.lock as it is
    #[arg(long)]
    pub locked: bool,
    /// Use no network
    #[arg(long)]
    pub offline: bool,
    /// Both
    #[arg(long)]
    pub frozen: bool,
}

impl Build {
    /// Flags that tell cargo where the workspace is and what it may change.
    pub fn of_workspace(&self) -> Vec<OsString> {
        let mut flags = Vec::new();
        option(&mut flags, "--manifest-path", &self.manifest_path);
        let switches =
            [(self.locked, "--locked"), (self.offline, "--offline"), (self.frozen, "--frozen")];
        flags.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag.into()));
        flags
    }

    /// Flags that tell cargo what to build and how, except for the profile.
    pub fn of_packages(&self) -> Vec<OsString> {
        let mut flags = Vec::new();
        option(&mut flags, "--package", &self.package);
        option(&mut flags, "--features", &self.features);
        option(&mut flags, "--target", &self.target);
        flags.extend(self.all_features.then(|| "--all-features".into()));
        flags.extend(self.no_default_features.then(|| "--no-default-features".into()));
        flags
    }

    /// The profile that ours is made from: `usual` if the user has not said.
    pub fn base_profile<'a>(&'a self, usual: &'a str) -> &'a str {
        match &self.profile {
            Some(profile) => profile,
            None if self.dev => "dev",
            None if self.release => "release",
            None => usual,
        }
    }
}

fn option<T: Clone + Into<OsString>>(
    flags: &mut Vec<OsString>,
    name: &str,
    values: impl IntoIterator<Item = T>,
) {
    for value in values {
        flags.extend([name.into(), value.into()]);
    }
}
