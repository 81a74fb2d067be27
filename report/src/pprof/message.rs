//! Protocol buffers, as far as pprof needs them to be written.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding>.

const VARINT: u32 = 0;
const BYTES: u32 = 2;

/// The bytes of one message. Numbers that are 0 are left out, as readers take them for that.
#[derive(Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn number(&mut self, field: u32, value: u64) -> &mut Self {
        if value != 0 {
            self.key(field, VARINT);
            varint(&mut self.0, value);
        }
        self
    }

    pub fn flag(&mut self, field: u32, value: bool) -> &mut Self {
        self.number(field, value.into())
    }

    /// Several numbers in one field.
    pub fn packed(&mut self, field: u32, values: impl IntoIterator<Item = u64>) -> &mut Self {
        let mut bytes = Vec::new();
        values.into_iter().for_each(|value| varint(&mut bytes, value));
        self.bytes(field, &bytes)
    }

    pub fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.key(field, BYTES);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn key(&mut self, field: u32, kind: u32) {
        varint(&mut self.0, u64::from(field << 3 | kind));
    }
}

/// Seven bits a byte, the lowest first; all bytes but the last have the eighth set.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_specification() {
        let mut message = Message::default();
        assert_eq!(message.number(1, 150).0, [0x08, 0x96, 0x01]);
        message.0.clear();
        assert_eq!(message.bytes(2, b"testing").0, b"\x12\x07testing");
        message.0.clear();
        assert_eq!(message.packed(6, [3, 270, 86942]).0, b"\x32\x06\x03\x8e\x02\x9e\xa7\x05");
        message.0.clear();
        assert_eq!(message.number(3, u64::MAX).0.len(), 11);
        message.0.clear();
        assert!(message.flag(4, false).0.is_empty());
    }
}
