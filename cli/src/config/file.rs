//! One file of settings, as TOML.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use clap::{Arg, ArgAction};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{Owner, PROJECT_FILE, Setting, keys, rules};
use crate::error::Error;

/// The settings for `command` by name; those for others are only checked.
pub fn settings(
    text: &str,
    path: &Path,
    owner: Owner,
    command: &str,
) -> Result<BTreeMap<String, Setting>, Error> {
    let file = SettingsFile { text, path, owner };
    let document = file.parse()?;
    let mut settings = BTreeMap::new();
    for (name, table) in document.get_ref() {
        let of_table = file.table(name, table)?;
        if name.get_ref() == command {
            settings = of_table;
        }
    }
    Ok(settings)
}

/// A file, and where in it a problem is.
pub struct SettingsFile<'a> {
    pub text: &'a str,
    pub path: &'a Path,
    pub owner: Owner,
}

impl<'a> SettingsFile<'a> {
    pub fn parse(&self) -> Result<Spanned<DeTable<'a>>, Error> {
        DeTable::parse(self.text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let message = one_line(error.message());
            self.problem(start, format!("{message}; see https://toml.io for how it is written"))
        })
    }

    fn table(
        &self,
        name: &Spanned<DeString<'_>>,
        table: &Spanned<DeValue<'_>>,
    ) -> Result<BTreeMap<String, Setting>, Error> {
        let command = name.get_ref().as_ref();
        let known = keys::commands();
        if rules::TABLES.contains(&command) {
            return Ok(BTreeMap::new());
        }
        let DeValue::Table(entries) = table.get_ref() else {
            let problem =
                format!("`{command}` stands in no table; put it below one such as [record]");
            return Err(self.problem(name.span().start, problem));
        };
        if !known.iter().any(|one| one == command) {
            let names = known.iter().map(String::as_str);
            let problem =
                format!("[{command}] is no command that has settings; {}", advice(command, names));
            return Err(self.problem(name.span().start, problem));
        }
        let flags = keys::of(command);
        let settings = entries.iter().map(|(key, value)| {
            let setting = self.setting(command, &flags, key, value)?;
            Ok((key.get_ref().clone().into_owned(), setting))
        });
        settings.collect()
    }

    fn setting(
        &self,
        command: &str,
        flags: &[Arg],
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Setting, Error> {
        let (start, name) = (key.span().start, key.get_ref().as_ref());
        let Some(flag) = flags.iter().find(|flag| flag.get_long() == Some(name)) else {
            let names = flags.iter().filter_map(Arg::get_long);
            let advice = advice(name, names);
            return Err(self.problem(start, format!("`{command}` has no flag --{name}; {advice}")));
        };
        if !keys::is_permitted(self.owner, name) {
            let problem = format!(
                "`{name}` is not for a {PROJECT_FILE}, which comes with somebody's project, to set; \
                 put it into your own settings, ~/.config/sigspy/config.toml"
            );
            return Err(self.problem(start, problem));
        }
        let words = self.words(flag, value.get_ref());
        let words = words.map_err(|problem| self.problem(start, format!("`{name}` {problem}")))?;
        Ok(Setting { file: self.path.to_owned(), line: self.line(start), words })
    }

    /// A flag and its value, as on a command line.
    fn words(&self, flag: &Arg, value: &DeValue<'_>) -> Result<Vec<OsString>, &'static str> {
        let long = flag.get_long().unwrap_or_default();
        let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
        match (value, flag.get_action()) {
            (DeValue::Boolean(true), _) if is_switch => Ok(vec![format!("--{long}").into()]),
            (DeValue::Boolean(false), _) if is_switch => Ok(Vec::new()),
            (_, _) if is_switch => Err("is a switch; set it to true or false"),
            (DeValue::Array(values), ArgAction::Append) => {
                values.iter().map(|value| self.word(flag, value.get_ref())).collect()
            }
            (DeValue::Array(_), _) => Err("takes one value; write it without brackets"),
            _ => Ok(vec![self.word(flag, value)?]),
        }
    }

    fn word(&self, flag: &Arg, value: &DeValue<'_>) -> Result<OsString, &'static str> {
        let value: OsString = match value {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| "is a number too large; write a smaller one")?
                .to_string()
                .into(),
            DeValue::Float(number) => number.as_str().into(),
            _ => return Err("takes a text or a number"),
        };
        let is_path = flag.get_value_parser().type_id() == std::any::TypeId::of::<PathBuf>();
        let value = match self.path.parent() {
            Some(folder) if is_path => {
                if self.owner == Owner::Project && !is_below(folder, Path::new(&value)) {
                    return Err("leads out of the project; name a folder below this file");
                }
                folder.join(value).into_os_string()
            }
            _ => value,
        };
        let mut word = OsString::from(format!("--{}=", flag.get_long().unwrap_or_default()));
        word.push(value);
        Ok(word)
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    pub fn problem(&self, offset: usize, problem: String) -> Error {
        Error::Config { file: self.path.to_owned(), line: self.line(offset), problem }
    }
}

/// Whether a path stays below a folder, by its words and by its links.
fn is_below(folder: &Path, path: &Path) -> bool {
    let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    let real = folder.join(path).canonicalize();
    let leaves = || {
        real.is_ok_and(|real| folder.canonicalize().is_ok_and(|folder| !real.starts_with(folder)))
    };
    path.components().all(stays) && !leaves()
}

/// What to do about a wrong name.
pub fn advice<'a>(wrong: &str, right: impl Iterator<Item = &'a str> + Clone) -> String {
    match keys::nearest(wrong, right.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", right.collect::<Vec<_>>().join(", ")),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, owner: Owner) -> Result<Vec<Vec<OsString>>, String> {
        let settings = settings(text, Path::new("/a/sigspy.toml"), owner, "flamegraph");
        let words = |settings: BTreeMap<_, Setting>| settings.into_values().map(|one| one.words);
        settings.map(|settings| words(settings).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_flags_of_a_command() {
        let text = "[record]\nfreq = 49\n\n[flamegraph]\nfreq = 997\nmin-width = 0.5\nthreads = true\n\
                    inverted = false\ntitle = \"nightly run\"\nskip-after = [\"main\", \"run\"]\n";
        let expected = [
            vec!["--freq=997"],
            vec![],
            vec!["--min-width=0.5"],
            vec!["--skip-after=main", "--skip-after=run"],
            vec!["--threads"],
            vec!["--title=nightly run"],
        ];
        assert_eq!(read(text, Owner::Project).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let says = |text: &str, words: &str| {
            let error = read(text, Owner::Project).unwrap_err();
            assert!(error.starts_with("/a/sigspy.toml:") && error.contains(words), "{error}");
        };
        says(
            "[flamegraph]\n\nfreqq = 1",
            ":3: `flamegraph` has no flag --freqq; did you mean `freq`?",
        );
        says(
            "[flamegraf]",
            ":1: [flamegraf] is no command that has settings; did you mean `flamegraph`?",
        );
        says("[record]\nfreq = [1]", ":2: `freq` takes one value");
        says("[record]\nstart-paused = 1", ":2: `start-paused` is a switch");
        says("[record]\nfreq = 1979-05-27", ":2: `freq` takes a text or a number");
        says("freq = 1", ":1: `freq` stands in no table");
        says("[record]\nfreq = 99999999999999999999", ":2: ");
        says("[record\n", ":1: ");
        says("[flamegraph]\nopen = true", ":2: `open` is not for a sigspy.toml");
        says("[flamegraph]\nhelp = true", ":2: `flamegraph` has no flag --help");
    }

    #[test]
    fn a_project_names_folders_of_its_own() {
        let set =
            |folder: &str, owner| read(&format!("[flamegraph]\nsymbol-dir = {folder:?}"), owner);
        assert_eq!(set("./debug/x", Owner::Project).unwrap(), [["--symbol-dir=/a/./debug/x"]]);
        for outside in ["/etc", "../b", "debug/../../b"] {
            let error = set(outside, Owner::Project).unwrap_err();
            assert!(error.contains(":2: `symbol-dir` leads out of the project"), "{error}");
            assert!(set(outside, Owner::User).is_ok());
        }
        let folder = std::env::temp_dir().join(format!("sigspy-below-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/etc", folder.join("link")).unwrap();
        assert!(!is_below(&folder, Path::new("link")) && is_below(&folder, Path::new("other")));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_user_may_set_more_than_a_project() {
        let text = "[flamegraph]\nopen = true\noutput = \"graphs/flame.svg\"";
        let expected = [vec!["--open"], vec!["--output=/a/graphs/flame.svg"]];
        assert_eq!(read(text, Owner::User).unwrap(), expected);
    }
}
