//! What files say about checks: `[[budget]]`, `[[ignore]]`, `[[accept]]` and `[names]`.
//!
//! ```toml
//! [names]
//! rename = [["old::*", "new::*"]]
//!
//! [[budget]]
//! match = "json::*"
//! metric = "self"
//! max-share = 0.1
//!
//! [[ignore]]
//! match = "rayon_core::*"
//! reason = "spins while it waits"
//! until = "2026-12-31"
//!
//! [[accept]]
//! match = "db::flush"
//! up-to = 1.2
//! reason = "writes are durable now"
//! until = "2026-12-31"
//! commit = "abc123"
//! ```

use std::path::Path;

use sigspy_compare::check::{Accept, Budget, Ignore, Metric, Pattern, Rename};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Owner;
use super::fields::Fields;
use super::file::SettingsFile;
use crate::error::Error;

/// Tables that are no defaults of flags.
pub const TABLES: [&str; 4] = ["accept", "budget", "ignore", "names"];

/// All that files say about checks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    pub budgets: Vec<Budget>,
    pub ignored: Vec<Ignore>,
    pub accepted: Vec<Accept>,
    pub renames: Vec<Rename>,
}

impl Rules {
    /// Adds those of one file.
    pub(super) fn add(&mut self, text: &str, path: &Path, owner: Owner) -> Result<(), Error> {
        let file = SettingsFile { text, path, owner };
        let document = file.parse()?;
        let document = document.get_ref();
        self.budgets.extend(each(&file, document, "budget", budget)?);
        self.ignored.extend(each(&file, document, "ignore", ignore)?);
        self.accepted.extend(each(&file, document, "accept", accept)?);
        self.names(&file, document)
    }

    fn names(&mut self, file: &SettingsFile<'_>, document: &DeTable<'_>) -> Result<(), Error> {
        let Some((name, value)) = document.iter().find(|(name, _)| name.get_ref() == "names")
        else {
            return Ok(());
        };
        let DeValue::Table(table) = value.get_ref() else {
            return Err(file.problem(name.span().start, "write it as [names]".to_owned()));
        };
        let mut fields = Fields::new(file, "names", table, name.span().start);
        for [from, to] in fields.pairs("rename")? {
            let (from, to) = (Pattern::new(from), Pattern::new(to));
            if from.stars() < to.stars() {
                let problem = format!(
                    "there is nothing for a `*` of {:?} to stand for; write as many in {:?}",
                    to.as_str(),
                    from.as_str()
                );
                return Err(fields.problem("rename", problem));
            }
            self.renames.push(Rename { from, to });
        }
        fields.finish()
    }
}

/// Reads the tables of an array of tables.
fn each<T>(
    file: &SettingsFile<'_>,
    document: &DeTable<'_>,
    name: &'static str,
    read: impl Fn(&mut Fields<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let Some((key, value)) = document.iter().find(|(key, _)| key.get_ref() == name) else {
        return Ok(Vec::new());
    };
    let no_list = |start| file.problem(start, format!("write it as [[{name}]], once for each"));
    let DeValue::Array(tables) = value.get_ref() else { return Err(no_list(key.span().start)) };
    let one = |table: &Spanned<DeValue<'_>>| {
        let start = table.span().start;
        let DeValue::Table(table) = table.get_ref() else { return Err(no_list(start)) };
        let mut fields = Fields::new(file, name, table, start);
        let one = read(&mut fields)?;
        fields.finish()?;
        Ok(one)
    };
    tables.iter().map(one).collect()
}

fn budget(fields: &mut Fields<'_>) -> Result<Budget, Error> {
    let functions = Pattern::new(fields.required("match", Fields::text)?);
    let metric = match fields.text("metric")?.as_deref() {
        None | Some("self") => Metric::Own,
        Some("total") => Metric::Total,
        Some(_) => {
            let problem = "`metric` is \"self\" or \"total\"".to_owned();
            return Err(fields.problem("metric", problem));
        }
    };
    let max_share = fields.required("max-share", Fields::number)?;
    if !(0.0..=1.0).contains(&max_share) {
        let problem = "`max-share` is from 0 to 1: 0.1 is 10 %".to_owned();
        return Err(fields.problem("max-share", problem));
    }
    Ok(Budget { functions, metric, max_share })
}

