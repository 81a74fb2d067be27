//! Settings from files: defaults for the flags of commands, a table for each command.
//!
//! There are two places. The user's own file, `$XDG_CONFIG_HOME/sigspy/config.toml`, may set every
//! flag. `sigspy.toml` in this folder, or above up to the root of the repository, came with
//! somebody's project: it may only set what changes how a program is sampled and how a report looks
//! ([`keys::HARMLESS`]), never what runs, what is sent away, or where is written. The command line
//! has the last word, then the project, then the user. A project that others can write to has no say.

mod fields;
mod file;
mod keys;
mod rules;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::{env, fs};

use crate::args::Global;
use crate::error::Error;
use crate::message;
pub use rules::Rules;

/// The file of a project.
const PROJECT_FILE: &str = "sigspy.toml";
/// Bytes of a file; more is no file of settings.
const LARGEST: u64 = 1 << 20;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    User,
    Project,
}

/// A default for one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub file: PathBuf,
    pub line: usize,
    /// As on a command line; none for a switch that is off.
    pub words: Vec<OsString>,
}

/// Whether the flags of a command have defaults in files.
pub fn applies_to(command: &str) -> bool {
    !keys::WITHOUT_SETTINGS.contains(&command)
}

/// The settings for a command, each flag once.
pub fn settings_of(command: &str, wanted: &Global) -> Result<Vec<Setting>, Error> {
    let mut settings = BTreeMap::new();
    for (path, owner) in files(wanted) {
        let text = read(&path).map_err(|error| Error::ReadConfig(path.clone(), error))?;
        message::detail(&format!("settings are read from {}", path.display()));
        settings.extend(file::settings(&text, &path, owner, command)?);
    }
    Ok(settings.into_values().collect())
}

/// What the files say about checks, the user's first.
pub fn rules(wanted: &Global) -> Result<Rules, Error> {
    let mut rules = Rules::default();
    for (path, owner) in files(wanted) {
        let text = read(&path).map_err(|error| Error::ReadConfig(path.clone(), error))?;
        rules.add(&text, &path, owner)?;
    }
    Ok(rules)
}

/// Files of settings, the most important one last.
fn files(wanted: &Global) -> Vec<(PathBuf, Owner)> {
    if wanted.no_config {
        return Vec::new();
    }
    if let Some(path) = &wanted.config {
        return vec![(path.clone(), Owner::User)];
    }
    let own = user_file().filter(|path| path.exists()).map(|path| (path, Owner::User));
    let here = env::current_dir().ok();
    let project = here.as_deref().and_then(project_file).filter(|path| can_be_trusted(path));
    let project = project.map(|path| (path, Owner::Project));
    own.into_iter().chain(project).collect()
}

/// Whether nobody but us and root can have written a project's file; says so if somebody can.
fn can_be_trusted(file: &Path) -> bool {
    static TOLD: Once = Once::new();
    let folder = file.parent().unwrap_or(Path::new("/"));
    let is_trusted = [file, folder].into_iter().all(|path| fs::metadata(path).is_ok_and(is_ours));
    if !is_trusted {
        TOLD.call_once(|| {
            message::warning(&format!(
                "the settings in {} are not used, as others can write to that file or its folder; \
                 name it with --config if you trust it",
                file.display()
            ));
        });
    }
    is_trusted
}

/// With a umask of 002, a group of one's own may write.
fn is_ours(file: fs::Metadata) -> bool {
    let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let others = if file.gid() == group { 0o002 } else { 0o022 };
    [user, 0].contains(&file.uid()) && file.mode() & others == 0
}

/// `$XDG_CONFIG_HOME/sigspy/config.toml`, or `~/.config/sigspy/config.toml`.
fn user_file() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("sigspy/config.toml"))
}

/// The nearest file from `here` up to the root of the repository. Outside of one, only in `here`:
/// whoever can write to a folder above, such as /tmp, need not be asked.
fn project_file(here: &Path) -> Option<PathBuf> {
    let depth = here.ancestors().position(|folder| folder.join(".git").exists()).unwrap_or(0);
    let files = here.ancestors().take(depth + 1).map(|folder| folder.join(PROJECT_FILE));
    files.into_iter().find(|file| file.exists())
}

fn read(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than a mebibyte"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_project_that_others_can_write_to_is_not_trusted() {
        let folder = env::temp_dir().join(format!("sigspy-trust-{}", std::process::id()));
        let file = folder.join(PROJECT_FILE);
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode));
        for (of_folder, of_file, is_trusted) in [
            (0o755, 0o644, true),
            (0o775, 0o664, true),
            (0o755, 0o646, false),
            (0o757, 0o644, false),
            (0o1777, 0o644, false),
        ] {
            set(&folder, of_folder).unwrap();
            set(&file, of_file).unwrap();
            assert_eq!(can_be_trusted(&file), is_trusted, "{of_folder:o} {of_file:o}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_project_ends_at_the_root_of_its_repository() {
        let root = env::temp_dir().join(format!("sigspy-config-{}", std::process::id()));
        let (repository, deep) = (root.join("repository"), root.join("repository/a/b"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.join(PROJECT_FILE), "").unwrap();
        assert_eq!(project_file(&deep), None);
        fs::create_dir(repository.join(".git")).unwrap();
        assert_eq!(project_file(&deep), None);
        fs::write(repository.join(PROJECT_FILE), "").unwrap();
        assert_eq!(project_file(&deep), Some(repository.join(PROJECT_FILE)));
        assert_eq!(project_file(&root), Some(root.join(PROJECT_FILE)));
        fs::remove_dir_all(&root).unwrap();
    }
}
