//! The folder of debug files that were fetched, which is shared with other clients.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use sigspy_model::BuildId;

/// So long it is believed that no server has a file, as other clients do.
const ABSENCE: Duration = Duration::from_secs(600);
/// Files that nobody has read for so long are removed, as other clients do.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);
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
        let folder = self.of(id);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        self.remove_unused();
        // Relaxed: only a number.
        let number = NEXT.fetch_add(1, Relaxed);
        let path = folder.join(format!("{NAME}.{}-{number}", std::process::id()));
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((file, Temporary { path, kept: false }))
    }

    /// Removes debug files that nobody has used for long.
    fn remove_unused(&self) {
        let folders = fs::read_dir(self.0).into_iter().flatten().flatten();
        let is_id = |name: &str| name.bytes().all(|byte| byte.is_ascii_hexdigit());
        for folder in folders.filter(|entry| entry.file_name().to_str().is_some_and(is_id)) {
            let file = folder.path().join(NAME);
            let used =
                fs::metadata(&file).and_then(|data| Ok(data.accessed()?.max(data.modified()?)));
            if used.is_ok_and(|time| age(time) > UNUSED) {
                let _ = fs::remove_file(&file); // somebody else may have done it
                let _ = fs::remove_dir(folder.path()); // holds other files at times
            }
        }
    }
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
