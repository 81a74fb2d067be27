//! What the fuzz targets share: a limit on memory, and recordings to make and to look at.

mod memory;
mod recording;

pub use recording::{assert_sound, file_of_events, read, repair, report, report_with};