fn ignore(fields: &mut Fields<'_>) -> Result<Ignore, Error> {
    Ok(Ignore {
        functions: Pattern::new(fields.required("match", Fields::text)?),
        reason: fields.required("reason", Fields::text)?,
        until: fields.required("until", Fields::date)?,
    })
}

fn accept(fields: &mut Fields<'_>) -> Result<Accept, Error> {
    let functions = Pattern::new(fields.required("match", Fields::text)?);
    let up_to = fields.required("up-to", Fields::number)?;
    if !(1.0..1e6).contains(&up_to) {
        let problem = "`up-to` is how many times the time before: 1.2 is 20 % more".to_owned();
        return Err(fields.problem("up-to", problem));
    }
    Ok(Accept {
        functions,
        up_to,
        commit: fields.text("commit")?,
        reason: fields.required("reason", Fields::text)?,
        until: fields.required("until", Fields::date)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules, String> {
        let mut rules = Rules::default();
        let added = rules.add(text, Path::new("/a/sigspy.toml"), Owner::Project);
        added.map(|()| rules).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_read() {
        let text = "[record]\nfreq = 99\n[names]\nrename = [[\"old::*\", \"new::*\"]]\n\
            [[budget]]\nmatch = \"json::*\"\nmax-share = 0.1\n\
            [[budget]]\nmatch = \"main\"\nmetric = \"total\"\nmax-share = 1\n\
            [[ignore]]\nmatch = \"spin\"\nreason = \"waits\"\nuntil = 2026-12-31\n\
            [[accept]]\nmatch = \"flush\"\nup-to = 1.2\nreason = \"durable\"\n\
            until = \"2026-12-31\"\ncommit = \"abc\"\n";
        let rules = read(text).unwrap();
        assert_eq!(rules.renames[0].renamed("old::f").as_deref(), Some("new::f"));
        let metrics: Vec<Metric> = rules.budgets.iter().map(|budget| budget.metric).collect();
        assert_eq!(metrics, [Metric::Own, Metric::Total]);
        assert_eq!(rules.ignored[0].until.to_string(), "2026-12-31");
        assert_eq!(rules.accepted[0].commit.as_deref(), Some("abc"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let says = |text: &str, words: &str| {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("/a/sigspy.toml:") && error.contains(words), "{error}");
        };
        let ignore = |more: &str| format!("[[ignore]]\nmatch = \"f\"\nreason = \"r\"\n{more}");
        says(&ignore(""), ":1: [[ignore]] has no `until`");
        says(&ignore("until = \"soon\""), ":4: \"soon\" is no day");
        says(&ignore("untill = \"2026-12-31\""), ":1: [[ignore]] has no `until`");
        says(
            &ignore("until = \"2026-12-31\"\nreasn = \"x\""),
            ":5: [[ignore]] has no key `reasn`; did you mean `reason`?",
        );
        says("[[budget]]\nmatch = 1", ":2: `match` takes a text");
        says("[[budget]]\nmatch = \"f\"\nmax-share = 10", ":3: `max-share` is from 0 to 1");
        says("[[budget]]\nmatch = \"f\"\nmax-share = nan", ":3: `max-share` is from 0 to 1");
        says("[[budget]]\nmatch = \"f\"\nmetric = \"all\"", ":3: `metric` is");
        says("[budget]\nmatch = \"f\"", ":1: write it as [[budget]]");
        says("budget = [1]", ":1: write it as [[budget]]");
        says("[names]\nrename = [\"a\"]", ":2: `rename` takes pairs");
        says("[names]\nrename = [[\"a\", \"*\"]]", ":2: there is nothing for a `*`");
        says("[names]\nalias = 1", ":2: [names] has no key `alias`");
    }
}
