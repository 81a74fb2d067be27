//! The packages of a workspace and what can be built of them, as `cargo metadata` tells.

use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;

use super::handover::{Site, code};
use crate::args::Build;
use crate::error::Error;

/// The members of a workspace.
#[derive(Debug, Default, Deserialize)]
pub struct Workspace {
    pub packages: Vec<Package>,
    /// Ids of the packages that cargo means when it is told none.
    #[serde(default)]
    workspace_default_members: Vec<String>,
    #[serde(default)]
    pub workspace_root: PathBuf,
    #[serde(default)]
    pub target_directory: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
pub struct Package {
    pub name: String,
    id: String,
    pub targets: Vec<Target>,
}

/// A library or program that cargo can build.
#[derive(Debug, Default, Deserialize)]
pub struct Target {
    pub name: String,
    kind: Vec<String>,
    /// It has unit tests, or is one.
    #[serde(default)]
    pub test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Lib,
    Bin,
    Example,
    Test,
    Bench,
}

impl Workspace {
    /// Asks cargo, which says itself what is wrong: [`Error::Cargo`].
    pub fn read(site: &Site, build: &Build) -> Result<Self, Error> {
        let mut cargo = site.cargo();
        cargo.args(["metadata", "--no-deps", "--format-version=1"]).args(build.of_workspace());
        cargo.stderr(Stdio::inherit());
        let output = cargo.output().map_err(Error::NoCargo)?;
        if !output.status.success() {
            return Err(Error::Cargo(code(output.status)));
        }
        serde_json::from_slice(&output.stdout).map_err(Error::CargoMetadata)
    }

    /// The packages that cargo means when it is told none.
    pub fn defaults(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_default_members.contains(&package.id))
    }
}

impl Target {
    pub fn is(&self, kind: Kind) -> bool {
        let is = |name: &str| self.kind.iter().any(|kind| kind == name);
        match kind {
            Kind::Lib => {
                ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"].into_iter().any(is)
            }
            Kind::Bin => is("bin"),
            Kind::Example => is("example"),
            Kind::Test => is("test"),
            Kind::Bench => is("bench"),
        }
    }

    /// Libraries are known by the names of their packages, too.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.replace('-', "_") == name.replace('-', "_")
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A workspace of packages, each with a flag that it is a default member and with its targets:
    /// `kind name`.
    pub fn made_up(packages: &[(&str, bool, &[&str])]) -> Workspace {
        let mut workspace = Workspace::default();
        for (name, is_default, targets) in packages {
            let id = format!("path+file:///w/{name}#0.1.0");
            if *is_default {
                workspace.workspace_default_members.push(id.clone());
            }
            let target = |text: &&str| {
                let (kind, name) = text.split_once(' ').unwrap();
                Target { name: name.to_owned(), kind: vec![kind.to_owned()], test: true }
            };
            let targets = targets.iter().map(target).collect();
            workspace.packages.push(Package { name: (*name).to_owned(), id, targets });
        }
        workspace
    }

    #[test]
    fn what_cargo_says_is_understood() {
        let json = r#"{"packages":[{"name":"app","id":"path+file:///app#0.1.0","version":"0.1.0",
            "targets":[{"kind":["bin"],"crate_types":["bin"],"name":"app","test":true}]}],
            "workspace_default_members":["path+file:///app#0.1.0"],"version":1}"#;
        let workspace: Workspace = serde_json::from_str(json).unwrap();
        let package = workspace.defaults().next().unwrap();
        assert_eq!(package.name, "app");
        assert!(package.targets[0].is(Kind::Bin));
        assert!(!package.targets[0].is(Kind::Lib));
    }
}
