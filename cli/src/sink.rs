//! Where a report goes.

use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::output;

/// Stands for standard output where a file is asked for.
pub const STDOUT: &str = "-";

/// Standard output, or a file that is removed again if nothing becomes of it.
pub struct Sink {
    out: BufWriter<Box<dyn Write>>,
    /// Until it is finished.
    file: Option<PathBuf>,
}

impl Sink {
    pub fn create(path: &Path, force: bool) -> Result<Self, Error> {
        if path == Path::new(STDOUT) {
            return Ok(Self { out: BufWriter::new(Box::new(stdout())), file: None });
        }
        let file = output::create(path, force)?;
        Ok(Self { out: BufWriter::new(Box::new(file)), file: Some(path.into()) })
    }

    /// Writes `end` and what is still buffered.
    pub fn finish(mut self, end: &str) -> Result<(), Error> {
        let written = self.out.write_all(end.as_bytes()).and_then(|()| self.out.flush());
        match written {
            Ok(()) => self.file = None,
            Err(error) => {
                let path = self.file.clone().unwrap_or_else(|| STDOUT.into());
                return Err(Error::Create(path, error));
            }
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file); // why nothing became of it is what matters
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
