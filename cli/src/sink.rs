//! Where a report goes.

use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::output::{self, Output};

/// Stands for standard output where a file is asked for.
pub const STDOUT: &str = "-";

/// Standard output, or a file that is removed again if nothing becomes of it.
pub struct Sink {
    out: BufWriter<Box<dyn Write>>,
    path: PathBuf,
    /// Whether it is to be removed: one that we have made is, until it is finished.
    is_surplus: bool,
}

impl Sink {
    pub fn create(path: &Path, force: bool) -> Result<Self, Error> {
        if path == Path::new(STDOUT) {
            let out = BufWriter::new(Box::new(stdout()) as Box<dyn Write>);
            return Ok(Self { out, path: path.into(), is_surplus: false });
        }
        let Output { file, is_new } = output::open(path, force)?;
        let out = BufWriter::new(Box::new(file) as Box<dyn Write>);
        Ok(Self { out, path: path.into(), is_surplus: is_new })
    }

    /// Writes `end` and what is still buffered.
    pub fn finish(mut self, end: &str) -> Result<(), Error> {
        let written = self.out.write_all(end.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|error| Error::Create(self.path.clone(), error))?;
        self.is_surplus = false;
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.is_surplus {
            let _ = std::fs::remove_file(&self.path); // why nothing became of it is what matters
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_cannot_be_written_is_removed_only_if_it_was_made_for_that() {
        let folder = std::env::temp_dir().join(format!("sigspy-sink-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let (device, file) = (folder.join("device"), folder.join("file"));
        std::os::unix::fs::symlink("/dev/full", &device).unwrap();
        let failed = Sink::create(&device, false).unwrap().finish("report");
        assert!(matches!(failed, Err(Error::Create(path, _)) if path == device));
        assert!(device.symlink_metadata().is_ok());
        drop(Sink::create(&file, false).unwrap());
        assert!(!file.exists());
        Sink::create(&file, false).unwrap().finish("report").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"report");
        fs::remove_dir_all(&folder).unwrap();
    }
}
