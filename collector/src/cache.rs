//! Unwind tables on disk, by build-id, so that each module is compiled once.
//!
//! `FOLDER/v1/ab/cdef…`: a CRC-32, then the table. A file is written under another name and then
//! renamed; one that does not check is taken for none, and replaced. The folder is kept below
//! [`MOST_BYTES`]: the files that were not used for the longest time go first.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use sigspy_unwind::Table;

/// The folder holds at most so many bytes, but for the tables of one session.
const MOST_BYTES: u64 = 256 << 20;
/// A file's time of use is brought up to date if it is older than this.
const USED_LATELY: Duration = Duration::from_secs(24 * 3600);
/// Changes when tables that were once right are no longer.
const VERSION: &str = "v3";

/// A folder of tables.
pub struct Cache {
    folder: PathBuf,
    grown: AtomicBool,
}

impl Cache {
    /// The cache in `folder`, which is created. `None`: it cannot be, or others could write to
    /// it.
    pub fn open(folder: &Path) -> Option<Self> {
        let folder = folder.join("unwind").join(VERSION);
        create_folder(&folder).ok()?;
        let metadata = fs::metadata(&folder).ok()?;
        let ours = metadata.uid() == nix::unistd::geteuid().as_raw();
        let private = metadata.mode() & 0o022 == 0;
        (ours && private).then(|| Self { folder, grown: AtomicBool::new(false) })
    }

    /// The table of the module with this build-id.
    pub fn load(&self, build_id: &[u8]) -> Option<Vec<u8>> {
        let path = self.path(build_id)?;
        let mut file = File::open(&path).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let sum = u32::from_le_bytes(*bytes.first_chunk()?);
        let table = bytes.split_off(4);
        if crc32fast::hash(&table) != sum || !Table::new(&table)?.validate() {
            return None;
        }
        let modified = file.metadata().and_then(|data| data.modified()).ok()?;
        if modified.elapsed().is_ok_and(|age| age > USED_LATELY) {
            let _ = file.set_modified(SystemTime::now()); // only matters for who goes first
        }
        Some(table)
    }

    /// Keeps a table. A full disk or the like is no error: it will be compiled again.
    pub fn store(&self, build_id: &[u8], table: &[u8]) {
        if let Some(path) = self.path(build_id)
            && write(&path, table).is_ok()
        {
            self.grown.store(true, Relaxed);
        }
    }

    fn path(&self, build_id: &[u8]) -> Option<PathBuf> {
        let (first, rest) = build_id.split_first()?;
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(self.folder.join(format!("{first:02x}")).join(rest))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if *self.grown.get_mut() {
            remove_surplus(&self.folder, MOST_BYTES);
        }
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write(path: &Path, table: &[u8]) -> io::Result<()> {
    create_folder(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = file
        .write_all(&crc32fast::hash(table).to_le_bytes())
        .and_then(|()| file.write_all(table))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // it is the write that failed
    }
    written
}

/// Removes files of `folder`, two levels deep, that were not used for the longest time, until no
/// more than `most` bytes remain.
fn remove_surplus(folder: &Path, most: u64) {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries(folder)
        .flat_map(|group| entries(&group.path()))
        .filter_map(|file| {
            let metadata = file.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), file.path()))
        })
        .collect();
    let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
    files.sort();
    for (_, length, path) in files {
        if total <= most {
            return;
        }
        if fs::remove_file(&path).is_ok() {
            total -= length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("sigspy-cache-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn table() -> Vec<u8> {
        let own = fs::read("/proc/self/exe").unwrap();
        sigspy_unwind::compile(&own).unwrap().bytes
    }

    #[test]
    fn a_table_is_found_again() {
        let folder = Folder::new("again");
        let cache = Cache::open(&folder.0).unwrap();
        assert_eq!(cache.load(&[1, 2, 3]), None);
        cache.store(&[1, 2, 3], &table());
        assert_eq!(cache.load(&[1, 2, 3]), Some(table()));
        assert_eq!(cache.load(&[1, 2]), None);
    }

    #[test]
    fn a_damaged_file_is_taken_for_none_and_replaced() {
        let folder = Folder::new("damaged");
        let cache = Cache::open(&folder.0).unwrap();
        cache.store(&[1, 2], &table());
        let path = cache.path(&[1, 2]).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        for damage in [&bytes[..], &bytes[..50], &bytes[..3], b""] {
            fs::write(&path, damage).unwrap();
            assert_eq!(cache.load(&[1, 2]), None);
        }
        cache.store(&[1, 2], &table());
        assert_eq!(cache.load(&[1, 2]), Some(table()));
    }

    #[test]
    fn the_oldest_files_go_when_there_are_too_many() {
        let folder = Folder::new("surplus");
        let cache = Cache::open(&folder.0).unwrap();
        for (number, age) in [(1, 30), (2, 10), (3, 20)] {
            write(&cache.path(&[7, number]).unwrap(), &[0; 996]).unwrap();
            let file = File::options().write(true).open(cache.path(&[7, number]).unwrap()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        remove_surplus(&cache.folder, 1500);
        let left = |number| cache.path(&[7, number]).unwrap().exists();
        assert_eq!([left(1), left(2), left(3)], [false, true, false]);
    }
}
