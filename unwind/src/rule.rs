//! What to do in one range of code to come to the caller.
//!
//! ```text
//!  0 kind   1 register of the CFA   2 flags   3 register of the return address
//!  4 offset, i32
//!  8 where rbp is saved, i16     10 where rbx is saved, i16: in words
//! 12 second, i32
//! ```
//! Flags: bits 0 and 1 for rbp, 2 and 3 for rbx (0 kept, 1 saved beside the CFA, 2 lost, 3 saved
//! beside rbp), bit 4: the return address is in a register.

use crate::arch;

/// How the CFA is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Code that nothing is known about, or no code.
    Gap = 0,
    /// There is call frame information, but none that a rule can express.
    Unsupported = 1,
    /// The outermost function: there is no caller.
    End = 2,
    /// What a signal handler returns to: the kernel's frame holds all registers.
    Signal = 3,
    /// CFA = register + offset.
    Register = 4,
    /// CFA = register + offset, and 8 more where the low four bits of the program counter are at
    /// least `second`: an entry of a procedure linkage table, behind its push.
    Plt = 5,
    /// CFA = *(register + offset) + second: frames that were realigned.
    Deref = 6,
    /// Go code that has called C, which runs on another stack.
    GoCall = 7,
    /// CFA = *(register + offset + 8 * r9) + second: frames behind an array of r9 words, which
    /// OpenSSL's multiplication of large numbers makes.
    Indexed = 8,
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Saved {
    /// Still in the register.
    #[default]
    Kept,
    /// In memory, this many words of 8 bytes from the CFA.
    At(i16),
    /// In memory, this many words from where rbp points: frames that were realigned.
    BesideRbp(i16),
    /// Nowhere that a rule can say.
    Lost,
}

/// Where the return address is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReturnAddress {
    /// In the word below the CFA.
    #[default]
    BelowCfa,
    /// In the register with this DWARF number.
    Register(u8),
}

/// One rule, decoded. `register` is a DWARF number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    pub kind: Kind,
    pub register: u8,
    pub offset: i32,
    pub second: i32,
    pub rbp: Saved,
    pub rbx: Saved,
    pub return_address: ReturnAddress,
}

/// Bytes of a rule in a table.
pub(crate) const SIZE: usize = 16;
const RETURN_REGISTER: u8 = 1 << 4;

impl Rule {
    pub const GAP: Self = Self::plain(Kind::Gap);
    pub const UNSUPPORTED: Self = Self::plain(Kind::Unsupported);
    pub const END: Self = Self::plain(Kind::End);
    pub const SIGNAL: Self = Self::plain(Kind::Signal);
    pub const GO_CALL: Self = Self::plain(Kind::GoCall);

    /// A rule with nothing but a kind.
    pub const fn plain(kind: Kind) -> Self {
        Self {
            kind,
            register: 0,
            offset: 0,
            second: 0,
            rbp: Saved::Kept,
            rbx: Saved::Kept,
            return_address: ReturnAddress::BelowCfa,
        }
    }

    /// CFA = register + offset, and all else in its usual place.
    pub const fn cfa(register: u8, offset: i32) -> Self {
        Self { register, offset, ..Self::plain(Kind::Register) }
    }

    /// CFA = rsp + offset, and 8 more from `threshold` on in each entry.
    #[cfg(feature = "compile")]
    pub(crate) const fn plt(offset: i32, threshold: i32) -> Self {
        Self { kind: Kind::Plt, second: threshold, ..Self::cfa(arch::RSP, offset) }
    }

    /// `None`: no compiler of ours has written this. Async-signal-safe.
    #[inline(always)]
    pub(crate) fn decode(bytes: &[u8; SIZE]) -> Option<Self> {
        let &[kind, register, flags, return_register, o0, o1, o2, o3, p0, p1, x0, x1, s @ ..] =
            bytes;
        let rule = Self {
            kind: Kind::from_u8(kind)?,
            register,
            offset: i32::from_le_bytes([o0, o1, o2, o3]),
            second: i32::from_le_bytes(s),
            rbp: Saved::decode(flags & 3, [p0, p1])?,
            rbx: Saved::decode(flags >> 2 & 3, [x0, x1])?,
            return_address: match flags & RETURN_REGISTER {
                0 => ReturnAddress::BelowCfa,
                _ => ReturnAddress::Register(return_register),
            },
        };
        let registers_exist =
            register < arch::REGISTERS && return_register < arch::REGISTERS && flags >> 5 == 0;
        registers_exist.then_some(rule)
    }

    /// The inverse of `decode`.
    #[cfg(any(test, feature = "compile"))]
    pub(crate) fn encode(&self) -> [u8; SIZE] {
        let (rbp_flag, [p0, p1]) = self.rbp.encode();
        let (rbx_flag, [x0, x1]) = self.rbx.encode();
        let (return_flag, return_register) = match self.return_address {
            ReturnAddress::BelowCfa => (0, 0),
            ReturnAddress::Register(register) => (RETURN_REGISTER, register),
        };
        let flags = rbp_flag | rbx_flag << 2 | return_flag;
        let [o0, o1, o2, o3] = self.offset.to_le_bytes();
        let [s0, s1, s2, s3] = self.second.to_le_bytes();
        let kind = self.kind as u8;
        let register = self.register;
        [kind, register, flags, return_register, o0, o1, o2, o3, p0, p1, x0, x1, s0, s1, s2, s3]
    }
}

impl Kind {
    fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Gap,
            1 => Self::Unsupported,
            2 => Self::End,
            3 => Self::Signal,
            4 => Self::Register,
            5 => Self::Plt,
            6 => Self::Deref,
            7 => Self::GoCall,
            8 => Self::Indexed,
            _ => return None,
        })
    }
}

impl Saved {
    #[inline(always)]
    fn decode(flag: u8, words: [u8; 2]) -> Option<Self> {
        match flag {
            0 => Some(Self::Kept),
            1 => Some(Self::At(i16::from_le_bytes(words))),
            2 => Some(Self::Lost),
            3 => Some(Self::BesideRbp(i16::from_le_bytes(words))),
            _ => None,
        }
    }

    #[cfg(any(test, feature = "compile"))]
    fn encode(self) -> (u8, [u8; 2]) {
        match self {
            Self::Kept => (0, [0, 0]),
            Self::At(words) => (1, words.to_le_bytes()),
            Self::Lost => (2, [0, 0]),
            Self::BesideRbp(words) => (3, words.to_le_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_decoded_is_what_was_encoded(bytes: [u8; SIZE], kind in 0..9_u8, flags in 0..32_u8) {
            let mut bytes = bytes;
            (bytes[0], bytes[2]) = (kind, flags);
            (bytes[1], bytes[3]) = (bytes[1] % 16, bytes[3] % 16);
            let rule = Rule::decode(&bytes).unwrap();
            prop_assert_eq!(Rule::decode(&rule.encode()), Some(rule));
        }

        #[test]
        fn bytes_that_mean_nothing_are_no_rule(bytes: [u8; SIZE]) {
            let is_rule = bytes[0] < 9 && bytes[1] < 16 && bytes[2] < 32 && bytes[3] < 16;
            prop_assert_eq!(Rule::decode(&bytes).is_some(), is_rule);
        }
    }
}
