//! Names as people say them: without type arguments, parameters and numbers of closures.
//!
//! What is left still tells a function from others: its path, the type and the trait that it
//! belongs to. Functions that differ in type arguments alone become one.
//! ```text
//! <alloc::vec::Vec<u8> as core::ops::drop::Drop>::drop      <alloc::vec::Vec as Drop>::drop
//! app::run::<u8>::{closure#0}                               app::run::{{closure}}
//! std::vector<int, std::allocator<int> >::push_back(int&&)  std::vector::push_back
//! ```
//! Names come from untrusted files. Each is read once from left to right, and one that makes no
//! sense stays as it is.

mod cpp;
mod rust;

use std::borrow::Cow;

use sigspy_model::{Language, Symbols};

/// Brackets within brackets; names that nest deeper stay as they are.
const DEEPEST: usize = 32;

/// Gives all functions names that are easy to read. Names of C and of compiled code stay.
pub fn readable(symbols: Symbols) -> Symbols {
    symbols.renamed(|name, language| match readable_name(name, language) {
        Cow::Borrowed(_) => None,
        Cow::Owned(name) => Some(name),
    })
}

/// One name, as by [`readable`].
pub fn readable_name(name: &str, language: Language) -> Cow<'_, str> {
    let short = match language {
        Language::Rust => rust::readable(name),
        Language::Cpp => cpp::readable(name),
        Language::Plain => None,
    };
    match short.filter(|short| !short.is_empty() && short != name) {
        Some(short) => short.into(),
        None => name.into(),
    }
}

/// Where the brackets that `text` begins with end: the index behind the last. `None` if they
/// do not, or nest too deep.
fn behind_brackets(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    let mut before = '\0';
    for (index, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close && !(c == '>' && is_arrow(before)) {
            depth -= 1;
        }
        match depth {
            0 => return Some(index + c.len_utf8()),
            DEEPEST.. => return None,
            _ => before = c,
        }
    }
    None
}

/// Whether `>` behind `before` is the head of an arrow. Legacy names of Rust have a dot there.
fn is_arrow(before: char) -> bool {
    matches!(before, '-' | '.')
}

/// Whether `c` may be part of a name.
fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_make_no_sense_or_nest_too_deep_stay_as_they_are() {
        let deep = format!("f{}x{}", "<".repeat(5000), ">".repeat(5000));
        let wide = "<a as b>::".repeat(1500);
        for language in [Language::Rust, Language::Cpp] {
            for name in ["", "<", ">", "a<b", "a>", "<a as b", "{", "a}", "(", "a(b", ")", &deep] {
                assert_eq!(readable_name(name, language), name);
            }
            let _ = readable_name(&wide, language); // does not take long, and does not panic
        }
    }

    #[test]
    fn any_name_gets_one_that_is_not_much_longer() {
        const PARTS: [&str; 24] = [
            "<",
            ">",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            "::",
            " as ",
            " for ",
            "<impl ",
            "dyn ",
            " + ",
            "->",
            "operator",
            "drop_in_place",
            "{closure#0}",
            "{{closure}}",
            " const",
            "&",
            "é",
            "a",
            ",",
        ];
        let mut random = 1_u64;
        for _ in 0..50_000 {
            let mut next = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((random >> 33) % below) as usize
            };
            let name: String = (0..=next(12)).map(|_| PARTS[next(PARTS.len() as u64)]).collect();
            for language in [Language::Rust, Language::Cpp] {
                let short = readable_name(&name, language);
                assert!(!short.is_empty() && short.len() <= 2 * name.len(), "{name}: {short}");
            }
        }
    }

    #[test]
    fn names_without_a_structure_stay_as_they_are() {
        for name in ["main", "py::<module>:/app/main.py", "LazyCompile:~f(int) x.js:1"] {
            assert_eq!(readable_name(name, Language::Plain), name);
        }
    }
}
