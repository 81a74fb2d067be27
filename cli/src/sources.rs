//! Where the symbolizer looks for files, as the command line and the environment say it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use sigspy_collector::{ModuleFile, ModuleFiles};
use sigspy_model::{ModuleId, Profile};
use sigspy_symbolizer::{Kept, Servers, Sources};

use crate::args::Places;
use crate::record;

/// All places: folders that were named, those of this system, and debuginfod servers if there are
/// any.
pub fn of(places: &Places) -> Sources {
    Sources { servers: servers(), ..local(places) }
}

/// The same, without asking anybody.
pub fn local(places: &Places) -> Sources {
    let folders = places.symbol_dirs.clone();
    Sources { folders, cache: record::cache_folder(), ..Sources::default() }
}

/// With the files that ran, as far as they were kept.
pub fn with_files(sources: Sources, profile: &Profile, files: &ModuleFiles) -> Sources {
    let kept = |(id, module)| {
        let ModuleFile { file, root } = files.of(id, module)?.clone();
        Some((id, Kept { file, root }))
    };
    let kept = (0..).map(ModuleId).zip(&profile.modules).filter_map(kept).collect();
    Sources { kept, ..sources }
}

/// The servers of `DEBUGINFOD_URLS`, with the limits that elfutils' own client heeds.
fn servers() -> Option<Servers> {
    let urls = env::var("DEBUGINFOD_URLS").ok()?;
    // Other words are switches of that client, or what it alone can read.
    let is_server = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    let urls: Vec<String> = urls.split_whitespace().filter(is_server).map(str::to_owned).collect();
    if urls.is_empty() {
        return None;
    }
    let mut servers = Servers::new(urls, folder()?);
    let number = |name| env::var(name).ok()?.parse::<u64>().ok().filter(|&number| number > 0);
    if let Some(seconds) = number("DEBUGINFOD_TIMEOUT") {
        servers.patience = Duration::from_secs(seconds);
    }
    if let Some(seconds) = number("DEBUGINFOD_MAXTIME") {
        servers.longest = Duration::from_secs(seconds);
    }
    if let Some(bytes) = number("DEBUGINFOD_MAXSIZE") {
        servers.largest = bytes;
    }
    Some(servers)
}

fn folder() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let path = |name| set(name).map(PathBuf::from);
    path("DEBUGINFOD_CACHE_PATH").or_else(|| {
        let caches = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        Some(caches?.join("debuginfod_client"))
    })
}
