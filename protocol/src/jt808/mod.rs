//! JT/T 808 (2011, 2013, 2019 headers on one port): framer, header, messages, encoders.
//!
//! ```text
//! 7e | header 12/16 or 17/21 bytes | body | check | 7e        7e → 7d 02, 7d → 7d 01 inside
//! ```
//!
//! [`Framer`] gives frames un-escaped, from the first header byte through the check byte; that is also how they are kept.
//! [`Parts::split`] reads check and header, [`Decoded::read`] the body. A decoder never drops a message for one bad item:
//! what cannot be read is named among the problems and kept as bytes.

mod encode;
mod frame;
mod header;
mod message;
mod position;
#[cfg(test)]
mod tests;

pub use encode::{encode, encode_position, encode_raw};
pub use frame::{Event, FRAME_BYTES_MAX, Framer, check, escape};
pub use header::{Header, Packet, Parts, Phone, Version};
pub use message::{Authenticate, Batch, BatchKind, Decoded, Message, Problem, ProblemCode, Register, RegisterForm, id};
pub use position::{Item, ItemValue, Position, status};

use crate::Stamp;

/// `YYMMDDhhmmss` of six BCD bytes; `None` when a nibble is no digit. Years are of this century.
pub fn bcd_time(bytes: &[u8]) -> Option<Stamp> {
    let [year, month, day, hour, minute, second] = bytes else { return None };
    let number = |byte: u8| (byte >> 4 < 10 && byte & 15 < 10).then_some((byte >> 4) * 10 + (byte & 15));
    let year = 2000 + u16::from(number(*year)?);
    Some((year, number(*month)?, number(*day)?, number(*hour)?, number(*minute)?, number(*second)?, 0))
}

/// Six BCD bytes of a time; its century and milliseconds are lost, fields above 99 are written modulo 100.
pub fn time_bcd(time: Stamp) -> [u8; 6] {
    let bcd = |number: u8| ((number / 10 % 10) << 4) | (number % 10);
    let year = u8::try_from(time.0 % 100).unwrap_or(0);
    [bcd(year), bcd(time.1), bcd(time.2), bcd(time.3), bcd(time.4), bcd(time.5)]
}
