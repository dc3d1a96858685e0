//! Writing frames: uplinks for simulators, answers and orders for a platform; long messages in sub-packets.

use super::frame::{check, escape};
use super::header::{Header, Packet, Phone, Version};
use super::message::Message;

/// The longest body of one frame.
pub const BODY_BYTES_MAX: usize = 1023;

/// A frame on the wire: header, body, check, escapes, delimiters. Bodies are cut at 1023 bytes; longer ones are for
/// [`encode_all`].
pub fn encode(version: Version, phone: &Phone, serial: u16, message: &Message<'_>) -> Vec<u8> {
    encode_raw(version, phone, serial, None, message.id(), &encode_body(version, message))
}

/// The body of a message, however long.
pub fn encode_body(version: Version, message: &Message<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    message.write(&mut body, version);
    body
}

/// A message in one frame, or in sub-packets with serials from `first` on. `None` when it is longer than 65,535 of them.
pub fn encode_all(version: Version, phone: &Phone, first: u16, message: &Message<'_>) -> Option<Vec<Vec<u8>>> {
    split(version, phone, first, message.id(), &encode_body(version, message))
}

/// As [`encode_all`], for a body that is already bytes.
pub fn split(version: Version, phone: &Phone, first: u16, id: u16, body: &[u8]) -> Option<Vec<Vec<u8>>> {
    if body.len() <= BODY_BYTES_MAX {
        return Some(vec![encode_raw(version, phone, first, None, id, body)]);
    }
    let total = u16::try_from(body.len().div_ceil(BODY_BYTES_MAX)).ok()?;
    let frames = body.chunks(BODY_BYTES_MAX).zip(1..=total).map(|(part, number)| {
        let serial = first.wrapping_add(number - 1);
        encode_raw(version, phone, serial, Some(Packet { total, number }), id, part)
    });
    Some(frames.collect())
}

/// A frame around a body that is already bytes.
pub fn encode_raw(
    version: Version,
    phone: &Phone,
    serial: u16,
    packet: Option<Packet>,
    message_id: u16,
    body: &[u8],
) -> Vec<u8> {
    let body = body.get(..BODY_BYTES_MAX).unwrap_or(body);
    let declared = u16::try_from(body.len()).unwrap_or(0);
    let header = Header { id: message_id, version, phone: *phone, serial, packet, encryption: 0, declared };
    let mut raw = header_bytes(&header);
    raw.extend_from_slice(body);
    raw.push(check(&raw));
    escape(&raw)
}

fn header_bytes(header: &Header) -> Vec<u8> {
    let mut raw = Vec::with_capacity(64 + usize::from(header.declared));
    let mut attributes = header.declared & 0x3FF;
    if header.packet.is_some() {
        attributes |= 1 << 13;
    }
    if header.version.is_2019() {
        attributes |= 1 << 14;
    }
    raw.extend(header.id.to_be_bytes());
    raw.extend(attributes.to_be_bytes());
    let width = match header.version {
        Version::V2013 => 6,
        Version::V2019 { protocol } => {
            raw.push(protocol);
            10
        }
    };
    let digits: Vec<u8> = header.phone.bcd().collect();
    raw.resize(raw.len() + width - digits.len().min(width), 0);
    raw.extend(digits.iter().skip(digits.len().saturating_sub(width)));
    raw.extend(header.serial.to_be_bytes());
    if let Some(packet) = header.packet {
        raw.extend(packet.total.to_be_bytes());
        raw.extend(packet.number.to_be_bytes());
    }
    raw
}
