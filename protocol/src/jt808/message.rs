//! Bodies of the messages an ingest platform meets, both directions. What cannot be read becomes [`Message::Other`].

use super::header::{Header, Version};
use super::position::Position;
use crate::error::WireError;
use crate::reader::Reader;
use std::borrow::Cow;

/// Message ids.
pub mod id {
    pub const TERMINAL_REPLY: u16 = 0x0001;
    pub const HEARTBEAT: u16 = 0x0002;
    pub const LOGOUT: u16 = 0x0003;
    pub const TIME_WANTED: u16 = 0x0004;
    pub const REGISTER: u16 = 0x0100;
    pub const AUTHENTICATE: u16 = 0x0102;
    pub const POSITION: u16 = 0x0200;
    pub const BATCH: u16 = 0x0704;
    pub const PLATFORM_REPLY: u16 = 0x8001;
    pub const TIME: u16 = 0x8004;
    pub const REGISTER_REPLY: u16 = 0x8100;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub code: ProblemCode,
    /// In the body.
    pub offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// The body is shorter than its fixed part; it is kept as bytes.
    BodyTruncated,
    /// The body is encrypted and was not looked at.
    Encrypted,
    /// A part of a split message; it was not looked at.
    SubPacket,
    TimeNotDigits,
    PlaceImpossible,
    ItemTruncated,
    TooManyItems,
    /// A batch announces another number of positions than it holds.
    BatchCount,
    /// A position of a batch cannot be read.
    BatchElement,
}

