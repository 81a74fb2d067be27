//! What a program needs in its environment to load the agent and to find the collector.
#![allow(unsafe_code, reason = "bytes that were initialised one by one")]

use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::control::{Control, ENVIRONMENT_WORDS};

const BYTES: usize = ENVIRONMENT_WORDS * 8;

/// Two variables, `NAME=value` each, ended by NUL. A copy: what lies in shared memory may change.
pub struct Environment {
    bytes: [u8; BYTES],
    second: usize,
}

impl Environment {
    /// The variables that the collector names.
    pub fn read(control: &Control) -> Self {
        let mut bytes = [0; BYTES];
        for (to, word) in bytes.chunks_exact_mut(8).zip(&control.environment) {
            to.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        // Two NULs at the end, whatever was written there.
        if let Some(end) = bytes.last_chunk_mut::<2>() {
            *end = [0; 2];
        }
        let second = bytes.iter().position(|&byte| byte == 0).map_or(0, |end| end + 1);
        Self { bytes, second }
    }

    /// `LD_PRELOAD=...` with the agent alone, without NUL.
    pub fn preload(&self) -> &[u8] {
        self.variable(0)
    }

    /// `SIGSPY_SESSION=...`, without NUL.
    pub fn session(&self) -> &[u8] {
        self.variable(self.second)
    }

    /// Without NUL, which follows.
    fn variable(&self, start: usize) -> &[u8] {
        let rest = self.bytes.get(start..).unwrap_or_default();
        rest.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}
