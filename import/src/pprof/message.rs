//! Protocol buffers, as far as pprof needs them to be read.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding>.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A kind that no message of pprof has.
    Other,
}

impl<'a> Value<'a> {
    pub fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            _ => 0,
        }
    }

    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// The numbers of a repeated field: one, or several packed into one.
    pub fn numbers(self) -> Numbers<'a> {
        match self {
            Self::Number(number) => Numbers { one: Some(number), packed: &[] },
            _ => Numbers { one: None, packed: self.bytes() },
        }
    }
}

pub struct Numbers<'a> {
    one: Option<u64>,
    packed: &'a [u8],
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    /// Ends at what is no number.
    fn next(&mut self) -> Option<u64> {
        self.one.take().or_else(|| varint(&mut self.packed))
    }
}

/// The fields of a message, until one makes no sense.
pub struct Fields<'a> {
    rest: &'a [u8],
    /// The rest makes no sense.
    pub broken: bool,
}

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message, broken: false }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.rest.is_empty() || self.broken {
            return None;
        }
        let field = field(&mut self.rest);
        self.broken = field.is_none();
        field
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Number(varint(rest)?),
        1 => rest.split_off(..8).map(|_| Value::Other)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(rest.split_off(..length)?)
        }
        5 => rest.split_off(..4).map(|_| Value::Other)?,
        _ => return None,
    };
    Some(Field { number: key >> 3, value })
}

/// Seven bits a byte, the lowest first; all bytes but the last have the eighth set.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_specification_has_them() {
        let bytes = b"\x08\x96\x01\x12\x07testing\x32\x06\x03\x8e\x02\x9e\xa7\x05\x19........";
        let mut fields = Fields::new(bytes);
        assert_eq!(fields.next(), Some(Field { number: 1, value: Value::Number(150) }));
        assert_eq!(fields.next(), Some(Field { number: 2, value: Value::Bytes(b"testing") }));
        let numbers: Vec<u64> = fields.next().unwrap().value.numbers().collect();
        assert_eq!(numbers, [3, 270, 86942]);
        assert_eq!(fields.next(), Some(Field { number: 3, value: Value::Other }));
        assert_eq!((fields.next(), fields.broken), (None, false));
    }

    #[test]
    fn what_is_cut_or_too_long_is_broken() {
        for bytes in [
            &b"\x08"[..],
            b"\x0a\x05abc",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0b",
        ] {
            let mut fields = Fields::new(bytes);
            assert_eq!((fields.next(), fields.broken), (None, true), "{bytes:?}");
        }
    }
}
