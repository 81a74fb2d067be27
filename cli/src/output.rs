//! Files that we write: never over one that is not ours.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::Error;

/// The name under which the last recording made in a folder is found.
pub const LATEST: &str = "sigspy.sigspy";
/// Ends each flame graph.
pub const SVG_MARK: &str = "<!-- sigspy -->\n";
const RECORDING_MARK: &[u8] = b"SIGSPY\r\n";

/// A file to be written to.
pub struct Output {
    pub file: File,
    /// It was made for this. Devices and pipes were there before, and have to stay.
    pub is_new: bool,
}

/// As [`open`], for those who leave the file where it is in any case.
pub fn create(path: &Path, force: bool) -> Result<File, Error> {
    open(path, force).map(|output| output.file)
}

/// Creates `path`, readable by this user only. A file of ours with that name is kept as
/// `path.old`, unless it is empty; another one is an error unless `force`.
pub fn open(path: &Path, force: bool) -> Result<Output, Error> {
    let failed = |error| Error::Create(path.into(), error);
    match fs::symlink_metadata(path) {
        // Nothing became of it: whoever was to write it was killed.
        Ok(old) if old.is_file() && old.len() == 0 => fs::remove_file(path).map_err(failed)?,
        Ok(old) if old.is_file() && is_ours(path) => {
            put_aside(path, force)?;
        }
        Ok(old) if old.is_file() && force => fs::remove_file(path).map_err(failed)?,
        // /dev/stdout and its like are made to be written to.
        Ok(_) if is_stream(path) => {
            let file = File::options().write(true).open(path).map_err(failed)?;
            return Ok(Output { file, is_new: false });
        }
        Ok(_) => return Err(Error::Exists(path.into())),
        Err(_) => {}
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    Ok(Output { file: file.map_err(failed)?, is_new: true })
}

/// Whether it is there, and is a pipe, a device or the like.
pub fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// Renames a file of ours to `path.old`. Another one of that name is an error unless `force`.
fn put_aside(path: &Path, force: bool) -> Result<(), Error> {
    let old = with_suffix(path, ".old");
    if !force && fs::symlink_metadata(&old).is_ok_and(|data| !data.is_file() || !is_ours(&old)) {
        return Err(Error::Exists(old));
    }
    fs::rename(path, old).map_err(|error| Error::Create(path.into(), error))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether a file is a recording or a flame graph of ours.
fn is_ours(path: &Path) -> bool {
    is_recording(path) || is_flame_graph(path).unwrap_or(false)
}

/// Whether a file begins as a recording does.
pub fn is_recording(path: &Path) -> bool {
    let mut start = [0; RECORDING_MARK.len()];
    let is_file = fs::metadata(path).is_ok_and(|data| data.is_file()); // reading a pipe may wait
    let mut read = || File::open(path)?.read_exact(&mut start);
    is_file && read().is_ok() && start == *RECORDING_MARK
}

fn is_flame_graph(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut end = [0; SVG_MARK.len()];
    file.seek(SeekFrom::End(-(end.len() as i64)))?;
    file.read_exact(&mut end)?;
    Ok(end == SVG_MARK.as_bytes())
}

/// Seconds since 1970.
pub fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// `sigspy-PROGRAM-TIME.sigspy`.
pub fn default_recording(program: &Path) -> PathBuf {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    format!("sigspy-{name}-{}.sigspy", timestamp(SystemTime::now())).into()
}

/// Year, month and day, in UTC.
pub fn today() -> (i64, i64, i64) {
    civil_date((seconds_since_1970() / 86400) as i64)
}

/// `20261124T134501Z`.
fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let (days, second) = ((seconds / 86400) as i64, seconds % 86400);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of so many days since 1970.
///
/// Source: Howard Hinnant, chrono-compatible low-level date algorithms, civil_from_days.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Points [`LATEST`] to `recording`, and `sigspy.sigspy.old` to the one before. Files of these
/// names that are no links are left alone.
pub fn point_to_latest(recording: &Path) -> io::Result<()> {
    point(Path::new(LATEST), recording)
}

/// A link is relative to its own folder, which for [`LATEST`] is this one.
fn point(latest: &Path, recording: &Path) -> io::Result<()> {
    if recording == latest {
        return Ok(());
    }
    let old = with_suffix(latest, ".old");
    match fs::symlink_metadata(latest) {
        Ok(data) if !data.is_symlink() => return Ok(()),
        Ok(_) if old.symlink_metadata().is_ok_and(|data| !data.is_symlink()) => {
            fs::remove_file(latest)?;
        }
        Ok(_) => fs::rename(latest, old)?,
        Err(_) => {}
    }
    symlink(recording, latest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_spelled_so_that_names_sort() {
        let at = |seconds| timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(951_782_400), "20000229T000000Z");
        assert_eq!(at(1_795_528_799), "20261124T135959Z");
    }

    #[test]
    fn only_our_own_files_are_replaced() {
        let folder = std::env::temp_dir().join(format!("sigspy-output-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("x.svg");
        fs::write(&path, "a letter").unwrap();
        assert!(matches!(create(&path, false), Err(Error::Exists(_))));
        assert!(create(&path, true).is_ok());
        fs::write(&path, format!("<svg></svg>{SVG_MARK}")).unwrap();
        assert!(create(&path, false).is_ok());
        assert!(is_ours(&folder.join("x.svg.old")));
        assert!(create(&path, false).is_ok(), "an empty file is one that was not finished");
        assert!(is_ours(&folder.join("x.svg.old")));
        assert!(create(&folder, false).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn nothing_is_put_aside_over_a_file_of_somebody_else() {
        let folder = std::env::temp_dir().join(format!("sigspy-old-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, old) = (folder.join("x.svg"), folder.join("x.svg.old"));
        let graph = format!("<svg></svg>{SVG_MARK}");
        fs::write(&path, &graph).unwrap();
        fs::write(&old, "a letter").unwrap();
        assert!(matches!(create(&path, false), Err(Error::Exists(at)) if at == old));
        assert_eq!(fs::read_to_string(&path).unwrap(), graph);
        assert_eq!(fs::read_to_string(&old).unwrap(), "a letter");
        assert!(create(&path, true).is_ok());
        assert_eq!(fs::read_to_string(&old).unwrap(), graph);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_link_to_the_latest_recording_replaces_links_alone() {
        let folder = std::env::temp_dir().join(format!("sigspy-latest-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (latest, old) = (folder.join(LATEST), with_suffix(&folder.join(LATEST), ".old"));
        let point_to = |name: &str| point(&latest, Path::new(name)).unwrap();
        ["one", "two", "three"].into_iter().for_each(point_to);
        assert_eq!(fs::read_link(&latest).unwrap(), Path::new("three"));
        assert_eq!(fs::read_link(&old).unwrap(), Path::new("two"));
        fs::remove_file(&old).unwrap();
        fs::write(&old, "a letter").unwrap();
        point_to("four");
        assert_eq!(fs::read_link(&latest).unwrap(), Path::new("four"));
        assert_eq!(fs::read_to_string(&old).unwrap(), "a letter");
        fs::remove_dir_all(&folder).unwrap();
    }
}
