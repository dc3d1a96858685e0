//! Getting acquainted: registration, authentication, and asking for lost packets.

use super::field::{field, gbk, hex, names, text};
use super::header::Version;
use super::message::ProblemCode;
use super::source::{B, Body, Num, Source, W, Width, elements, layout, padded};
use crate::error::WireError;
use std::borrow::Cow;

/// Which of the three bodies of 0x0100 it is; told apart by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterForm {
    V2011,
    V2013,
    V2019,
}

impl RegisterForm {
    /// Widths of maker, model and terminal id.
    const fn widths(self) -> (usize, usize, usize) {
        match self {
            Self::V2011 => (5, 8, 7),
            Self::V2013 => (5, 20, 7),
            Self::V2019 => (11, 30, 30),
        }
    }
}

/// 0x0100
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
        gbk(self.plate)
    }
}

/// 2011: 25 bytes and the plate, 2013: 37, 2019: 76. The header's version decides where lengths allow both.
impl<'a> Body<'a> for Register<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let form = match source.remaining() {
            76.. if source.version().is_2019() => RegisterForm::V2019,
            37.. => RegisterForm::V2013,
            _ => RegisterForm::V2011,
        };
        if source.version().is_2019() && form != RegisterForm::V2019 {
            source.problem(ProblemCode::OtherIssue, source.offset(), None);
        }
        let (maker, model, terminal) = form.widths();
        let province = source.u16(&field("province", "省域 ID", "province"))?;
        let city = source.u16(&field("city", "市县域 ID", "city"))?;
        let maker = source.take(maker, &text("maker", "制造商 ID", "maker"))?;
        let model = source.take(model, &text("model", "终端型号", "model"))?;
        let terminal_id = source.take(terminal, &text("terminal_id", "终端 ID", "terminal id"))?;
        let plate_colour = source.u8(&names("plate_colour", "车牌颜色", "plate colour", PLATE_COLOUR))?;
        let plate = if plate_colour == 0 {
            source.rest(&text("vin", "车辆 VIN", "VIN"))
        } else {
            source.rest(&text("plate", "车辆标识", "plate"))
        };
        Ok(Self { form, province, city, maker, model, terminal_id, plate_colour, plate })
    }

    fn write(&self, out: &mut Vec<u8>, _version: Version) {
        let (maker, model, terminal) = self.form.widths();
        out.extend(self.province.to_be_bytes());
        out.extend(self.city.to_be_bytes());
        padded(out, self.maker, maker);
        padded(out, self.model, model);
        padded(out, self.terminal_id, terminal);
        out.push(self.plate_colour);
        out.extend_from_slice(self.plate);
    }
}

const PLATE_COLOUR: &[super::field::Name] = &[(0, "未上牌", "no plate: VIN")];

/// 0x0102
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate<'a> {
    pub code: &'a [u8],
    /// 2019 only; empty otherwise.
    pub imei: &'a [u8],
    pub software: &'a [u8],
}

impl<'a> Body<'a> for Authenticate<'a> {
    /// Terminals with a 2019 header and the older body exist: then the length byte does not fit.
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let code_field = text("code", "鉴权码", "authentication code");
        let body = source.peek();
        let len = body.first().map_or(0, |len| usize::from(*len));
        if source.version().is_2019() && body.len() > len + 15 {
            source.u8(&field("length", "鉴权码长度", "length of the code"))?;
            let code = source.take(len, &code_field)?;
            let imei = source.take(15, &text("imei", "终端 IMEI", "IMEI"))?;
            return Ok(Self {
                code, imei, software: source.rest(&text("software", "软件版本号", "software version"))
            });
        }
        if source.version().is_2019() {
            source.problem(ProblemCode::OtherIssue, source.offset(), None);
        }
        let code = trim(source.rest(&code_field));
        Ok(Self { code, imei: &[], software: &[] })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        if version.is_2019() {
            let len = B::write(self.code.len(), out);
            out.extend_from_slice(self.code.get(..len).unwrap_or(self.code));
            padded(out, self.imei, 15);
            out.extend_from_slice(self.software);
        } else {
            out.extend_from_slice(self.code);
        }
    }
}

fn trim(field: &[u8]) -> &[u8] {
    let end = field.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    field.get(..end).unwrap_or_default()
}

/// 0x0005 and 0x8003: the packets of a message that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resend {
    /// Serial of the message's first packet.
    pub first: u16,
    /// Numbers of the packets, from 1.
    pub numbers: Vec<u16>,
}

impl<'a> Body<'a> for Resend {
    /// The count is a BYTE in 2013 and a WORD in 2019; whether the length is odd tells which it is.
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let odd = source.remaining() % 2 == 1;
        if odd == source.version().is_2019() {
            source.problem(ProblemCode::OtherIssue, source.offset(), None);
        }
        let first = source.u16(&hex("first_serial", "原始消息流水号", "serial of the first packet"))?;
        let at = source.offset();
        let count_field = field("count", "重传包总数", "packets wanted");
        let count = if odd { B::read(source, &count_field)? } else { W::read(source, &count_field)? };
        let numbers =
            elements::<u16, Num, S>(source, &field("number", "重传包序号", "number of the packet"), count, at);
        Ok(Self { first, numbers })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.first.to_be_bytes());
        let count =
            if version.is_2019() { W::write(self.numbers.len(), out) } else { B::write(self.numbers.len(), out) };
        out.extend(self.numbers.iter().take(count).flat_map(|number| number.to_be_bytes()));
    }
}

layout! {
    /// 0x0A00 and 0x8A00: an RSA public key.
    pub struct RsaKey<'a> {
        e: u32 => Num, field("e", "RSA 公钥 e", "RSA exponent");
        n: &'a [u8] => super::source::Fixed<128>, super::field::bytes("n", "RSA 公钥 n", "RSA modulus");
    }
}
