//! Names of C++ functions, as the Itanium mangling and debug information give them.

use super::Generics;
use super::scan::{after_bracket, operator_length, segments};

const ANONYMOUS: &str = "(anonymous namespace)";
/// What a lambda is called by.
const CALLS: [&str; 3] = ["operator()", "_FUN", "__invoke"];
const THUNKS: [&str; 3] =
    ["non-virtual thunk to ", "virtual thunk to ", "covariant return thunk to "];

/// Lambdas belong to the function around them, template arguments are `_`. Parameters are left out
/// with [`Generics::Merge`], as those of a template are its arguments.
pub fn canonical(name: &str, generics: Generics) -> String {
    let name = THUNKS.iter().find_map(|thunk| name.strip_prefix(thunk)).unwrap_or(name);
    let mut kept: Vec<String> = Vec::new();
    let mut in_lambda = false;
    for segment in segments(name) {
        let segment = plain(segment, generics);
        let is_call = CALLS.iter().any(|call| segment.starts_with(call));
        if is_lambda(&segment) || segment.is_empty() {
            in_lambda = true;
        } else if !(in_lambda && is_call) {
            in_lambda = false;
            kept.push(segment);
        }
    }
    if kept.is_empty() { name.to_owned() } else { kept.join("::") }
}

fn is_lambda(segment: &str) -> bool {
    ["{lambda", "'lambda", "$_", "{default arg"].iter().any(|start| segment.starts_with(start))
}

/// A part of a path with its arguments as they are wanted, without ABI tags.
fn plain(segment: &str, generics: Generics) -> String {
    let mut kept = String::with_capacity(segment.len());
    let mut at = 0;
    while at < segment.len() {
        let operator = operator_length(segment, at);
        let rest = &segment[at..];
        let bracket = || after_bracket(segment, at);
        let after = match rest.as_bytes()[0] {
            _ if operator > 0 => at + operator,
            b'(' if rest.starts_with(ANONYMOUS) => at + ANONYMOUS.len(),
            b'<' | b'(' | b'[' | b'{' => bracket().unwrap_or(segment.len()),
            _ => at + rest.chars().next().map_or(1, char::len_utf8),
        };
        let text = &segment[at..after];
        match text.as_bytes()[0] {
            b'<' if generics == Generics::Merge => kept.push_str("<_>"),
            b'(' if generics == Generics::Merge && text != ANONYMOUS => {
                return kept.trim_end().to_owned(); // what follows are qualifiers
            }
            b'[' if text.starts_with("[abi:") => {}
            _ => kept.push_str(text),
        }
        at = after;
    }
    kept.trim_end().to_owned()
}
