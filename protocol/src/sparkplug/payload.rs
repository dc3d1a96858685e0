//! Payload and metrics, read without copying.

use super::wire::{Field, Reader, Writer};
use crate::error::WireError;

/// Most metrics of one payload.
pub const METRICS_MAX: usize = 10_000;
/// Longest name of a metric in bytes.
pub const NAME_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload<'a> {
    /// UTC milliseconds.
    pub timestamp: Option<u64>,
    /// 0–255 by the specification; read as it came.
    pub seq: Option<u64>,
    pub metrics: Vec<Metric<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Metric<'a> {
    pub name: Option<&'a str>,
    pub alias: Option<u64>,
    /// UTC milliseconds.
    pub timestamp: Option<u64>,
    /// See [`DataType`].
    pub datatype: Option<u32>,
    /// It was kept while the node was away: not the current value.
    pub is_historical: bool,
    pub is_transient: bool,
    pub is_null: bool,
    pub value: Value<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Value<'a> {
    #[default]
    Absent,
    /// Of 8 to 32 bits; signed ones as two's complement.
    Int(u32),
    /// Of 64 bits; signed ones as two's complement.
    Long(u64),
    Float(f32),
    Double(f64),
    Bool(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// A data set, a template, an extension: passed over.
    Other,
}

/// Numbers of the data types that have a number as value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataType;

impl DataType {
    pub const INT8: u32 = 1;
    pub const INT16: u32 = 2;
    pub const INT32: u32 = 3;
    pub const INT64: u32 = 4;
    pub const UINT8: u32 = 5;
    pub const UINT16: u32 = 6;
    pub const UINT32: u32 = 7;
    pub const UINT64: u32 = 8;
    pub const FLOAT: u32 = 9;
    pub const DOUBLE: u32 = 10;
    pub const BOOLEAN: u32 = 11;
    pub const STRING: u32 = 12;
    pub const DATE_TIME: u32 = 13;
    pub const TEXT: u32 = 14;
}

impl Value<'_> {
    /// The number that it is under a data type; `None` for what is none: text, not a number, infinity, or a date.
    pub fn number(self, datatype: Option<u32>) -> Option<f64> {
        let number = match (self, datatype) {
            (Self::Long(_), Some(DataType::DATE_TIME))
            | (Self::Absent | Self::Text(_) | Self::Bytes(_) | Self::Other, _) => return None,
            // An 8-bit -1 comes as 0xFFFFFFFF or as 0xFF.
            (Self::Int(raw), Some(DataType::INT8)) => f64::from(i8::from_le_bytes([raw.to_le_bytes()[0]])),
            (Self::Int(raw), Some(DataType::INT16)) => {
                let [a, b, ..] = raw.to_le_bytes();
                f64::from(i16::from_le_bytes([a, b]))
            }
            (Self::Int(raw), Some(DataType::INT32)) => f64::from(raw.cast_signed()),
            (Self::Int(raw), _) => f64::from(raw),
            (Self::Long(raw), Some(DataType::INT8 | DataType::INT16 | DataType::INT32 | DataType::INT64)) => {
                whole(raw.cast_signed() < 0, raw.cast_signed().unsigned_abs())
            }
            (Self::Long(raw), _) => whole(false, raw),
            (Self::Float(value), _) => f64::from(value),
            (Self::Double(value), _) => value,
            (Self::Bool(on), _) => f64::from(u8::from(on)),
        };
        Some(number).filter(|number| number.is_finite())
    }
}

/// The nearest number; measured values are far below where the two differ.
fn whole(negative: bool, magnitude: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counters beyond 2^53 lose their last digits, as in every f64")]
    let value = magnitude as f64;
    if negative { -value } else { value }
}

