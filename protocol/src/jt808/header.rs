//! The message header. Bit 14 of the attributes tells the 2019 layout; terminals exist that send it with the bit clear,
//! so where the declared body length disagrees with one layout and agrees with the other, the other is taken.

use super::frame::check;
use crate::reader::Reader;
use std::fmt;

/// Which layout the header has. 2011 and 2013 share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    V2013,
    /// With the protocol version byte (1 for the 2019 issue).
    V2019 {
        protocol: u8,
    },
}

impl Version {
    pub const fn is_2019(self) -> bool {
        matches!(self, Self::V2019 { .. })
    }
}

/// The terminal's phone as its BCD digits (or hex, with terminals that put an IMEI there): 12 digits, 20 in 2019.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone {
    digits: [u8; 20],
    len: u8,
}

impl Phone {
    pub fn from_bcd(bytes: &[u8]) -> Self {
        let mut phone = Self { digits: [b'0'; 20], len: 0 };
        let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (slot, nibble) in phone.digits.iter_mut().zip(nibbles) {
            *slot = b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'0');
            phone.len += 1;
        }
        phone
    }

    /// From hex digits, padded with leading zeros to the version's length; `None` when there are too many or others.
    pub fn from_digits(text: &str, version: Version) -> Option<Self> {
        let len = if version.is_2019() { 20 } else { 12 };
        if text.len() > len || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut phone = Self { digits: [b'0'; 20], len: u8::try_from(len).ok()? };
        let from = len - text.len();
        for (slot, byte) in phone.digits.iter_mut().skip(from).zip(text.bytes()) {
            *slot = byte.to_ascii_lowercase();
        }
        Some(phone)
    }

    /// All digits, leading zeros too.
    pub fn as_str(&self) -> &str {
        self.digits.get(..usize::from(self.len)).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }

    /// Without leading zeros.
    pub fn trimmed(&self) -> &str {
        self.as_str().trim_start_matches('0')
    }

    pub(super) fn bcd(&self) -> impl Iterator<Item = u8> + '_ {
        self.as_str().as_bytes().chunks(2).map(|pair| {
            pair.iter().fold(0_u8, |byte, digit| {
                let nibble = char::from(*digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok()).unwrap_or(0);
                (byte << 4) | nibble
            })
        })
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Place of a sub-packet in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub total: u16,
    /// From 1.
    pub number: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub id: u16,
    pub version: Version,
    pub phone: Phone,
    pub serial: u16,
    pub packet: Option<Packet>,
    /// Bits 10–12 of the attributes; 1 = RSA.
    pub encryption: u8,
    /// The body length that the attributes declare.
    pub declared: u16,
}

/// One un-escaped frame's pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    pub header: Header,
    pub body: &'a [u8],
    pub check_found: u8,
    pub check_expected: u8,
    /// The 2019 header was recognised by length although bit 14 is clear, or the other way round.
    pub version_by_length: bool,
}

impl<'a> Parts<'a> {
    /// `None` when the bytes are too short for a header.
    pub fn split(raw: &'a [u8]) -> Option<Self> {
        let (check_found, content) = raw.split_last()?;
        let attributes = u16::from_be_bytes([*content.get(2)?, *content.get(3)?]);
        let by_bit = read(content, attributes & 1 << 14 != 0);
        let by_length = read(content, attributes & 1 << 14 == 0);
        let (header, body, version_by_length) = match (by_bit, by_length) {
            (Some((header, body)), _) if fits(header, body) => (header, body, false),
            (_, Some((header, body))) if fits(header, body) => (header, body, true),
            (Some((header, body)), _) => (header, body, false),
            (None, other) => {
                let (header, body) = other?;
                (header, body, true)
            }
        };
        Some(Self { header, body, check_found: *check_found, check_expected: check(content), version_by_length })
    }

    pub const fn check_ok(&self) -> bool {
        self.check_found == self.check_expected
    }

    pub fn length_ok(&self) -> bool {
        fits(self.header, self.body)
    }
}

fn fits(header: Header, body: &[u8]) -> bool {
    usize::from(header.declared) == body.len()
}

fn read(content: &[u8], is_2019: bool) -> Option<(Header, &[u8])> {
    let mut reader = Reader::new(content);
    let id = reader.u16().ok()?;
    let attributes = reader.u16().ok()?;
    let version = if is_2019 { Version::V2019 { protocol: reader.u8().ok()? } } else { Version::V2013 };
    let phone = Phone::from_bcd(reader.take(if is_2019 { 10 } else { 6 }).ok()?);
    let serial = reader.u16().ok()?;
    let packet = if attributes & 1 << 13 == 0 {
        None
    } else {
        Some(Packet { total: reader.u16().ok()?, number: reader.u16().ok()? })
    };
    let encryption = u8::try_from(attributes >> 10 & 7).ok()?;
    let header = Header { id, version, phone, serial, packet, encryption, declared: attributes & 0x3FF };
    Some((header, reader.rest()))
}
