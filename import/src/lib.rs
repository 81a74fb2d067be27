//! Profiles of other tools as profiles of sigspy: folded stacks, pprof, the text of `perf script`.
//!
//! What is read is untrusted. Whatever it says, memory stays in proportion to its size, nothing
//! recurses, and what makes no sense is an error that says where. Files that sigspy has exported
//! come back as they were: frames such as `[lost]` are time without a stack again.

mod builder;
mod error;
mod folded;
mod perf;
mod pprof;
mod pseudo;
mod sniff;

use std::str::FromStr;

use sigspy_model::{Profile, Symbols};

pub use error::Error;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line for each stack: root first, `;` between frames, the count last.
    Folded,
    /// Of `go tool pprof` and many others, gzipped or not.
    Pprof,
    /// The text that `perf script` writes.
    Perf,
}

/// What the file does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// `None`: what it looks like.
    pub format: Option<Format>,
    /// Nanoseconds that one stands for where numbers have no unit: in folded stacks, and in events
    /// of perf that count no time.
    pub unit: Unit,
    /// What it is called.
    pub name: String,
}

/// What one stands for, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(pub u64);

impl Default for Unit {
    /// A microsecond, as in the folded stacks of sigspy.
    fn default() -> Self {
        Self(1000)
    }
}

impl FromStr for Unit {
    type Err = String;

    /// A whole number and `ns`, `us`, `ms` or `s`: up to an hour.
    fn from_str(text: &str) -> Result<Self, String> {
        const LONGEST_NS: u64 = 3_600_000_000_000;
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = text[..text.len() - unit.len()].parse::<u64>();
        let factor = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => return Err("a whole number and ns, us, ms or s".to_owned()),
        };
        let ns = number.ok().and_then(|number| number.checked_mul(factor));
        match ns {
            Some(ns @ 1..=LONGEST_NS) => Ok(Self(ns)),
            _ => Err("a time from 1ns to an hour".to_owned()),
        }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Imported {
    pub profile: Profile,
    /// Of all its locations.
    pub symbols: Symbols,
    /// What the reader should know, a sentence each.
    pub notes: Vec<String>,
}

/// Reads the bytes of a file.
pub fn import(bytes: &[u8], options: &Options) -> Result<Imported, Error> {
    match options.format.map_or_else(|| sniff::sniff(bytes), Ok)? {
        Format::Folded => folded::read(bytes, options),
        Format::Pprof => pprof::read(bytes, options),
        Format::Perf => perf::read(bytes, options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_times() {
        assert_eq!("10ms".parse(), Ok(Unit(10_000_000)));
        assert_eq!("1us".parse(), Ok(Unit::default()));
        for bad in ["", "ms", "0s", "5", "5 ms", "1.5s", "99999999999999999999s", "2000000000s"] {
            assert!(bad.parse::<Unit>().is_err(), "{bad}");
        }
    }
}
