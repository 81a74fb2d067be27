//! From what the user wants to have run to what cargo is told. Pure functions on a [`Workspace`].
//!
//! As with `cargo flamegraph`, a name is looked for in the whole workspace if the package in this
//! folder has no such thing, and the only binary of a workspace need not be named.

use std::ffi::OsString;
use std::{error, fmt};

use super::workspace::{Kind, Package, Target, Workspace};
use crate::args::{self, Build, UnitKind};

/// A command of cargo that runs programs, and the flags that say which.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// `run`, `test` or `bench`.
    pub command: &'static str,
    pub flags: Vec<OsString>,
}

/// Why there is nothing to run.
#[derive(Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// Nothing of the workspace is what was asked for. With the flags for what there is.
    Nothing { wanted: String, flags: Vec<String> },
    /// With the flags for each.
    Several { wanted: String, flags: Vec<String> },
}

/// A program of a package.
type Found<'a> = (&'a Package, &'a Target);

/// Chooses one program.
pub fn one(
    target: &args::Target,
    build: &Build,
    workspace: &Workspace,
) -> Result<Choice, NoChoice> {
    let choice = &target.choice;
    let named = [
        (&choice.bin, Kind::Bin),
        (&choice.example, Kind::Example),
        (&choice.test, Kind::Test),
        (&choice.bench, Kind::Bench),
    ];
    if let Some((name, kind)) =
        named.into_iter().find_map(|(name, kind)| Some((name.as_ref()?, kind)))
    {
        return by_name(kind, name, build, workspace);
    }
    if let Some(name) = &choice.unit_test {
        return unit("test", name.as_deref(), target.unit_test_kind, build, workspace);
    }
    if let Some(name) = &choice.unit_bench {
        return unit("bench", name.as_deref(), target.unit_test_kind, build, workspace);
    }
    default(build, workspace)
}

/// Cargo knows best what to say of a name that is not there, and takes patterns for some.
fn by_name(
    kind: Kind,
    name: &str,
    build: &Build,
    workspace: &Workspace,
) -> Result<Choice, NoChoice> {
    let found = find(build, workspace, |target| target.is(kind) && target.name == name);
    if found.len() > 1 {
        let wanted = format!("`{} {name}`", flag(kind));
        return Err(NoChoice::Several { wanted, flags: found.iter().map(with_package).collect() });
    }
    let mut flags = vec![flag(kind).into(), name.into()];
    flags.extend(found.first().into_iter().flat_map(|found| package(found, build)));
    let command = match kind {
        Kind::Bench => "bench",
        Kind::Test | Kind::Lib => "test",
        Kind::Bin | Kind::Example => "run",
    };
    Ok(Choice { command, flags })
}

/// Cargo chooses among the binaries of the packages that it means.
fn default(build: &Build, workspace: &Workspace) -> Result<Choice, NoChoice> {
    let has_binary = |package: &Package| package.targets.iter().any(|one| one.is(Kind::Bin));
    if !build.package.is_empty() || workspace.defaults().any(has_binary) {
        return Ok(Choice { command: "run", flags: Vec::new() });
    }
    let wanted = "binary".to_owned();
    match find(build, workspace, |target| target.is(Kind::Bin)).as_slice() {
        [found] => {
            let mut flags = vec!["--bin".into(), (&found.1.name).into()];
            flags.extend(package(found, build));
            Ok(Choice { command: "run", flags })
        }
        [] => {
            let others = find(build, workspace, |target| !target.is(Kind::Lib));
            Err(NoChoice::Nothing { wanted, flags: others.iter().filter_map(described).collect() })
        }
        several => {
            Err(NoChoice::Several { wanted, flags: several.iter().map(with_package).collect() })
        }
    }
}

