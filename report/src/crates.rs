//! Which crate a frame belongs to: by its file, else by its name.
//!
//! The files of a workspace say in which folder they are, but not what the crate is called. All
//! names of functions from one folder together do: most begin with the crate.

use std::collections::{BTreeMap, HashMap};

use sigspy_model::{Frame, Language};

use crate::origin::{Origin, origin};

/// The standard library's crates, as paths begin.
const STD: [&str; 5] = ["core", "alloc", "std", "proc_macro", "test"];

/// What the crates in the folders of a workspace are called.
pub struct Crates<'s> {
    by_folder: HashMap<&'s str, &'s str>,
}

impl<'s> Crates<'s> {
    /// Learns from all frames of a profile.
    pub fn of(frames: &[&'s Frame]) -> Self {
        let mut votes: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for frame in frames.iter().filter(|frame| frame.language == Language::Rust) {
            let folder = frame.file.as_deref().map(origin);
            let segment = first_segment(&frame.function).filter(|name| !STD.contains(name));
            if let (Some(Origin::Folder(folder)), Some(segment)) = (folder, segment) {
                *votes.entry(folder).or_default().entry(segment).or_default() += 1;
            }
        }
        let most = |names: BTreeMap<&'s str, usize>| {
            names.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name)
        };
        let by_folder =
            votes.into_iter().filter_map(|(folder, names)| Some((folder, most(names)?))).collect();
        Self { by_folder }
    }

    /// `serde_json@1.0.140`, `core (std)`, `app`. `None` for code that is not in Rust, or does not
    /// say where it comes from.
    pub fn label(&self, frame: &Frame) -> Option<String> {
        if frame.language != Language::Rust {
            return None;
        }
        let path = frame.file.as_deref().unwrap_or_default();
        match origin(path) {
            Origin::Crate { name, version } => Some(format!("{name}@{version}")),
            Origin::Std { name } => Some(of_std(name)),
            Origin::Folder(folder) if self.by_folder.contains_key(folder) => {
                Some(self.by_folder[folder].to_owned())
            }
            Origin::Folder(_) | Origin::Unknown => match first_segment(&frame.function)? {
                name if STD.contains(&name) => Some(of_std(name)),
                name => Some(name.to_owned()),
            },
        }
    }
}

fn of_std(name: &str) -> String {
    if name == "std" { name.to_owned() } else { format!("{name} (std)") }
}

/// The crate that a path begins with: the first name before `::`, as in `<&mut app::X as _>::f`.
fn first_segment(function: &str) -> Option<&str> {
    let end = function.match_indices("::").map(|(at, _)| at);
    let is_in_name = |c: char| c.is_alphanumeric() || c == '_';
    let names = end.map(|at| {
        let start = function[..at].trim_end_matches(is_in_name).len();
        &function[start..at]
    });
    names.into_iter().find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: Option<&str>) -> Frame {
        let (function, file) = (function.into(), file.map(Into::into));
        Frame { function, file, line: None, language: Language::Rust, inlined: false }
    }

    #[test]
    fn a_frame_belongs_to_the_crate_of_its_file_else_of_its_name() {
        let registry = "/c/registry/src/i/serde_json-1.0.140/src/de.rs";
        let core = "/rustc/5980/library/core/src/slice/mod.rs";
        let ours = "/build/checkout/src/lib.rs";
        let known = [frame("app::run", Some(ours)), frame("app::<impl u8>::x", Some(ours))];
        let crates = Crates::of(&known.iter().collect::<Vec<_>>());
        let table = [
            (frame("<T as app::Ext>::next", Some(registry)), Some("serde_json@1.0.140")),
            (frame("<[T]>::sort", Some(core)), Some("core (std)")),
            (frame("<alloc::vec::Vec<u8> as app::Ext>::ext", Some(ours)), Some("app")),
            (frame("<&mut serde::de::X as std::io::Read>::read", None), Some("serde")),
            (frame("<alloc::vec::Vec<T>>::push", None), Some("alloc (std)")),
            (frame("std::rt::lang_start", None), Some("std")),
            (frame("main", Some("/elsewhere/src/main.rs")), None),
            (Frame { language: Language::Cpp, ..frame("llvm::Pass::run", None) }, None),
        ];
        for (frame, expected) in table {
            assert_eq!(crates.label(&frame).as_deref(), expected, "{}", frame.function);
        }
    }
}
