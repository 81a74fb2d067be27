//! The folder of debug files that were fetched, which is shared with other clients.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use sigspy_model::BuildId;

use crate::root::Root;

/// So long it is believed that no server has a file, as other clients do.
const ABSENCE: Duration = Duration::from_secs(600);
/// Files that nobody has read for so long are removed, as other clients do, if they are not told
/// otherwise by a file in the folder.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Seconds in decimal digits.
const UNUSED_FILE: &str = "max_unused_age_s";
/// A file on its way that has not grown for so long was left by a process that was killed.
const LEFT: Duration = Duration::from_secs(3600);
const NAME: &str = "debuginfo";

pub struct Folder<'a>(&'a Path);

/// What the folder knows about a file.
pub enum Stored {
    File(PathBuf),
    /// No server had it, a moment ago.
    Nowhere,
    Unknown,
}

impl<'a> Folder<'a> {
    pub fn new(path: &'a Path) -> Self {
        Self(path)
    }

    fn of(&self, id: &BuildId) -> PathBuf {
        self.0.join(id.to_string())
    }

    pub fn find(&self, id: &BuildId) -> Stored {
        let path = self.of(id).join(NAME);
        match fs::metadata(&path) {
            Ok(data) if data.is_file() && data.len() > 0 => Stored::File(path),
            Ok(data) if data.modified().is_ok_and(|time| age(time) < ABSENCE) => Stored::Nowhere,
            _ => Stored::Unknown,
        }
    }

    /// That no server has the file. If this cannot be written down, they are asked again.
    pub fn remember_absence(&self, id: &BuildId) {
        if let Ok((_, temporary)) = self.create(id) {
            let _ = temporary.keep();
        }
    }

    /// An empty file that becomes the one with this build-id when it is kept. Makes room first.
    pub fn create(&self, id: &BuildId) -> io::Result<(File, Temporary)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        self.remove_unused();
        let folder = self.of(id);
        // Relaxed: only a number.
        let number = NEXT.fetch_add(1, Relaxed);
        let path = folder.join(format!("{NAME}.{}-{number}", std::process::id()));
        let open = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let mut options = File::options();
            options.read(true).write(true).create_new(true).mode(0o600).open(&path)
        };
        // Whoever has just removed the last file in a folder removes it as well.
        let again = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => open(),
            _ => Err(error),
        };
        let file = open().or_else(again)?;
        Ok((file, Temporary { path, kept: false }))
    }

    /// How long files are kept that nobody uses. `None`: for ever, as nothing else is understood.
    fn longest_unused(&self) -> Option<Duration> {
        match Root::Own.open(&self.0.join(UNUSED_FILE)) {
            Ok(file) => {
                let mut text = String::new();
                file.take(32).read_to_string(&mut text).ok()?;
                text.trim().parse().ok().map(Duration::from_secs)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(UNUSED),
            Err(_) => None,
        }
    }

    /// Removes debug files that nobody has used for long, and what was left of our own.
    fn remove_unused(&self) {
        let unused = self.longest_unused();
        let folders = fs::read_dir(self.0).into_iter().flatten().flatten();
        let is_id = |name: &str| name.bytes().all(|byte| byte.is_ascii_hexdigit());
        for folder in folders.filter(|entry| entry.file_name().to_str().is_some_and(is_id)) {
            let file = folder.path().join(NAME);
            let used =
                fs::metadata(&file).and_then(|data| Ok(data.accessed()?.max(data.modified()?)));
            let is_unused =
                used.is_ok_and(|time| unused.is_some_and(|longest| age(time) > longest));
            let left = left_in(&folder.path());
            let removed = left.into_iter().chain(is_unused.then_some(file));
            // Somebody else may have done it.
            if removed.filter(|file| fs::remove_file(file).is_ok()).count() > 0 {
                let _ = fs::remove_dir(folder.path()); // holds other files at times
            }
        }
    }
}

/// Files that were on their way when their process was killed.
fn left_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|data| data.modified());
        modified.is_ok_and(|time| age(time) > LEFT)
    };
    let left = files.filter(|entry| entry.file_name().to_str().is_some_and(is_temporary));
    left.filter(is_old).map(|entry| entry.path()).collect()
}

/// Whether [`Folder::create`] gives such names.
fn is_temporary(name: &str) -> bool {
    let numbers = name.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.')?.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

fn age(time: SystemTime) -> Duration {
    time.elapsed().unwrap_or_default()
}

/// A file on its way, removed unless it is kept.
pub struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Temporary {
    /// Gives the file its name. Returns its path.
    pub fn keep(mut self) -> io::Result<PathBuf> {
        let path = self.path.with_file_name(NAME);
        fs::rename(&self.path, &path)?;
        self.kept = true;
        Ok(path)
    }
}

impl Deref for Temporary {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path); // left behind, it harms nobody
            let _ = self.path.parent().map(fs::remove_dir); // holds other files at times
        }
    }
}
