//! Names of functions that stay the same when a program is built again.
//!
//! Compilers put hashes, ordinals and the names of their optimisations into symbols. A change
//! anywhere in a program changes them, and a function would seem to vanish and another to appear.
//! Names are made of text that programs brought along: everything here is one pass over it, without
//! recursion.

mod cpp;
mod rust;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use sigspy_model::{Frame, Language};

/// What to do with the arguments of generic functions and templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generics {
    /// `Vec<u8>::push` and `Vec<u16>::push` are one function, and so are overloads. Only this is
    /// stable with Rust's older mangling, which tells them apart by a hash.
    #[default]
    Merge,
    /// They are two.
    Keep,
}

/// Stands for all code of a module that has no name.
pub const UNKNOWN: &str = "?";

/// What the compilers add for a part or a copy of a function, with a number or without.
const SUFFIXES: [&str; 2] = ["cold", "localalias"];
/// What they add with a number alone: `clone` and `part` without one are names.
const NUMBERED: [&str; 6] = ["part", "isra", "constprop", "lto_priv", "llvm", "clone"];

/// The canonical name of the function of a frame.
pub fn canonical(frame: &Frame, generics: Generics) -> String {
    let name = without_suffixes(&frame.function);
    if is_address(name) {
        return UNKNOWN.to_owned();
    }
    match language(frame.language, name) {
        Language::Rust => rust::canonical(name, generics),
        Language::Cpp => cpp::canonical(name, generics),
        Language::Plain => compiled_at_run_time(name).into_owned(),
    }
}

/// The crate that the canonical name of a Rust function starts with: that of its type, or that of
/// the trait if the type is built in.
pub fn crate_of(name: &str, language: Language) -> Option<&str> {
    if self::language(language, name) != Language::Rust {
        return None;
    }
    let end = name.find("::")?;
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let start = name[..end].rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
    match &name[start..end] {
        "" => crate_of_trait(name),
        one if BUILT_IN.contains(&one) => None,
        one => Some(one),
    }
}

/// Types of Rust that are in no crate.
const BUILT_IN: [&str; 18] = [
    "str", "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64", "_",
];

/// As [`crate_of`], of `<[T] as krate::Trait>::function`.
fn crate_of_trait(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once(" as ")?;
    rest.split_once("::").map(|(first, _)| first).filter(|first| !first.is_empty())
}

/// What a name is written in, as far as that can be told from its looks where nothing else says so:
/// names that were imported are only text.
fn language(known: Language, name: &str) -> Language {
    let is_python = name.starts_with("py::");
    if known != Language::Plain || is_python || !name.contains("::") {
        return known;
    }
    let of_rust = ["{{", "{closure", "{impl#", " as ", "<impl "];
    match of_rust.iter().any(|part| name.contains(part)) || rust::has_hash(name) {
        true => Language::Rust,
        false => Language::Cpp,
    }
}

/// `main.part.3.cold` and `main() [clone .part.3] [clone .cold]` are `main`.
fn without_suffixes(name: &str) -> &str {
    let name = without_all(name, without_clone);
    let start = without_all(name, without_suffix);
    // Languages with dots in their paths have functions of such names.
    let is_path = start.contains(['.', '/']) && !start.contains("::");
    if is_path { name } else { start }
}

fn without_all(name: &str, without_one: fn(&str) -> Option<&str>) -> &str {
    std::iter::successors(Some(name), |name| without_one(name)).last().unwrap_or(name)
}

/// Demanglers put suffixes into brackets.
fn without_clone(name: &str) -> Option<&str> {
    [(" [clone .", "]"), (" (.", ")")]
        .into_iter()
        .find_map(|(open, close)| Some(name.strip_suffix(close)?.rsplit_once(open)?.0))
}

fn without_suffix(name: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (start, last) = name.rsplit_once('.')?;
    let numbered = start.rsplit_once('.').filter(|_| is_number(last));
    let start = match numbered {
        Some((start, word)) if SUFFIXES.contains(&word) || NUMBERED.contains(&word) => start,
        _ if SUFFIXES.contains(&last) => start,
        _ => return None,
    };
    Some(start).filter(|start| !start.is_empty())
}

/// `module+0x1f40` and `[anon]`: a place that nothing names.
fn is_address(name: &str) -> bool {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let offset = name.rsplit_once("+0x").is_some_and(|(_, offset)| is_hex(offset));
    let address = name.strip_prefix("0x").is_some_and(is_hex);
    offset || address || matches!(name, "" | "[anon]" | "[unknown]")
}

/// `LazyCompile:*work /app/main.js:12:3` without the mark of the compiler that was at work, which
/// depends on the time, and without line and column.
fn compiled_at_run_time(name: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(name);
    for mark in [":*", ":~", ":^", ":+"] {
        if shown.contains(mark) {
            shown = shown.replacen(mark, ":", 1).into();
        }
    }
    if !shown.contains('/') {
        return shown;
    }
    let end = shown.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':').len();
    match shown[end..].starts_with(':') {
        true => shown[..end].to_owned().into(),
        false => shown,
    }
}
