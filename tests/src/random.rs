//! Random numbers for tests that try many places; a failed test prints its seed.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// A generator of pseudo-random numbers (xorshift64). `SIGSPY_SEED` repeats a run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with a new seed, which is printed: the output of a failed test shows it.
    pub fn new() -> Self {
        let seed = env::var("SIGSPY_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.as_nanos() as u64
        });
        println!("to run this again: SIGSPY_SEED={seed}");
        Self(seed | 1)
    }

    /// A number from 0 to `limit - 1`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
