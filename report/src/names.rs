//! Names of frames as numbers, so that stacks are small and compare quickly.
//!
//! Names come from the program and its files. Here they become fit to be shown: one line, no
//! control characters, never empty.

use std::borrow::Cow;
use std::collections::HashMap;

/// The name of a frame without one.
const UNKNOWN: &str = "[unknown]";

/// Index of a name in its [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(u32);

impl NameId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A frame of a path: a name, and whether the compiler had put the function into its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(u32);

impl FrameId {
    const INLINED: u32 = 1 << 31;

    pub fn name(self) -> NameId {
        NameId(self.0 & !Self::INLINED)
    }

    pub fn is_inlined(self) -> bool {
        self.0 & Self::INLINED != 0
    }

    pub fn inlined(name: NameId) -> Self {
        Self(name.0 | Self::INLINED)
    }
}

impl From<NameId> for FrameId {
    fn from(name: NameId) -> Self {
        Self(name.0)
    }
}

/// Each distinct name once.
#[derive(Default)]
pub struct Names<'a> {
    ids: HashMap<Cow<'a, str>, NameId>,
    names: Vec<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// The number of a name, which is made fit to be shown.
    pub fn id(&mut self, name: impl Into<Cow<'a, str>>) -> NameId {
        let name = presentable(name);
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let id = NameId(self.names.len() as u32);
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    pub fn unknown(&mut self) -> NameId {
        self.id(UNKNOWN)
    }

    /// Panics on an id of other names.
    pub fn get(&self, id: NameId) -> &str {
        &self.names[id.index()]
    }

    /// The name of a frame, marked as by `perf report` if it was inlined.
    pub fn frame(&self, frame: FrameId) -> Cow<'_, str> {
        let name = self.get(frame.name());
        if frame.is_inlined() { format!("{name} (inlined)").into() } else { name.into() }
    }

    pub fn ids(&self) -> impl Iterator<Item = NameId> + use<> {
        (0..self.names.len() as u32).map(NameId)
    }

    /// All names, by id.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// How many names there are; every id is less.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The place of each name, by id, when names are sorted as text.
    pub fn ranks(&self) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..self.names.len() as u32).collect();
        sorted.sort_unstable_by_key(|id| &self.names[*id as usize]);
        let mut ranks = vec![0; sorted.len()];
        for (rank, id) in sorted.into_iter().enumerate() {
            ranks[id as usize] = rank as u32;
        }
        ranks
    }
}

/// `name` in one line, without control characters, and not empty.
pub fn presentable<'a>(name: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let name = name.into();
    if name.is_empty() || name.trim().len() != name.len() || name.contains(unfit) {
        let fit = name.replace(unfit, "\u{fffd}");
        let fit = fit.trim();
        return if fit.is_empty() { UNKNOWN.into() } else { fit.to_owned().into() };
    }
    name
}

/// Breaks a line, or has no place in XML, which cannot even express it escaped.
fn unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// `name` as one frame of a folded stack, whose frames end at `;` and whose line ends with a
/// space and a number. Semicolons (in Rust: `[u8; 8]`) become colons, as in `stackcollapse-perf.pl`.
/// A name that itself ends with a space and a number, or starts as a comment would, gets a
/// no-break space there.
pub fn folded(name: &str) -> Cow<'_, str> {
    let mut name = Cow::Borrowed(name);
    if name.contains(';') {
        name = name.replace(';', ":").into();
    }
    if name.starts_with("# ") {
        name = name.replacen(' ', "\u{a0}", 1).into();
    }
    match name.rsplit_once(' ') {
        Some((rest, last)) if last.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            format!("{rest}\u{a0}{last}").into()
        }
        _ => name,
    }
}

/// `name` in at most `width` characters: the middle gives way, as a long name begins with its
/// crate and ends with its method.
pub fn shortened(name: &str, width: usize) -> Cow<'_, str> {
    let length = name.chars().count();
    if length <= width {
        return name.into();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let mut short: String = name.chars().take(head).collect();
    short.push('…');
    short.extend(name.chars().skip(length - tail));
    short.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_have_one_number() {
        let mut names = Names::default();
        let first = names.id("main");
        assert_eq!(names.id(String::from("main")), first);
        assert_ne!(names.id("other"), first);
        assert_eq!(names.get(first), "main");
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn a_name_is_one_line_without_control_characters() {
        let mut names = Names::default();
        let mut shown = |name: &'static str| {
            let id = names.id(name);
            names.get(id).to_owned()
        };
        assert_eq!(shown("a\nb\x1b[31m"), "a\u{fffd}b\u{fffd}[31m");
        assert_eq!(shown("a\u{2028}b\u{ffff}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(shown("  padded "), "padded");
        assert_eq!(shown(""), UNKNOWN);
        assert_eq!(shown("   "), UNKNOWN);
    }

    #[test]
    fn a_folded_name_can_be_told_from_its_surroundings() {
        let table = [
            ("plain", "plain"),
            ("f(int, char)", "f(int, char)"),
            ("<[u8; 8] as T>::f", "<[u8: 8] as T>::f"),
            ("shard 12", "shard\u{a0}12"),
            ("version 1.5", "version\u{a0}1.5"),
            ("# comment", "#\u{a0}comment"),
        ];
        for (name, expected) in table {
            assert_eq!(folded(name), expected);
        }
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abc…fg");
        assert_eq!(shortened("äöüäöü", 3), "ä…ü");
        assert_eq!(shortened("abc", 0), "…");
    }

    #[test]
    fn ranks_follow_the_alphabet() {
        let mut names = Names::default();
        for name in ["c", "a", "b"] {
            names.id(name);
        }
        assert_eq!(names.ranks(), [2, 0, 1]);
    }
}