fn unit(
    command: &'static str,
    name: Option<&str>,
    kind: Option<UnitKind>,
    build: &Build,
    workspace: &Workspace,
) -> Result<Choice, NoChoice> {
    let is_of_kind = |target: &Target| match kind {
        Some(UnitKind::Lib) => target.is(Kind::Lib),
        Some(UnitKind::Bin) => target.is(Kind::Bin),
        None => target.is(Kind::Lib) || target.is(Kind::Bin),
    };
    let is_wanted = |target: &Target| {
        target.test && is_of_kind(target) && name.is_none_or(|name| target.is_named(name))
    };
    let spell = |found: &Found<'_>| spell_unit(command, found);
    let wanted = format!("--unit-{command} {}", name.unwrap_or_default()).trim().to_owned();
    match find(build, workspace, is_wanted).as_slice() {
        [found] => {
            let mut flags = match found.1.is(Kind::Lib) {
                true => vec!["--lib".into()],
                false => vec!["--bin".into(), (&found.1.name).into()],
            };
            flags.extend(package(found, build));
            Ok(Choice { command, flags })
        }
        [] => {
            let others = find(build, workspace, |target| {
                target.test && (target.is(Kind::Lib) || target.is(Kind::Bin))
            });
            Err(NoChoice::Nothing { wanted, flags: others.iter().map(spell).collect() })
        }
        several => Err(NoChoice::Several { wanted, flags: several.iter().map(spell).collect() }),
    }
}

/// What is wanted, of the packages that are named; else of those that cargo means if told none; else
/// of all.
fn find<'a>(
    build: &Build,
    workspace: &'a Workspace,
    is_wanted: impl Fn(&Target) -> bool,
) -> Vec<Found<'a>> {
    let of = |package: &'a Package| {
        let wanted = package.targets.iter().filter(|target| is_wanted(target));
        wanted.map(|target| (package, target)).collect::<Vec<_>>()
    };
    if !build.package.is_empty() {
        let named = workspace.packages.iter().filter(|one| build.package.contains(&one.name));
        return named.flat_map(of).collect();
    }
    let near: Vec<_> = workspace.defaults().flat_map(of).collect();
    if near.is_empty() { workspace.packages.iter().flat_map(of).collect() } else { near }
}

/// The flags for the package of a program, unless the user has named one.
fn package(found: &Found<'_>, build: &Build) -> Vec<OsString> {
    match build.package.is_empty() {
        true => vec!["--package".into(), (&found.0.name).into()],
        false => Vec::new(),
    }
}

fn flag(kind: Kind) -> &'static str {
    match kind {
        Kind::Lib => "--lib",
        Kind::Bin => "--bin",
        Kind::Example => "--example",
        Kind::Test => "--test",
        Kind::Bench => "--bench",
    }
}

fn with_package((package, target): &Found<'_>) -> String {
    let kinds = [Kind::Bin, Kind::Example, Kind::Test, Kind::Bench];
    let kind = kinds.into_iter().find(|kind| target.is(*kind)).unwrap_or(Kind::Lib);
    format!("{} {} -p {}", flag(kind), target.name, package.name)
}

fn described(found: &Found<'_>) -> Option<String> {
    let kinds = [Kind::Example, Kind::Test, Kind::Bench];
    kinds.into_iter().any(|kind| found.1.is(kind)).then(|| with_package(found))
}

fn spell_unit(command: &str, (package, target): &Found<'_>) -> String {
    let kind = if target.is(Kind::Lib) { "lib" } else { "bin" };
    format!("--unit-{command} {} --unit-test-kind {kind} -p {}", target.name, package.name)
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { wanted, flags } if flags.is_empty() => {
                write!(f, "there is no {wanted} in this workspace, and nothing else to run")
            }
            Self::Nothing { wanted, flags } => {
                write!(f, "there is no {wanted} in this workspace; choose among {}", list(flags))
            }
            Self::Several { wanted, flags } => {
                write!(f, "there is more than one {wanted}; choose among {}", list(flags))
            }
        }
    }
}

impl error::Error for NoChoice {}

/// So many are named.
const MOST_FLAGS: usize = 12;

fn list(flags: &[String]) -> String {
    let mut list: Vec<String> =
        flags.iter().take(MOST_FLAGS).map(|one| format!("`{one}`")).collect();
    if flags.len() > MOST_FLAGS {
        list.push(format!("{} more", flags.len() - MOST_FLAGS));
    }
    list.join(", ")
}

#[cfg(test)]
mod tests;
