//! How the agent and the collector meet.
//!
//! The agent's constructor connects to the Unix socket that [`SOCKET_VARIABLE`] names (or starts
//! a collector at the other end of a pair of sockets, if [`OUTPUT_VARIABLES`] ask for that) and
//! sends a [`Hello`]. The collector answers with a [`Welcome`] and, as SCM_RIGHTS, two descriptors:
//! the shared memory of this process ([`crate::layout`]) and the arena of unwind tables, which
//! is read-only. It answers when the tables of all mapped modules are in place, or its patience
//! is at an end. The agent maps both, closes all three descriptors, arms, and never speaks again.

/// Environment variable with the path of the collector's socket.
pub const SOCKET_VARIABLE: &str = "SIGSPY_SESSION";

/// Any of these asks for a recording where there is no collector yet.
pub const OUTPUT_VARIABLES: [&str; 3] = ["SIGSPY_OUTPUT", "SIGSPY_MODE", "CPUPROFILE"];

const MAGIC: u32 = u32::from_le_bytes(*b"SSPY");

/// Which build speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    magic: u32,
    version: u32,
}

impl Version {
    /// This one.
    pub const OURS: Self = Self { magic: MAGIC, version: crate::VERSION };

    fn to_word(self) -> u64 {
        u64::from(self.magic) | u64::from(self.version) << 32
    }

    fn from_word(word: u64) -> Self {
        Self { magic: word as u32, version: (word >> 32) as u32 }
    }
}

/// From the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The pid by which the agent knows its process. The collector may know it by another, if it
    /// is in a namespace of its own.
    pub pid: u32,
}

impl Hello {
    /// As sent.
    pub fn to_bytes(self) -> [u8; 16] {
        pair(Version::OURS.to_word(), self.pid.into())
    }

    /// As received; `None` from another build.
    pub fn from_bytes(bytes: &[u8; 16]) -> Option<Self> {
        let (version, pid) = unpair(bytes);
        (Version::from_word(version) == Version::OURS).then_some(Self { pid: pid as u32 })
    }
}

fn pair(first: u64, second: u64) -> [u8; 16] {
    (u128::from(first) | u128::from(second) << 64).to_le_bytes()
}

fn unpair(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

/// From the collector. Comes with two descriptors, or none where the collector declines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    pub lanes: u32,
    /// Length of the arena, bytes.
    pub arena_length: u32,
}

impl Welcome {
    /// As sent.
    pub fn to_bytes(self) -> [u8; 16] {
        let sizes = u64::from(self.lanes) | u64::from(self.arena_length) << 32;
        pair(Version::OURS.to_word(), sizes)
    }

    /// As received; `None` from another build.
    pub fn from_bytes(bytes: &[u8; 16]) -> Option<Self> {
        let (version, sizes) = unpair(bytes);
        let welcome = Self { lanes: sizes as u32, arena_length: (sizes >> 32) as u32 };
        (Version::from_word(version) == Version::OURS).then_some(welcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_trip() {
        let hello = Hello { pid: 4711 };
        assert_eq!(Hello::from_bytes(&hello.to_bytes()), Some(hello));
        let welcome = Welcome { lanes: 8, arena_length: 1 << 26 };
        assert_eq!(Welcome::from_bytes(&welcome.to_bytes()), Some(welcome));
    }

    #[test]
    fn another_build_is_not_understood() {
        let mut welcome = Welcome { lanes: 8, arena_length: 0 }.to_bytes();
        welcome[4] += 1;
        assert_eq!(Welcome::from_bytes(&welcome), None);
    }
}
