//! What was worked out once about a file, kept on disk by what it was made of: a [`file_key`], or a
//! digest of several.
//!
//! `FOLDER/ab/cdef…`: a CRC-32, then the bytes that were stored under the key `abcdef…`. A file is
//! written under another name and then renamed, so that any number of processes may read and
//! write at once: each sees whole files, and of two that store under one key the last wins. A
//! file that does not check is taken for none, and replaced. The folder is kept below a limit:
//! the files that were not used for the longest time go first.
//!
//! The checksum finds what disks and crashes do. Whoever can write to the folder could forge it,
//! so a folder of others is not used, and what is loaded is still to be read with care.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// A file's time of use is brought up to date if it is older than this.
const USED_LATELY: Duration = Duration::from_secs(24 * 3600);
/// More than the step in which file systems keep time.
const A_MOMENT: Duration = Duration::from_secs(2);

/// The key of what is known about a file: its device and inode, its size, and when it was written
/// and changed last. Whoever writes to it, or puts another in its place, changes that; the system
/// does not let programs set the time of the last change. `None`: it was changed a moment ago, and
/// may be again without a difference in time.
pub fn file_key(metadata: &fs::Metadata) -> Option<Vec<u8>> {
    let changed = Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    if now < changed + A_MOMENT {
        return None;
    }
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    let numbers = [metadata.dev(), metadata.ino(), metadata.size()];
    let numbers = numbers.into_iter().chain(times.map(i64::cast_unsigned));
    Some(numbers.flat_map(u64::to_le_bytes).collect())
}

/// A folder of files by key. Shared by threads.
pub struct Cache {
    folder: PathBuf,
    most_bytes: u64,
    grown: AtomicBool,
}

impl Cache {
    /// The cache in `folder`, which is created. When it is dropped, what it holds beyond
    /// `most_bytes` is removed. `None`: the folder cannot be made, or is not [ours](can_be_ours), or
    /// others could write to it.
    pub fn open(folder: &Path, most_bytes: u64) -> Option<Self> {
        if !can_be_ours(folder) {
            return None;
        }
        create_folder(folder).ok()?;
        let metadata = fs::metadata(folder).ok()?;
        let ours = metadata.uid() == nix::unistd::geteuid().as_raw();
        let private = metadata.mode() & 0o022 == 0;
        let folder = folder.to_owned();
        (ours && private).then(|| Self { folder, most_bytes, grown: AtomicBool::new(false) })
    }

    /// What was last stored under `key`, if it is as it was.
    pub fn load(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut file = File::open(self.path(key)?).ok()?;
        let metadata = file.metadata().ok()?;
        if metadata.len() > self.most_bytes {
            return None;
        }
        let mut sum = [0; 4];
        file.read_exact(&mut sum).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        if crc32fast::hash(&bytes) != u32::from_le_bytes(sum) {
            return None;
        }
        if metadata.modified().ok()?.elapsed().is_ok_and(|age| age > USED_LATELY) {
            let _ = file.set_modified(SystemTime::now()); // only matters for who goes first
        }
        Some(bytes)
    }

    /// Keeps `bytes`. A full disk or the like is no error: they will be worked out again.
    pub fn store(&self, key: &[u8], bytes: &[u8]) {
        if let Some(path) = self.path(key)
            && write(&path, bytes).is_ok()
        {
            self.grown.store(true, Relaxed);
        }
    }

    fn path(&self, key: &[u8]) -> Option<PathBuf> {
        let (first, rest) = key.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(self.folder.join(format!("{first:02x}")).join(rest))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if *self.grown.get_mut() {
            remove_surplus(&self.folder, self.most_bytes);
        }
    }
}

