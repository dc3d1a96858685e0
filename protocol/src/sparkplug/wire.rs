//! The parts of protobuf that are needed: varints, fixed numbers, lengths. Reading moves nothing past the end.

use crate::error::WireError;

/// A field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begins in the payload, for errors.
    base: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    /// In the payload.
    pub(super) const fn offset(&self) -> usize {
        self.base + self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(count);
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            let missing = count - (self.bytes.len() - self.at).min(count);
            return Err(WireError::Truncated { offset: self.offset(), wanted: missing });
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let offset = self.offset();
        self.take(N)?.try_into().map_err(|_| WireError::Truncated { offset, wanted: N })
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let offset = self.offset();
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array::<1>()?;
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Invalid { offset, what: "a varint longer than 64 bits" })
    }

    /// Number and value of the next field; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u64, Field<'a>)>, WireError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let offset = self.offset();
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 {
            return Err(WireError::Invalid { offset, what: "a field without a number" });
        }
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let offset = self.offset();
                let length = self.varint()?;
                let length = usize::try_from(length)
                    .map_err(|_| WireError::Invalid { offset, what: "a length beyond the payload" })?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(WireError::Invalid { offset, what: "a wire type that is not used" }),
        };
        Ok(Some((number, field)))
    }
}

#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    fn raw_varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.0.push(low & 0x7F);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    pub(super) fn varint(&mut self, number: u64, value: u64) {
        self.raw_varint(number << 3);
        self.raw_varint(value);
    }

    pub(super) fn bytes(&mut self, number: u64, value: &[u8]) {
        self.raw_varint(number << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn fixed32(&mut self, number: u64, value: u32) {
        self.raw_varint(number << 3 | 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fixed64(&mut self, number: u64, value: u64) {
        self.raw_varint(number << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}
