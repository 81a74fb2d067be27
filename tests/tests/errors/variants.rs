//! The errors that there are, read from the source: they are private to their crates.

use std::collections::BTreeSet;
use std::fs;

use sigspy_tests::workspace;

/// Files with errors, the name of the enum, and what its errors are called here.
const PLACES: [(&str, &str, &str); 7] = [
    ("cli/src/error.rs", "Error", "cli"),
    ("cli/src/cargo/choose.rs", "NoChoice", "choice"),
    ("cli/src/git.rs", "GitError", "git"),
    ("collector/src/error.rs", "Error", "collector"),
    ("import/src/error.rs", "Error", "import"),
    ("model/src/merge.rs", "MergeError", "merge"),
    ("report/src/error.rs", "Error", "report"),
];

/// All errors, such as `cli Exists`.
pub fn all() -> BTreeSet<String> {
    let of_place = |(file, name, place): (&str, &str, &'static str)| {
        let source = fs::read_to_string(workspace().join(file)).expect("the source is there");
        let found = variants(&source, name);
        assert!(!found.is_empty(), "there is no enum {name} in {file}");
        found.into_iter().map(move |variant| format!("{place} {variant}"))
    };
    PLACES.into_iter().flat_map(of_place).collect()
}

/// The variants of an enum as rustfmt writes them: a line each that begins with four spaces and a
/// capital letter.
fn variants(source: &str, name: &str) -> Vec<String> {
    let head = format!("pub enum {name} {{");
    let body = source.lines().skip_while(|line| *line != head).skip(1);
    let body = body.take_while(|line| *line != "}");
    let names = body.filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    let end = |c: char| !c.is_ascii_alphanumeric();
    names.filter_map(|line| Some(line.split(end).next()?.to_owned())).collect()
}

#[test]
fn variants_are_found_however_they_are_written() {
    let source = "/// A.\npub enum Fault {\n    /// One.\n    One(u8),\n    Two {\n        Not: u8,\n    },\n    \
                  Three,\n}\n\nimpl Fault {\n    Four\n}\n";
    assert_eq!(variants(source, "Fault"), ["One", "Two", "Three"]);
}
