//! Names in a recording: written when it is complete, at once or later and elsewhere.
//!
//! They come behind everything else, so that they can be added to a recording at any time. They
//! count only if all of them are there: a reader that finds fewer looks the names up itself.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use sigspy_model::{Frame, LocationId, Symbols};

use super::event::{Event, FrameEvent, language_number, language_of};
use super::writer::Chunked;

/// Longer texts are cut when they are written, and not believed when they are read: bytes.
const LONGEST_TEXT: usize = 16 << 10;
/// More frames at one location are not believed.
const MOST_FRAMES: usize = 256;

/// Appends the frames of `count` locations, numbered from 0, to a recording.
pub fn append<W: Write>(file: W, symbols: &Symbols, count: usize) -> io::Result<W> {
    let mut out = Chunked::new(file);
    let mut texts: HashMap<Arc<str>, u32> = HashMap::new();
    for location in 0..count as u32 {
        let mut frames = Vec::new();
        for frame in symbols.frames(LocationId(location)) {
            let function = number(&mut texts, &frame.function, &mut out)?;
            let file = frame.file.as_ref().map(|file| number(&mut texts, file, &mut out));
            frames.push(FrameEvent {
                function,
                file: file.transpose()?,
                line: frame.line,
                language: language_number(frame.language),
                inlined: frame.inlined,
            });
        }
        out.push(&Event::Frames { location, frames })?;
    }
    out.push(&Event::SymbolsEnd)?;
    out.flush()?;
    let mut file = out.into_inner();
    file.flush()?;
    Ok(file)
}

fn number<W: Write>(
    texts: &mut HashMap<Arc<str>, u32>,
    text: &Arc<str>,
    out: &mut Chunked<W>,
) -> io::Result<u32> {
    if let Some(id) = texts.get(text) {
        return Ok(*id);
    }
    let id = texts.len() as u32;
    texts.insert(text.clone(), id);
    out.push(&Event::Text { id, text: beginning(text).to_owned() })?;
    Ok(id)
}

/// As much of a text as is believed.
fn beginning(text: &str) -> &str {
    let ends = (0..=text.len().min(LONGEST_TEXT)).rev();
    ends.filter_map(|end| text.get(..end)).next().unwrap_or_default()
}

/// The names that were read so far.
#[derive(Default)]
pub struct Names {
    texts: HashMap<u32, Arc<str>>,
    /// By the place of the location.
    frames: HashMap<u32, Vec<Frame>>,
    complete: bool,
}

impl Names {
    pub fn add_text(&mut self, id: u32, text: String) {
        if text.len() <= LONGEST_TEXT {
            self.texts.insert(id, text.into());
        }
    }

    /// Frames with a text that is missing are none.
    pub fn add_frames(&mut self, place: u32, frames: Vec<FrameEvent>) {
        let frame = |event: &FrameEvent| {
            Some(Frame {
                function: self.texts.get(&event.function)?.clone(),
                file: event.file.map_or(Some(None), |id| self.texts.get(&id).cloned().map(Some))?,
                line: event.line,
                language: language_of(event.language),
                inlined: event.inlined,
            })
        };
        let frames: Option<Vec<Frame>> = frames.iter().take(MOST_FRAMES).map(frame).collect();
        if let Some(frames) = frames.filter(|frames| ends_in_a_function(frames)) {
            self.frames.insert(place, frames);
        }
    }

    pub fn end(&mut self) {
        self.complete = true;
    }

    /// Whether nothing follows.
    pub fn are_complete(&self) -> bool {
        self.complete
    }

    /// The frames of all `count` locations, if all are there.
    pub fn finish(mut self, count: usize) -> Option<Symbols> {
        let frames = (0..count as u32).map(|place| self.frames.remove(&place));
        let frames: Option<Vec<_>> = frames.collect();
        frames.filter(|_| self.complete).map(Symbols::new)
    }
}

/// The last frame is the physical function, and the only one.
fn ends_in_a_function(frames: &[Frame]) -> bool {
    let physical = frames.iter().position(|frame| !frame.inlined);
    physical.is_some_and(|place| place + 1 == frames.len())
}
