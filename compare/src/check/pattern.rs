//! Which functions are meant.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name in which `*` stands for any text: `json::*`. With a `!` it is the module and the
/// function, `libc!mem*`; without, it is the function in any module.
///
/// Brackets and question marks are ordinary, as names are full of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this function is meant.
    pub fn matches(&self, module: &str, function: &str) -> bool {
        match self.0.split_once('!') {
            Some((in_module, name)) => is_like(in_module, module) && is_like(name, function),
            None => is_like(&self.0, function),
        }
    }

    /// What each `*` stands for in `name`; `None` if the pattern does not match it. Takes the
    /// shortest text for all but the last.
    pub(super) fn captures<'a>(&self, name: &'a str) -> Option<Vec<&'a str>> {
        captures(&self.0, name)
    }

    /// The pattern with texts for its `*`.
    pub(super) fn filled(&self, texts: &[&str]) -> String {
        let mut texts = texts.iter();
        let mut filled = String::new();
        for (index, part) in self.0.split('*').enumerate() {
            if index > 0 {
                filled.push_str(texts.next().copied().unwrap_or_default());
            }
            filled.push_str(part);
        }
        filled
    }

    /// How many `*` it has.
    pub fn stars(&self) -> usize {
        self.0.matches('*').count()
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl FromStr for Pattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

fn is_like(pattern: &str, text: &str) -> bool {
    captures(pattern, text).is_some()
}

/// The first place for each part between two stars is as good as any later one, so there is nothing
/// to try twice.
fn captures<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split('*');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty().then(Vec::new) };
    let mut found = Vec::with_capacity(parts.len() + 1);
    for part in parts {
        let (before, after) = rest.split_once(part)?;
        found.push(before);
        rest = after;
    }
    found.push(rest.strip_suffix(last)?);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        let matches = |pattern: &str, name: &str| Pattern::from(pattern).matches("libjson", name);
        assert!(matches("json::parse*", "json::parse_number"));
        assert!(matches("json::parse*", "json::parse"));
        assert!(!matches("json::parse*", "my::json::parse"));
        assert!(matches("*parse*number*", "json::parse::a_number"));
        assert!(!matches("*parse*number", "json::number_parse"));
        assert!(matches("a*a", "aa"));
        assert!(!matches("a*a", "a"));
        assert!(matches("", ""));
        assert!(matches("[lost]", "[lost]"));
        assert!(!matches("Vec<?>", "Vec<u>"));
    }

    #[test]
    fn a_module_can_be_named() {
        let pattern = Pattern::from("libc!mem*");
        assert!(pattern.matches("libc", "memcpy"));
        assert!(!pattern.matches("app", "memcpy"));
        assert!(Pattern::from("*!memcpy").matches("app", "memcpy"));
    }

    #[test]
    fn many_stars_do_not_take_long() {
        let pattern = Pattern::from(&*"*a".repeat(10_000));
        assert!(!pattern.matches("", &"a".repeat(9_999)));
        assert!(pattern.matches("", &"a".repeat(20_000)));
    }
}
