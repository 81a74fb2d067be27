//! How the agent and the collector meet.
//!
//! The agent's constructor connects to the Unix socket that [`SOCKET_VARIABLE`] names and sends
//! a [`Hello`]. The collector answers with a [`Welcome`] and, as SCM_RIGHTS, two descriptors:
//! the shared memory of this process ([`crate::layout`]) and the arena of unwind tables, which
//! is read-only. It answers when the tables of all mapped modules are in place, or its patience
//! is at an end. The agent maps both, closes all three descriptors, arms, and never speaks again.

/// Environment variable with the path of the collector's socket.
pub const SOCKET_VARIABLE: &str = "SIGSPY_SESSION";

const MAGIC: u32 = u32::from_le_bytes(*b"SSPY");

/// From the agent.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    pub magic: u32,
    pub version: u32,
}

impl Hello {
    /// What this build says.
    pub const OURS: Self = Self { magic: MAGIC, version: crate::VERSION };

    /// As sent.
    pub fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.magic) | u64::from(self.version) << 32).to_le_bytes()
    }

    /// As received.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let word = u64::from_le_bytes(bytes);
        Self { magic: word as u32, version: (word >> 32) as u32 }
    }
}

/// From the collector. Comes with two descriptors, or none where the collector declines.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    pub hello: Hello,
    pub lanes: u32,
    /// Length of the arena, bytes.
    pub arena_length: u32,
}

impl Welcome {
    /// As sent.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (hello, rest) = bytes.split_at_mut(8);
        hello.copy_from_slice(&self.hello.to_bytes());
        let word = u64::from(self.lanes) | u64::from(self.arena_length) << 32;
        rest.copy_from_slice(&word.to_le_bytes());
        bytes
    }

    /// As received; `None` from another build.
    pub fn from_bytes(bytes: &[u8; 16]) -> Option<Self> {
        let (hello, rest) = bytes.split_first_chunk::<8>()?;
        let word = u64::from_le_bytes(*rest.first_chunk()?);
        let hello = Hello::from_bytes(*hello);
        let welcome = Self { hello, lanes: word as u32, arena_length: (word >> 32) as u32 };
        (hello == Hello::OURS).then_some(welcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_trip() {
        assert_eq!(Hello::from_bytes(Hello::OURS.to_bytes()), Hello::OURS);
        let welcome = Welcome { hello: Hello::OURS, lanes: 8, arena_length: 1 << 26 };
        assert_eq!(Welcome::from_bytes(&welcome.to_bytes()), Some(welcome));
    }

    #[test]
    fn another_build_is_not_understood() {
        let hello = Hello { version: crate::VERSION + 1, ..Hello::OURS };
        let welcome = Welcome { hello, lanes: 8, arena_length: 0 };
        assert_eq!(Welcome::from_bytes(&welcome.to_bytes()), None);
    }
}
