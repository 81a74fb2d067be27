//! What makes a function of one profile the same as one of another.

use std::fmt;
use std::sync::Arc;

use sigspy_model::{Frame, Language};

use crate::name::{self, Generics};
use crate::result::Function;

/// A function, whatever its module's path and version, and however often it was built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The crate of a Rust function, else the module without version; empty where there is none.
    pub module: Arc<str>,
    pub function: Arc<str>,
}

impl Key {
    /// The key of a frame in a module, which was made canonical by [`module`].
    pub fn new(frame: &Frame, module: &str, generics: Generics) -> Self {
        Self::named(name::canonical(frame, generics), frame.language, module)
    }

    /// The key of a canonical name in such a module.
    pub(crate) fn named(function: String, language: Language, module: &str) -> Self {
        let module = name::crate_of(&function, language).unwrap_or(module).into();
        Self { module, function: function.into() }
    }

    /// The key of a function in a result.
    pub fn of(function: &Function) -> Self {
        Self { module: (*function.module).into(), function: (*function.function).into() }
    }

    /// The last part of the path: `push` of `alloc::vec::Vec<_>::push`.
    pub fn leaf(&self) -> &str {
        self.function.rsplit("::").next().unwrap_or(&self.function)
    }

    /// Whether it stands for all code of a module that has no name.
    pub fn is_unknown(&self) -> bool {
        &*self.function == name::UNKNOWN
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_path = self.function.contains("::");
        match &*self.module {
            "" => f.write_str(&self.function),
            module if self.is_unknown() => write!(f, "[unknown] in {module}"),
            _ if in_path => f.write_str(&self.function),
            module => write!(f, "{} in {module}", self.function),
        }
    }
}

/// The name of a module without what changes when it is built or packaged again: folder, version,
/// hash.
pub fn module(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match shared_library(name) {
        Some(library) => library,
        None => without_version(without_hash(name)),
    }
}

/// `libssl.so.3`, `libc-2.31.so` and `libgfortran-040039e1.so.5` as `libssl`, `libc`, `libgfortran`.
fn shared_library(name: &str) -> Option<&str> {
    let (start, rest) = name.split_once(".so")?;
    if start.is_empty() || !(rest.is_empty() || rest.starts_with('.')) {
        return None;
    }
    let start = start.split_once(".cpython-").map_or(start, |(start, _)| start);
    let start = start.strip_suffix(".abi3").unwrap_or(start);
    Some(without_version(without_hash(start)))
}

/// `app-0123456789abcdef`, as cargo names tests, is `app`.
fn without_hash(name: &str) -> &str {
    let is_hash = |text: &str| {
        matches!(text.len(), 8 | 16)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && text.bytes().any(|byte| byte.is_ascii_digit())
    };
    match name.rsplit_once('-') {
        Some((start, hash)) if is_hash(hash) && !start.is_empty() => start,
        _ => name,
    }
}

/// `python3.12` is `python`, `gcc-12` is `gcc`; `bzip2` is no version of `bzip`.
fn without_version(name: &str) -> &str {
    let start = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let version = &name[start.len()..];
    let bare = start.trim_end_matches(['-', '_']);
    let is_version = version.contains('.') || bare.len() < start.len();
    if version.is_empty() || bare.is_empty() || !is_version { name } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigspy_model::Language;

    #[test]
    fn modules_have_no_folder_version_or_hash() {
        let table = [
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc"),
            ("libc-2.31.so", "libc"),
            ("libssl.so.3", "libssl"),
            ("libstdc++.so.6.0.33", "libstdc++"),
            ("libgfortran-040039e1.so.5.0.0", "libgfortran"),
            ("_multiarray_umath.cpython-312-x86_64-linux-gnu.so", "_multiarray_umath"),
            ("libLLVM.so.20.1-rust-1.90.0-stable", "libLLVM"),
            ("libLLVM-19.so", "libLLVM"),
            ("/target/debug/deps/app-0123456789abcdef", "app"),
            ("python3.12", "python"),
            ("gcc-12", "gcc"),
            ("bzip2", "bzip2"),
            ("7zip", "7zip"),
            ("sqlite3", "sqlite3"),
            ("[vdso]", "[vdso]"),
            (".so", ".so"),
            ("3.12", "3.12"),
        ];
        for (path, expected) in table {
            assert_eq!(module(path), expected, "{path}");
        }
    }

    #[test]
    fn a_rust_function_is_its_crates_wherever_it_was_linked() {
        let frame = |function: &str, language| Frame {
            function: function.into(),
            file: None,
            line: None,
            language,
            inlined: false,
        };
        let key = |name, language| Key::new(&frame(name, language), "app", Generics::Merge);
        assert_eq!(&*key("serde_json::de::parse", Language::Rust).module, "serde_json");
        assert_eq!(&*key("main", Language::Rust).module, "app");
        assert_eq!(&*key("std::sort<int>(int*)", Language::Cpp).module, "app");
        assert_eq!(key("app+0x12", Language::Plain).to_string(), "[unknown] in app");
        assert_eq!(key("main", Language::Plain).to_string(), "main in app");
        assert_eq!(key("<alloc::vec::Vec<u8>>::push", Language::Rust).leaf(), "push");
    }
}
