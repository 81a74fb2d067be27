//! Programs that do to themselves what a profiler may not survive, at 97 and at 4000 Hz.
//!
//! Each runs bare and under sigspy, left alone and while a sibling fires forged SIGPROFs at it all
//! the time (`torture/forge.c`), which it counts or ignores. It must say the same and end the same,
//! and the accounting must add up: see `Case::check`. With `SIGSPY_FULL=1` the programs do ten times
//! as much, most of them several times and at more rates.

mod case;
mod confined;
mod disk;
mod signals;
mod storms;
