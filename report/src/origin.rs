//! Which crate a source file belongs to, by where cargo and rustc put it.
//!
//! ```text
//! .../registry/src/INDEX/serde_json-1.0.140/src/de.rs      a crate from a registry
//! .../git/checkouts/regex-9f9f693768c584fc/1a2b3c4/src/    one from a repository
//! .../vendor/libc-0.2.177/src/                             one that was vendored
//! /rustc/HASH/library/core/src/fmt/mod.rs                  the standard library
//! /rust/deps/hashbrown-0.16.1/src/                         what the standard library is made of
//! ```

use sigspy_compare::{RUST_DEPS, path_in_rust_library};

/// Where a source file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'p> {
    /// A crate with its version, or with the commit it is of.
    Crate {
        name: &'p str,
        version: &'p str,
    },
    /// A crate of the standard library.
    Std {
        name: &'p str,
    },
    /// Anything else, by the folder of the package, if it has `src`, `tests`, `benches` or
    /// `examples`.
    Folder(&'p str),
    Unknown,
}

/// Finds out where the source file at `path` comes from.
pub fn origin(path: &str) -> Origin<'_> {
    let registry = || behind(path, "/registry/src/")?.split_once('/').map(|(_, rest)| rest);
    let unpacked = registry().or_else(|| behind(path, "/vendor/")).or_else(|| deps(path));
    if let Some((name, version)) = unpacked.and_then(|rest| name_and_version(first(rest))) {
        return Origin::Crate { name, version };
    }
    if let Some(checkout) = behind(path, "/git/checkouts/") {
        let mut parts = checkout.split('/');
        let name = parts.next().and_then(|folder| folder.rsplit_once('-'));
        if let (Some((name, _)), Some(version)) = (name, parts.next()) {
            return Origin::Crate { name, version };
        }
    }
    if let Some(rest) = path_in_rust_library(path) {
        return Origin::Std { name: first(rest) };
    }
    match package_folder(path) {
        Some(folder) => Origin::Folder(folder),
        None => Origin::Unknown,
    }
}

/// A path without the folders that say nothing to people: of a crate, from its folder on.
pub fn short_path(path: &str) -> &str {
    let registry = behind(path, "/registry/src/").and_then(|rest| rest.split_once('/'));
    let checkout = || behind(path, "/git/checkouts/");
    registry
        .map(|(_, rest)| rest)
        .or_else(checkout)
        .or_else(|| deps(path))
        .or_else(|| path_in_rust_library(path))
        .unwrap_or(path)
}

fn behind<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.find(folder).map(|at| &path[at + folder.len()..])
}

fn deps(path: &str) -> Option<&str> {
    path.strip_prefix(RUST_DEPS)
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// `serde_json-1.0.140` in two. Names may have hyphens and digits, versions begin with a number
/// and a dot.
fn name_and_version(folder: &str) -> Option<(&str, &str)> {
    let is_version = |text: &str| {
        let number = text.split('.').next().unwrap_or_default();
        number.len() < text.len()
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    };
    let hyphens = folder.match_indices('-');
    let at = hyphens.map(|(at, _)| at).find(|at| is_version(&folder[at + 1..]))?;
    Some((&folder[..at], &folder[at + 1..]))
}

fn package_folder(path: &str) -> Option<&str> {
    let folders = ["/src/", "/tests/", "/benches/", "/examples/"];
    let end = folders.into_iter().filter_map(|folder| path.find(folder)).min()?;
    Some(&path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_belongs_to_the_crate_whose_folder_it_is_in() {
        let of = |name, version| Origin::Crate { name, version };
        let table = [
            (
                "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/serde_json-1.0.140/src/de.rs",
                of("serde_json", "1.0.140"),
            ),
            ("/c/registry/src/i/md-5-0.10.6/src/lib.rs", of("md-5", "0.10.6")),
            ("/c/registry/src/i/tokio-2.0.0-alpha.6/src/lib.rs", of("tokio", "2.0.0-alpha.6")),
            (
                "/c/git/checkouts/regex-automata-9f9f693768c584fc/1a2b3c4/src/lib.rs",
                of("regex-automata", "1a2b3c4"),
            ),
            ("/build/vendor/libc-0.2.177/src/lib.rs", of("libc", "0.2.177")),
            ("/rust/deps/hashbrown-0.16.1/src/raw.rs", of("hashbrown", "0.16.1")),
            ("/rustc/59807616e1fa/library/core/src/fmt/mod.rs", Origin::Std { name: "core" }),
            (
                "/opt/lib/rustlib/src/rust/library/alloc/src/vec/mod.rs",
                Origin::Std { name: "alloc" },
            ),
            ("/usr/src/rustc-1.85.0/library/std/src/rt.rs", Origin::Std { name: "std" }),
            ("/build/app/src/main.rs", Origin::Folder("/build/app")),
            ("/build/app/tests/it/main.rs", Origin::Folder("/build/app")),
            ("main.rs", Origin::Unknown),
            ("", Origin::Unknown),
        ];
        for (path, expected) in table {
            assert_eq!(origin(path), expected, "{path}");
        }
    }

    #[test]
    fn paths_of_crates_begin_with_the_crate() {
        let table = [
            ("/c/registry/src/i/itoa-1.0.0/src/lib.rs", "itoa-1.0.0/src/lib.rs"),
            ("/rustc/5980/library/core/src/fmt/mod.rs", "core/src/fmt/mod.rs"),
            ("/build/app/src/main.rs", "/build/app/src/main.rs"),
        ];
        for (path, expected) in table {
            assert_eq!(short_path(path), expected);
        }
    }
}
