//! Debug files from debuginfod servers, and the folder in which they are kept.
//!
//! The folder is the one of elfutils' own client, so that what gdb has fetched is not fetched
//! again: `FOLDER/BUILD-ID/debuginfo`, where an empty file says that no server has it. What a
//! server sends is believed when it is an ELF file with the build-id that was asked for. A server
//! that cannot be reached, or is too slow, is not asked again.
//!
//! Protocol and folder: debuginfod(8), debuginfod_find_debuginfo(3).

mod curl;
mod folder;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sigspy_model::BuildId;

use crate::elf::{self, Image};
use crate::root::Root;
use folder::{Folder, Stored};

pub use curl::Failure;

/// Longer build-ids are none: bytes.
const LONGEST_ID: usize = 64;

/// Servers to ask, in order, and how.
pub struct Servers {
    /// Such as `https://debuginfod.debian.net`.
    pub urls: Vec<String>,
    /// Where answers are kept.
    pub folder: PathBuf,
    /// A server that says nothing for so long is given up.
    pub patience: Duration,
    /// A file that takes longer is given up, however much of it has come.
    pub longest: Duration,
    /// Larger files are not fetched: bytes.
    pub largest: u64,
    /// Told now and then, from several threads, how many bytes have come so far.
    pub progress: Box<dyn Fn(u64) + Send + Sync>,
    fetched: AtomicU64,
    failures: Mutex<BTreeMap<String, Failure>>,
    answers: Mutex<BTreeMap<BuildId, Arc<OnceLock<Option<PathBuf>>>>>,
}

impl Servers {
    /// The usual limits: half a minute of silence, ten minutes for a file, files of 2 GiB.
    pub fn new(urls: Vec<String>, folder: PathBuf) -> Self {
        Self {
            urls,
            folder,
            patience: Duration::from_secs(30),
            longest: Duration::from_secs(600),
            largest: 2 << 30,
            progress: Box::new(|_| ()),
            fetched: AtomicU64::new(0),
            failures: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// Where the debug file with this build-id is by now. `None`: no server has it, or could be
    /// asked. Servers are asked once for each.
    pub fn debug_file(&self, id: &BuildId) -> Option<PathBuf> {
        if id.0.is_empty() || id.0.len() > LONGEST_ID {
            return None;
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.entry(id.clone()).or_default().clone();
        drop(answers);
        answer.get_or_init(|| self.ask(id)).clone()
    }

    fn ask(&self, id: &BuildId) -> Option<PathBuf> {
        let folder = Folder::new(&self.folder);
        match folder.find(id) {
            Stored::File(path) if is_stored(&path, id) => return Some(path),
            Stored::Nowhere => return None,
            Stored::File(_) | Stored::Unknown => {}
        }
        let mut unknown_to_all = true;
        for url in &self.urls {
            if self.failures().get(url).is_some_and(Failure::is_of_the_server) {
                unknown_to_all = false;
                continue;
            }
            match self.fetch(url, &folder, id) {
                Ok(path) => return Some(path),
                Err(Failure::NotThere) => {}
                Err(failure) => {
                    unknown_to_all = false;
                    self.failures().insert(url.clone(), failure);
                }
            }
        }
        if unknown_to_all {
            folder.remember_absence(id);
        }
        None
    }

    /// What went wrong, one sentence for each server that could not help.
    pub fn troubles(&self) -> Vec<String> {
        let sentence = |(url, failure): (&String, &Failure)| format!("{url} {failure}");
        self.failures().iter().map(sentence).collect()
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<String, Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(&self, server: &str, folder: &Folder<'_>, id: &BuildId) -> Result<PathBuf, Failure> {
        let (file, temporary) = folder.create(id).map_err(Failure::Keep)?;
        let url = format!("{}/buildid/{id}/debuginfo", server.trim_end_matches('/'));
        let got = |bytes| (self.progress)(self.fetched.fetch_add(bytes, Relaxed) + bytes);
        let Self { patience, longest, largest, .. } = *self;
        let limits = curl::Limits { patience, longest, largest };
        curl::fetch(&url, &limits, &file, &got)?;
        if !is_elf_with(&file, &temporary, id) {
            return Err(Failure::WrongAnswer);
        }
        temporary.keep().map_err(Failure::Keep)
    }
}

/// Whether the file in the folder is what it should be: others write there as well, and disks fail.
fn is_stored(path: &Path, id: &BuildId) -> bool {
    Root::Own.open(path).is_ok_and(|file| is_elf_with(&file, path, id))
}

fn is_elf_with(file: &File, path: &Path, id: &BuildId) -> bool {
    let image = Image::map(file, path).ok();
    let found = image.as_ref().and_then(Image::elf).as_ref().and_then(elf::build_id);
    found.as_ref() == Some(id)
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("urls", &self.urls).field("folder", &self.folder).finish()
    }
}
