//! Writes a recording, chunk by chunk, as it goes.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::chunk::{self, MAX_RAW};
use super::event::{Event, MetaEvent};

/// A chunk is written when it has so many bytes,
const ENOUGH: usize = 64 << 10;
/// or when its first event is so old.
const OLD_ENOUGH: Duration = Duration::from_millis(250);

/// Events on their way to a file, in chunks.
pub struct Chunked<W> {
    file: W,
    raw: Vec<u8>,
    oldest: Option<Instant>,
}

impl<W: Write> Chunked<W> {
    /// Chunks behind what `file` has already.
    pub fn new(file: W) -> Self {
        Self { file, raw: Vec::new(), oldest: None }
    }

    /// Adds one event. Written at once, or within a quarter of a second if [`Chunked::tick`] is
    /// called that often.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        let before = self.raw.len();
        postcard::to_io(event, &mut self.raw).map_err(io::Error::other)?;
        if self.raw.len() > MAX_RAW {
            // Only what comes in one piece can be that long: the image of a huge module.
            self.raw.truncate(before);
            return Ok(());
        }
        self.oldest.get_or_insert_with(Instant::now);
        if self.raw.len() >= ENOUGH { self.flush() } else { Ok(()) }
    }

    /// Writes a chunk that has waited long enough.
    pub fn tick(&mut self) -> io::Result<()> {
        let old = self.oldest.is_some_and(|oldest| oldest.elapsed() >= OLD_ENOUGH);
        if old { self.flush() } else { Ok(()) }
    }

    /// Writes what is there.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.raw.is_empty() {
            self.file.write_all(&chunk::encode(&self.raw))?;
        }
        self.raw.clear();
        self.oldest = None;
        Ok(())
    }

    /// What was not flushed is gone.
    pub fn into_inner(self) -> W {
        self.file
    }
}

/// Writes a whole recording.
pub struct Writer<W> {
    out: Chunked<W>,
    meta: MetaEvent,
}

impl<W: Write> Writer<W> {
    /// Writes the header and, so that one bad chunk does not cost it, `meta` twice.
    pub fn start(mut file: W, meta: MetaEvent) -> io::Result<Self> {
        file.write_all(&chunk::file_header())?;
        let mut out = Chunked::new(file);
        for _ in 0..2 {
            out.push(&Event::Meta(meta.clone()))?;
            out.flush()?;
        }
        Ok(Self { out, meta })
    }

    /// See [`Chunked::push`].
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        self.out.push(event)
    }

    /// See [`Chunked::tick`].
    pub fn tick(&mut self) -> io::Result<()> {
        self.out.tick()
    }

    /// Completes the recording.
    pub fn finish(mut self, duration_ns: u64, exit_code: Option<i32>) -> io::Result<W> {
        let meta = MetaEvent { duration_ns, exit_code, ..self.meta };
        self.out.push(&Event::Meta(meta))?;
        self.out.push(&Event::End)?;
        self.out.flush()?;
        let mut file = self.out.into_inner();
        file.flush()?;
        Ok(file)
    }
}
