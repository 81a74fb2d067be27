//! Names of Rust functions, as both manglings give them.

use super::Generics;
use super::scan::{after_bracket, segments};

/// Parts of a path that are code inside of a function, or a compiler's way to call it.
const INNER: [&str; 8] = [
    "{{closure}}",
    "{closure",
    "{closure_env",
    "{async_",
    "{coroutine",
    "{{vtable.shim",
    "{shim:",
    "{gen_block",
];

/// Closures belong to the function around them, type arguments are `_`, `<T>::f` and
/// `module::<impl T>::f` are `T::f`.
pub fn canonical(name: &str, generics: Generics) -> String {
    let name = without_hash(name);
    let name = without_ordinals(name);
    let name = arguments(&name, generics);
    let kept: Vec<&str> = segments(&name).into_iter().filter_map(outer).collect();
    let joined = impl_of(&kept).unwrap_or_else(|| kept.join("::"));
    if joined.is_empty() { name } else { joined }
}

/// Whether a name ends with the hash of the older mangling, `::h` and 16 digits.
pub fn has_hash(name: &str) -> bool {
    without_hash(name).len() < name.len()
}

fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((start, hash)) if is_hash(hash) && !start.is_empty() => start,
        _ => name,
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `core[369c8b9e1df8da3a]::f::{closure#3}` is `core::f::{closure}`.
fn without_ordinals(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find(['[', '#']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let digits = from[1..].find(|c: char| !c.is_ascii_hexdigit()).map_or(from.len(), |n| n + 1);
        let number = &from[1..digits];
        let follows = &from[digits..];
        let is_ordinal = from.starts_with('#') && !number.is_empty() && follows.starts_with('}');
        let is_crate =
            from.starts_with('[') && is_disambiguator(number) && follows.starts_with(']');
        rest = match (is_ordinal, is_crate) {
            (true, _) => follows,
            (_, true) => &follows[1..],
            _ => {
                kept.push_str(&from[..1]);
                &from[1..]
            }
        };
    }
    kept.push_str(rest);
    kept
}

/// Up to 16 hexadecimal digits, but no length of an array.
fn is_disambiguator(number: &str) -> bool {
    (12..=16).contains(&number.len())
}

/// The name with its type arguments as they are wanted. The brackets of `<T as Trait>` are none of
/// those: no name stands before them.
fn arguments(name: &str, generics: Generics) -> String {
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        if !is_argument(&kept, from) {
            kept.push('<');
            rest = &from[1..];
            continue;
        }
        let Some(after) = after_bracket(from, 0) else {
            rest = from; // brackets that do not match mean nothing
            break;
        };
        kept.truncate(kept.strip_suffix("::").unwrap_or(&kept).len());
        kept.push_str(match generics {
            Generics::Merge => "<_>",
            Generics::Keep => &from[..after],
        });
        rest = &from[after..];
    }
    kept.push_str(rest);
    kept
}

fn is_argument(before: &str, from: &str) -> bool {
    let follows_path = before.ends_with("::") && !from.starts_with("<impl ");
    follows_path || before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '}'))
}

/// A part of a path without what is inside of a function; `None` if nothing is left.
fn outer(segment: &str) -> Option<&str> {
    let end = segment.find("{{vtable.shim").unwrap_or(segment.len());
    let segment = &segment[..end];
    let is_inner = INNER.iter().any(|inner| segment.starts_with(inner));
    (!is_inner && !segment.is_empty()).then_some(segment)
}

/// `<T>::f`, `module::<impl T>::f` and `module::<impl Trait for T>::f` in their short forms.
fn impl_of(segments: &[&str]) -> Option<String> {
    let at = segments.iter().position(|segment| segment.starts_with('<'))?;
    let inside = segments[at].strip_prefix('<')?.strip_suffix('>')?;
    let rest = segments[at + 1..].iter().flat_map(|segment| ["::", segment]);
    let this = match inside.strip_prefix("impl ") {
        Some(implemented) => match implemented.split_once(" for ") {
            Some((of, this)) => format!("<{this} as {of}>"),
            None => implemented.to_owned(),
        },
        None if at == 0 && !has_as(inside) => inside.to_owned(),
        None => return None,
    };
    Some(rest.fold(this, |name, part| name + part))
}

/// Whether ` as ` stands outside of all brackets.
fn has_as(inside: &str) -> bool {
    let mut at = 0;
    while at < inside.len() {
        let from = &inside.as_bytes()[at..];
        if from.starts_with(b" as ") {
            return true;
        }
        at = match from[0] {
            b'<' | b'(' | b'[' | b'{' => match after_bracket(inside, at) {
                Some(after) => after,
                None => return false,
            },
            _ => at + 1,
        };
    }
    false
}