impl<'a> Payload<'a> {
    /// # Errors
    /// Bytes that are no payload, with where; more metrics, or a longer name, than allowed.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut payload = Self::default();
        let mut reader = Reader::new(bytes, 0);
        loop {
            let Some((number, field)) = reader.field()? else { return Ok(payload) };
            match (number, field) {
                (1, Field::Varint(at)) => payload.timestamp = Some(at),
                (2, Field::Bytes(metric)) => {
                    if payload.metrics.len() >= METRICS_MAX {
                        return Err(WireError::Oversize { limit: METRICS_MAX });
                    }
                    payload.metrics.push(Metric::read(metric, reader.offset() - metric.len())?);
                }
                (3, Field::Varint(seq)) => payload.seq = Some(seq),
                // A UUID, a body of the application's own.
                _ => {}
            }
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        if let Some(at) = self.timestamp {
            out.varint(1, at);
        }
        for metric in &self.metrics {
            out.bytes(2, &metric.encode());
        }
        if let Some(seq) = self.seq {
            out.varint(3, seq);
        }
        out.0
    }

    /// The metric of a name.
    pub fn metric(&self, name: &str) -> Option<&Metric<'a>> {
        self.metrics.iter().find(|metric| metric.name == Some(name))
    }
}

impl<'a> Metric<'a> {
    fn read(bytes: &'a [u8], base: usize) -> Result<Self, WireError> {
        let mut metric = Self::default();
        let mut reader = Reader::new(bytes, base);
        loop {
            let Some((number, field)) = reader.field()? else { return Ok(metric) };
            let start = |run: &[u8]| reader.offset() - run.len();
            match (number, field) {
                (1, Field::Bytes(name)) => {
                    if name.len() > NAME_BYTES_MAX {
                        return Err(WireError::Oversize { limit: NAME_BYTES_MAX });
                    }
                    metric.name = Some(text(name, start(name))?);
                }
                (2, Field::Varint(alias)) => metric.alias = Some(alias),
                (3, Field::Varint(at)) => metric.timestamp = Some(at),
                (4, Field::Varint(datatype)) => metric.datatype = u32::try_from(datatype).ok(),
                (5, Field::Varint(on)) => metric.is_historical = on != 0,
                (6, Field::Varint(on)) => metric.is_transient = on != 0,
                (7, Field::Varint(on)) => metric.is_null = on != 0,
                // Signed ones may come sign-extended to 64 bits.
                (10, Field::Varint(value)) => {
                    let [a, b, c, d, ..] = value.to_le_bytes();
                    metric.value = Value::Int(u32::from_le_bytes([a, b, c, d]));
                }
                (11, Field::Varint(value)) => metric.value = Value::Long(value),
                (12, Field::Fixed32(bits)) => metric.value = Value::Float(f32::from_bits(bits)),
                (13, Field::Fixed64(bits)) => metric.value = Value::Double(f64::from_bits(bits)),
                (14, Field::Varint(on)) => metric.value = Value::Bool(on != 0),
                (15, Field::Bytes(value)) => metric.value = Value::Text(text(value, start(value))?),
                (16, Field::Bytes(value)) => metric.value = Value::Bytes(value),
                (17..=19, Field::Bytes(_)) => metric.value = Value::Other,
                // Metadata and properties.
                _ => {}
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        if let Some(name) = self.name {
            out.bytes(1, name.as_bytes());
        }
        let numbers = [(2, self.alias), (3, self.timestamp), (4, self.datatype.map(u64::from))];
        for (number, value) in numbers {
            if let Some(value) = value {
                out.varint(number, value);
            }
        }
        for (number, on) in [(5, self.is_historical), (6, self.is_transient), (7, self.is_null)] {
            if on {
                out.varint(number, 1);
            }
        }
        match self.value {
            Value::Absent => {}
            Value::Int(value) => out.varint(10, u64::from(value)),
            Value::Long(value) => out.varint(11, value),
            Value::Float(value) => out.fixed32(12, value.to_bits()),
            Value::Double(value) => out.fixed64(13, value.to_bits()),
            Value::Bool(on) => out.varint(14, u64::from(on)),
            Value::Text(value) => out.bytes(15, value.as_bytes()),
            Value::Bytes(value) => out.bytes(16, value),
            Value::Other => out.bytes(17, &[]),
        }
        out.0
    }
}

fn text(bytes: &[u8], offset: usize) -> Result<&str, WireError> {
    std::str::from_utf8(bytes)
        .map_err(|error| WireError::Invalid { offset: offset + error.valid_up_to(), what: "text that is not UTF-8" })
}
