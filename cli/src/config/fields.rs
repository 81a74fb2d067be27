//! The keys of one table, each read by name.

use sigspy_compare::check::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{SettingsFile, advice};
use crate::error::Error;

/// A table of which all keys have to be read before it is finished.
pub struct Fields<'a> {
    file: &'a SettingsFile<'a>,
    name: &'static str,
    table: &'a DeTable<'a>,
    start: usize,
    /// What was asked for.
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The table `name`, which begins at an offset of the file.
    pub fn new(
        file: &'a SettingsFile<'a>,
        name: &'static str,
        table: &'a DeTable<'a>,
        start: usize,
    ) -> Self {
        Self { file, name, table, start, known: Vec::new() }
    }

    /// A key without which the table says nothing.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        read(self, key)?.ok_or_else(|| {
            let problem = format!("{} has no `{key}`; add one", self.title());
            self.file.problem(self.start, problem)
        })
    }

    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::String(text)) => Ok(Some(text.as_ref().to_owned())),
            Some(_) => Err(self.problem(key, format!("`{key}` takes a text"))),
        }
    }

    pub fn number(&mut self, key: &'static str) -> Result<Option<f64>, Error> {
        let text = match self.value(key) {
            None => return Ok(None),
            Some(DeValue::Integer(number)) => number.as_str(),
            Some(DeValue::Float(number)) => number.as_str(),
            Some(_) => "",
        };
        let number = text.parse().map_err(|_| self.problem(key, format!("`{key}` takes a number")));
        number.map(Some)
    }

    /// A text or a day of TOML.
    pub fn date(&mut self, key: &'static str) -> Result<Option<Date>, Error> {
        let text = match self.value(key) {
            Some(DeValue::Datetime(day)) => Some(day.to_string()),
            _ => self.text(key)?,
        };
        let date = text.map(|text| text.parse()).transpose();
        date.map_err(|error: sigspy_compare::check::BadDate| self.problem(key, error.to_string()))
    }

    /// A list of pairs; none if it is not there.
    pub fn pairs(&mut self, key: &'static str) -> Result<Vec<[String; 2]>, Error> {
        let value = self.value(key);
        let no_pairs = || self.problem(key, format!("`{key}` takes pairs: [[\"old\", \"new\"]]"));
        match value {
            None => Ok(Vec::new()),
            Some(DeValue::Array(pairs)) => {
                pairs.iter().map(|it| pair(it.get_ref()).ok_or_else(no_pairs)).collect()
            }
            Some(_) => Err(no_pairs()),
        }
    }

    /// What is wrong with a key.
    pub fn problem(&self, key: &str, problem: String) -> Error {
        let start = self.entry(key).map_or(self.start, |(start, _)| start);
        self.file.problem(start, problem)
    }

    /// Fails if there is a key that nobody has asked for.
    pub fn finish(self) -> Result<(), Error> {
        let is_known = |key: &str| self.known.contains(&key);
        match self.table.keys().find(|key| !is_known(key.get_ref())) {
            None => Ok(()),
            Some(key) => {
                let advice = advice(key.get_ref(), self.known.iter().copied());
                let problem = format!("{} has no key `{}`; {advice}", self.title(), key.get_ref());
                Err(self.file.problem(key.span().start, problem))
            }
        }
    }

    fn title(&self) -> String {
        if self.name == "names" { "[names]".to_owned() } else { format!("[[{}]]", self.name) }
    }

    fn value(&mut self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.known.push(key);
        self.entry(key).map(|(_, value)| value)
    }

    fn entry(&self, key: &str) -> Option<(usize, &'a DeValue<'a>)> {
        let entry = self.table.iter().find(|(name, _)| name.get_ref() == key);
        entry.map(|(name, value)| (name.span().start, value.get_ref()))
    }
}

fn pair(value: &DeValue<'_>) -> Option<[String; 2]> {
    let DeValue::Array(pair) = value else { return None };
    let text = |value: &Spanned<DeValue<'_>>| Some(value.get_ref().as_str()?.to_owned());
    match &pair[..] {
        [from, to] => Some([text(from)?, text(to)?]),
        _ => None,
    }
}
