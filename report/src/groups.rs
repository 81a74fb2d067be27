//! Frames by what they belong to: a profile can be added up by crate as well as by function.
//!
//! Grouping gives all frames of a group one name. What adds up functions then adds up groups: a
//! sample counts once for each group in its stack, and inlined functions for their own group.

use std::collections::HashMap;
use std::sync::Arc;

use sigspy_model::{Frame, Language, Location, LocationId, Profile, Symbols};

use crate::crates::Crates;
use crate::origin;

/// Code that no file holds, and such code with a name.
pub const ANONYMOUS: &str = "[anon]";
const COMPILED: &str = "[jit]";

/// What a profile is added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Function,
    /// Crate and version; code that is not in Rust by its module.
    Crate,
    /// The file that was mapped.
    Module,
    /// The source file; code without lines by its module.
    File,
    /// The line of the source file, for a caller that of the call.
    Line,
    Thread,
    Process,
}

/// `symbols` with the names of groups. Frames stay as they are for [`By::Function`], and for
/// threads and processes, which frames do not belong to.
pub fn grouped(profile: &Profile, symbols: Symbols, by: By) -> Symbols {
    let crates;
    let label: &dyn Fn(LocationId, &Frame) -> String = match by {
        By::Function | By::Thread | By::Process => return symbols,
        By::Crate => {
            crates = Crates::of(&frames(profile, &symbols));
            &|id, frame| crates.label(frame).unwrap_or_else(|| module_of(profile, id).to_owned())
        }
        By::Module => &|id, _| module_of(profile, id).to_owned(),
        By::File => &|id, frame| file_of(frame).unwrap_or_else(|| without_file(profile, id)),
        By::Line => &|_, frame| line_of(frame).unwrap_or_else(|| frame.function.to_string()),
    };
    let mut names: HashMap<String, Arc<str>> = HashMap::new();
    let mut renamed = |id, frame: &Frame| {
        let name = label(id, frame);
        let function = names.entry(name).or_insert_with_key(|name| name.as_str().into()).clone();
        Frame { function, file: None, line: None, language: Language::Plain, inlined: false }
    };
    let frames = locations(profile);
    Symbols::new(
        frames.map(|id| symbols.frames(id).iter().map(|f| renamed(id, f)).collect()).collect(),
    )
}

fn locations(profile: &Profile) -> impl Iterator<Item = LocationId> + use<> {
    (0..profile.locations.len()).map(|index| LocationId(index as u32))
}

fn frames<'s>(profile: &Profile, symbols: &'s Symbols) -> Vec<&'s Frame> {
    locations(profile).flat_map(|id| symbols.frames(id)).collect()
}

/// The file that holds the code at a location, or what stands for it.
pub fn module_of(profile: &Profile, id: LocationId) -> &str {
    let Location { module, .. } = match profile.locations.get(id.0 as usize) {
        Some(location) => *location,
        None => return ANONYMOUS,
    };
    match module.and_then(|id| profile.modules.get(id.0 as usize)) {
        Some(module) => module.name(),
        None if profile.code_names.contains_key(&id) => COMPILED,
        None => ANONYMOUS,
    }
}

fn file_of(frame: &Frame) -> Option<String> {
    frame.file.as_deref().map(|file| origin::short_path(file).to_owned())
}

fn line_of(frame: &Frame) -> Option<String> {
    Some(format!("{}:{}", file_of(frame)?, frame.line?))
}

fn without_file(profile: &Profile, id: LocationId) -> String {
    format!("{} (no source lines)", module_of(profile, id))
}