impl ProblemCode {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BodyTruncated => "body_truncated",
            Self::Encrypted => "encrypted",
            Self::SubPacket => "sub_packet",
            Self::TimeNotDigits => "time_not_digits",
            Self::PlaceImpossible => "place_impossible",
            Self::ItemTruncated => "item_truncated",
            Self::TooManyItems => "too_many_items",
            Self::BatchCount => "batch_count",
            Self::BatchElement => "batch_element",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// 0x0001: 0 ok, 1 failed, 2 bad, 3 unsupported.
    TerminalReply { serial: u16, id: u16, result: u8 },
    /// 0x0002; vendors send bodies.
    Heartbeat { body: &'a [u8] },
    /// 0x0003
    Logout,
    /// 0x0004
    TimeWanted,
    /// 0x0100
    Register(Register<'a>),
    /// 0x0102
    Authenticate(Authenticate<'a>),
    /// 0x0200
    Position(Position<'a>),
    /// 0x0704
    Batch(Batch<'a>),
    /// 0x8001: as 0x0001, 4 = alarm confirmed.
    PlatformReply { serial: u16, id: u16, result: u8 },
    /// 0x8004, UTC in BCD.
    Time { utc_bcd: [u8; 6] },
    /// 0x8100: 0 ok, 1 vehicle already registered, 2 no such vehicle, 3 terminal already registered, 4 no such terminal.
    RegisterReply { serial: u16, result: u8, code: &'a [u8] },
    /// Anything else, and what could not be read.
    Other { id: u16, body: &'a [u8] },
}

/// Which of the three bodies of 0x0100 it is; told apart by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterForm {
    V2011,
    V2013,
    V2019,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<'a> {
    pub form: RegisterForm,
    pub province: u16,
    pub city: u16,
    /// Fixed fields are padded with zeros; as sent.
    pub maker: &'a [u8],
    pub model: &'a [u8],
    pub terminal_id: &'a [u8],
    /// 0: the plate field holds the VIN.
    pub plate_colour: u8,
    /// GBK.
    pub plate: &'a [u8],
}

impl Register<'_> {
    pub fn plate_text(&self) -> Cow<'_, str> {
        encoding_rs::GBK.decode_without_bom_handling(trim(self.plate)).0
    }
}

fn trim(field: &[u8]) -> &[u8] {
    let end = field.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    field.get(..end).unwrap_or_default()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate<'a> {
    pub code: &'a [u8],
    /// 2019 only; empty otherwise.
    pub imei: &'a [u8],
    pub software: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    Normal,
    /// Stored while the link was down.
    BlindZone,
    Other(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    pub kind: BatchKind,
    pub positions: Vec<Position<'a>>,
}

/// A message and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub message: Message<'a>,
    pub problems: Vec<Problem>,
}

impl<'a> Decoded<'a> {
    /// Reads a body. Sub-packets and encrypted bodies are left as bytes.
    pub fn read(header: &Header, body: &'a [u8]) -> Self {
        let other = Message::Other { id: header.id, body };
        let opaque = if header.packet.is_some_and(|packet| packet.total > 1) {
            Some(ProblemCode::SubPacket)
        } else if header.encryption != 0 {
            Some(ProblemCode::Encrypted)
        } else {
            None
        };
        if let Some(code) = opaque {
            return Self { message: other, problems: vec![Problem { code, offset: 0 }] };
        }
        let mut problems = Vec::new();
        match read(header, body, &mut problems) {
            Ok(message) => Self { message, problems },
            Err(error) => {
                problems.push(Problem { code: ProblemCode::BodyTruncated, offset: error.offset() });
                Self { message: other, problems }
            }
        }
    }
}

fn read<'a>(header: &Header, body: &'a [u8], problems: &mut Vec<Problem>) -> Result<Message<'a>, WireError> {
    let mut reader = Reader::new(body);
    Ok(match header.id {
        id::TERMINAL_REPLY => Message::TerminalReply { serial: reader.u16()?, id: reader.u16()?, result: reader.u8()? },
        id::PLATFORM_REPLY => Message::PlatformReply { serial: reader.u16()?, id: reader.u16()?, result: reader.u8()? },
        id::HEARTBEAT => Message::Heartbeat { body },
        id::LOGOUT => Message::Logout,
        id::TIME_WANTED => Message::TimeWanted,
        id::TIME => {
            let mut utc_bcd = [0; 6];
            utc_bcd.copy_from_slice(reader.take(6)?);
            Message::Time { utc_bcd }
        }
        id::REGISTER => Message::Register(register(header.version, body)?),
        id::AUTHENTICATE => Message::Authenticate(authenticate(header.version, body)),
        id::POSITION => Message::Position(Position::read(body, 0, problems)?),
        id::BATCH => Message::Batch(batch(body, problems)?),
        id::REGISTER_REPLY => {
            Message::RegisterReply { serial: reader.u16()?, result: reader.u8()?, code: reader.rest() }
        }
        id => Message::Other { id, body },
    })
}

/// 2011: 25 bytes and the plate, 2013: 37, 2019: 76. The header's version decides where lengths allow both.
fn register(version: Version, body: &[u8]) -> Result<Register<'_>, WireError> {
    let form = match body.len() {
        76.. if version.is_2019() => RegisterForm::V2019,
        37.. => RegisterForm::V2013,
        _ => RegisterForm::V2011,
    };
    let (maker, model, terminal) = match form {
        RegisterForm::V2011 => (5, 8, 7),
        RegisterForm::V2013 => (5, 20, 7),
        RegisterForm::V2019 => (11, 30, 30),
    };
    let mut reader = Reader::new(body);
    Ok(Register {
        form,
        province: reader.u16()?,
        city: reader.u16()?,
        maker: reader.take(maker)?,
        model: reader.take(model)?,
        terminal_id: reader.take(terminal)?,
        plate_colour: reader.u8()?,
        plate: reader.rest(),
    })
}

fn authenticate(version: Version, body: &[u8]) -> Authenticate<'_> {
    let long = || {
        let mut reader = Reader::new(body);
        let len = usize::from(reader.u8().ok()?);
        let code = reader.take(len).ok()?;
        let imei = reader.take(15).ok()?;
        Some(Authenticate { code, imei, software: reader.rest() })
    };
    // Terminals with a 2019 header and the older body exist: then the length byte does not fit.
    let form = if version.is_2019() { long() } else { None };
    form.unwrap_or(Authenticate { code: trim(body), imei: &[], software: &[] })
}

fn batch<'a>(body: &'a [u8], problems: &mut Vec<Problem>) -> Result<Batch<'a>, WireError> {
    let mut reader = Reader::new(body);
    let count = usize::from(reader.u16()?);
    let kind = match reader.u8()? {
        0 => BatchKind::Normal,
        1 => BatchKind::BlindZone,
        other => BatchKind::Other(other),
    };
    let mut positions = Vec::new();
    let mut elements = 0;
    while reader.remaining() > 0 && elements < count {
        let at = reader.offset();
        elements += 1;
        let len = usize::from(reader.u16().unwrap_or(u16::MAX));
        let Ok(element) = reader.take(len) else {
            problems.push(Problem { code: ProblemCode::BatchElement, offset: at });
            break;
        };
        match Position::read(element, at + 2, problems) {
            Ok(position) => positions.push(position),
            Err(_) => problems.push(Problem { code: ProblemCode::BatchElement, offset: at }),
        }
    }
    if elements != count || reader.remaining() > 0 {
        problems.push(Problem { code: ProblemCode::BatchCount, offset: 0 });
    }
    Ok(Batch { kind, positions })
}
