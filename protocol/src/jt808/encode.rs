//! Writing messages: uplinks for simulators, answers for a platform.

use super::frame::{check, escape};
use super::header::{Header, Packet, Phone, Version};
use super::message::{BatchKind, Message, RegisterForm, id};
use super::position::Position;

/// A frame on the wire: header, body, check, escapes, delimiters. Bodies are cut at 1023 bytes; longer ones must be split
/// by the caller.
pub fn encode(version: Version, phone: &Phone, serial: u16, message: &Message<'_>) -> Vec<u8> {
    let (message_id, body) = body(version, message);
    encode_raw(version, phone, serial, None, message_id, &body)
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
    let body = body.get(..1023).unwrap_or(body);
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

fn body(version: Version, message: &Message<'_>) -> (u16, Vec<u8>) {
    let mut out = Vec::new();
    let message_id = match message {
        Message::TerminalReply { serial, id: answered, result } => {
            reply(&mut out, *serial, *answered, *result);
            id::TERMINAL_REPLY
        }
        Message::PlatformReply { serial, id: answered, result } => {
            reply(&mut out, *serial, *answered, *result);
            id::PLATFORM_REPLY
        }
        Message::Heartbeat { body } => {
            out.extend_from_slice(body);
            id::HEARTBEAT
        }
        Message::Logout => id::LOGOUT,
        Message::TimeWanted => id::TIME_WANTED,
        Message::Time { utc_bcd } => {
            out.extend(utc_bcd);
            id::TIME
        }
        Message::Register(register) => {
            let (maker, model, terminal) = match register.form {
                RegisterForm::V2011 => (5, 8, 7),
                RegisterForm::V2013 => (5, 20, 7),
                RegisterForm::V2019 => (11, 30, 30),
            };
            out.extend(register.province.to_be_bytes());
            out.extend(register.city.to_be_bytes());
            padded(&mut out, register.maker, maker);
            padded(&mut out, register.model, model);
            padded(&mut out, register.terminal_id, terminal);
            out.push(register.plate_colour);
            out.extend_from_slice(register.plate);
            id::REGISTER
        }
        Message::Authenticate(authenticate) => {
            if version.is_2019() {
                let code = authenticate.code.get(..255).unwrap_or(authenticate.code);
                out.push(u8::try_from(code.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(code);
                padded(&mut out, authenticate.imei, 15);
                out.extend_from_slice(authenticate.software);
            } else {
                out.extend_from_slice(authenticate.code);
            }
            id::AUTHENTICATE
        }
        Message::Position(position) => {
            encode_position(&mut out, position);
            id::POSITION
        }
        Message::Batch(batch) => {
            out.extend(u16::try_from(batch.positions.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.push(match batch.kind {
                BatchKind::Normal => 0,
                BatchKind::BlindZone => 1,
                BatchKind::Other(other) => other,
            });
            for position in &batch.positions {
                let mut element = Vec::new();
                encode_position(&mut element, position);
                out.extend(u16::try_from(element.len()).unwrap_or(u16::MAX).to_be_bytes());
                out.extend(element);
            }
            id::BATCH
        }
        Message::RegisterReply { serial, result, code } => {
            out.extend(serial.to_be_bytes());
            out.push(*result);
            if *result == 0 {
                out.extend_from_slice(code);
            }
            id::REGISTER_REPLY
        }
        Message::Other { id, body } => {
            out.extend_from_slice(body);
            *id
        }
    };
    (message_id, out)
}

fn reply(out: &mut Vec<u8>, serial: u16, answered: u16, result: u8) {
    out.extend(serial.to_be_bytes());
    out.extend(answered.to_be_bytes());
    out.push(result);
}

fn padded(out: &mut Vec<u8>, field: &[u8], width: usize) {
    let field = field.get(..width).unwrap_or(field);
    out.extend_from_slice(field);
    out.resize(out.len() + width - field.len(), 0);
}

/// The body of a 0x0200. South and west are in the status word, which the caller sets.
pub fn encode_position(out: &mut Vec<u8>, position: &Position<'_>) {
    out.extend(position.alarm.to_be_bytes());
    out.extend(position.status.to_be_bytes());
    out.extend(position.lat_e6.unsigned_abs().to_be_bytes());
    out.extend(position.lon_e6.unsigned_abs().to_be_bytes());
    out.extend(position.altitude_m.to_be_bytes());
    out.extend(position.speed_dkmh.to_be_bytes());
    out.extend(position.course_degree.to_be_bytes());
    out.extend(position.time_bcd);
    for item in &position.items {
        let value = item.value.get(..255).unwrap_or(item.value);
        out.push(item.id);
        out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(value);
    }
}
