//! Names for people: Rust (legacy and v0) and C++ demangled, everything else as it is.
//!
//! Names come from untrusted files. Whatever they hold, the result is free of control
//! characters, takes bounded time, and is no longer than the name or [`LONGEST_DEMANGLED`].

use std::borrow::Cow;
use std::fmt;

use sigspy_model::Language;

/// Longer mangled names are shown as they are: bytes.
const LONGEST_MANGLED: usize = 4096;
/// Longer demangled names are not believed, as substitutions can grow without measure: bytes.
const LONGEST_DEMANGLED: usize = 16 * 1024;
/// Nesting up to which C++ names are parsed; the library's own default, pinned.
const CPP_DEPTH: u32 = 96;

/// The name to show for the raw name of a symbol, and what it is written in. Empty for an empty
/// name.
pub fn demangle(raw: &[u8]) -> (String, Language) {
    let raw = String::from_utf8_lossy(raw);
    let raw = without_version(&raw);
    let mangled = raw.len() <= LONGEST_MANGLED;
    let in_rust = || Some((rust(raw)?, Language::Rust));
    let in_cpp = || Some((cpp(raw)?, Language::Cpp));
    let (name, language) = match mangled.then(|| in_rust().or_else(in_cpp)).flatten() {
        Some((name, language)) => (name.into(), language),
        None => (Cow::Borrowed(raw), Language::Plain),
    };
    (clean(&name).into_owned(), language)
}

/// `text` with every control character and line break replaced.
pub fn clean(text: &str) -> Cow<'_, str> {
    let unfit = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(unfit) {
        Cow::Owned(text.replace(unfit, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// `memcpy@@GLIBC_2.14` without what follows the first `@`.
fn without_version(raw: &str) -> &str {
    match raw.find('@') {
        Some(at) if at > 0 => &raw[..at],
        _ => raw,
    }
}

fn rust(raw: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(raw).ok()?;
    // The alternate form leaves the hash out.
    bounded(|out| fmt::write(out, format_args!("{name:#}")))
}

fn cpp(raw: &str) -> Option<String> {
    if !raw.starts_with("_Z") {
        return None;
    }
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(CPP_DEPTH);
    let show = cpp_demangle::DemangleOptions::new().no_return_type().recursion_limit(CPP_DEPTH);
    let symbol = cpp_demangle::Symbol::new_with_options(raw, &parse).ok()?;
    bounded(|out| symbol.structured_demangle(out, &show))
}

/// `None` also for nothing: `_ZNE` is a Rust path without a part.
fn bounded(write: impl FnOnce(&mut Bounded) -> fmt::Result) -> Option<String> {
    let mut out = Bounded(String::new());
    write(&mut out).ok().map(|()| out.0).filter(|name| !name.is_empty())
}

/// A string that refuses to outgrow [`LONGEST_DEMANGLED`].
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST_DEMANGLED {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_by_the_rules_of_their_language() {
        let table = [
            // Rust, legacy: without the hash
            (
                "_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
                "core::fmt::Formatter::write_str",
            ),
            ("_ZN5alloc3vec12Vec$LT$T$GT$4push17h0123456789abcdefE", "alloc::vec::Vec<T>::push"),
            ("_ZN3app4work17h0123456789abcdefE.llvm.8437", "app::work"),
            // Rust, v0: without crate disambiguators
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"),
            // C++: parameters, no return type
            ("_ZN5space3fooEibc", "space::foo(int, bool, char)"),
            ("_Z3addIiET_S0_S0_", "add<int>(int, int)"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
            // everything else
            ("main", "main"),
            ("memcpy@@GLIBC_2.14", "memcpy"),
            ("@odd", "@odd"),
            ("main.cold", "main.cold"),
            ("_Znonsense!", "_Znonsense!"),
            ("_ZNE", "_ZNE"),
            ("", ""),
        ];
        for (raw, expected) in table {
            assert_eq!(demangle(raw.as_bytes()).0, expected, "{raw}");
        }
    }

    #[test]
    fn control_characters_never_reach_a_report() {
        assert_eq!(demangle(b"a\nb\x1b[31mc\0").0, "a\u{fffd}b\u{fffd}[31mc\u{fffd}");
        assert_eq!(demangle(b"\xff\xfe").0, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_name_that_nests_too_deep_stays_as_it_is() {
        let deep = format!("_Z1fI{}iE", "P".repeat(3000));
        assert_eq!(demangle(deep.as_bytes()).0, deep);
    }

    #[test]
    fn a_name_that_explodes_stays_as_it_is() {
        // Each substitution doubles the length of the one before.
        let pairs: String = (0..30).map(|i| format!("St4pairIS{i}_S{i}_E")).collect();
        let bomb = format!("_Z1f{pairs}");
        assert!(demangle(bomb.as_bytes()).0.len() <= LONGEST_DEMANGLED);
        let long = format!("_ZN{}3fooEv", "1a".repeat(LONGEST_MANGLED));
        assert_eq!(demangle(long.as_bytes()).0, long);
    }
}