/// Whether a folder is ours, or would be made in one of ours or of root's. Root with the HOME of a user,
/// as after `sudo -E`, is not to leave folders there that the user cannot write to.
pub fn can_be_ours(folder: &Path) -> bool {
    let us = nix::unistd::geteuid().as_raw();
    match fs::metadata(folder) {
        Ok(folder) => folder.uid() == us,
        Err(_) => {
            let above = folder.ancestors().skip(1).find_map(|folder| fs::metadata(folder).ok());
            above.is_some_and(|folder| [us, 0].contains(&folder.uid()))
        }
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    create_folder(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    let number = WRITTEN.fetch_add(1, Relaxed); // a name of its own for each thread
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    // Never through a link, nor what another process writes that has our number in its namespace.
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file
        .write_all(&crc32fast::hash(bytes).to_le_bytes())
        .and_then(|()| file.write_all(bytes))
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
    use std::thread;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("sigspy-cache-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
            Self(folder)
        }

        fn cache(&self) -> Cache {
            Cache::open(&self.0, 1 << 20).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_stored_is_found_again_under_its_key_alone() {
        let folder = Folder::new("again");
        let cache = folder.cache();
        assert_eq!(cache.load(&[1, 2, 3]), None);
        cache.store(&[1, 2, 3], b"bytes");
        assert_eq!(cache.load(&[1, 2, 3]).as_deref(), Some(&b"bytes"[..]));
        assert_eq!(cache.load(&[1, 2]), None);
        let mode = fs::metadata(cache.path(&[1, 2, 3]).unwrap()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_has_a_key_of_its_own_once_it_is_left_alone() {
        let old = ["/proc/self/exe", "/bin/sh"].map(|path| fs::metadata(path).unwrap());
        let [ours, shell] = old.each_ref().map(file_key);
        assert!(shell.is_some() && ours != shell);
        assert_eq!(file_key(&old[1]), shell);
        let folder = Folder::new("young");
        fs::write(folder.0.join("young"), b"bytes").unwrap();
        assert_eq!(file_key(&fs::metadata(folder.0.join("young")).unwrap()), None);
    }

    #[test]
    fn a_damaged_file_is_taken_for_none_and_replaced() {
        let folder = Folder::new("damaged");
        let cache = folder.cache();
        cache.store(&[1, 2], &[7; 100]);
        let path = cache.path(&[1, 2]).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[50] ^= 1;
        for damage in [&bytes[..], &bytes[..50], &bytes[..3], b""] {
            fs::write(&path, damage).unwrap();
            assert_eq!(cache.load(&[1, 2]), None);
        }
        cache.store(&[1, 2], &[7; 100]);
        assert_eq!(cache.load(&[1, 2]), Some(vec![7; 100]));
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("shared");
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(&folder.0, 1 << 20).is_none());
    }

    #[test]
    fn nothing_is_made_in_the_folder_of_another_user() {
        let folder = Folder::new("other");
        assert!(can_be_ours(&folder.0.join("a/b")));
        if std::os::unix::fs::chown(&folder.0, Some(12345), None).is_err() {
            return; // only root can, and for others the system sees to it
        }
        assert!(Cache::open(&folder.0.join("a/b"), 1 << 20).is_none());
        assert!(Cache::open(&folder.0, 1 << 20).is_none());
        assert!(!folder.0.join("a").exists());
    }

    #[test]
    fn of_writers_at_once_each_leaves_a_whole_file() {
        let folder = Folder::new("writers");
        let cache = &folder.cache();
        cache.store(&[1, 2], &[0; 10_000]);
        thread::scope(|scope| {
            for byte in 0..4 {
                scope.spawn(move || (0..50).for_each(|_| cache.store(&[1, 2], &[byte; 10_000])));
            }
            for _ in 0..50 {
                let found = cache.load(&[1, 2]).unwrap();
                assert_eq!(found, vec![found[0]; 10_000]);
            }
        });
        let group = cache.path(&[1, 2]).unwrap();
        assert_eq!(fs::read_dir(group.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = Folder::new("link");
        let cache = folder.cache();
        let victim = folder.0.join("victim");
        fs::write(&victim, b"precious").unwrap();
        let path = cache.path(&[1, 2]).unwrap();
        create_folder(path.parent().unwrap()).unwrap();
        for number in 0..1000 {
            let name = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
            std::os::unix::fs::symlink(&victim, name).unwrap();
        }
        cache.store(&[1, 2], b"bytes");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn the_oldest_files_go_when_there_are_too_many() {
        let folder = Folder::new("surplus");
        let cache = folder.cache();
        for (number, age) in [(1, 30), (2, 10), (3, 20)] {
            cache.store(&[7, number], &[0; 996]);
            let file = File::options().write(true).open(cache.path(&[7, number]).unwrap()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        remove_surplus(&cache.folder, 1500);
        let left = |number| cache.path(&[7, number]).unwrap().exists();
        assert_eq!([left(1), left(2), left(3)], [false, true, false]);
    }
}
