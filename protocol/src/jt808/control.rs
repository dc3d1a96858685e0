//! Orders to a terminal and what it says of itself: control, attributes, upgrade, tracking, texts, doors.

use super::field::{Name, bytes, field, hex, names, text};
use super::header::Version;
use super::position::Position;
use super::source::{B, Body, Codec, D, Fixed, Len, Num, Rest, Source, W, Width, layout, padded};
use crate::error::WireError;

layout! {
    /// 0x8105: 1 upgrade, 2 connect, 3 off, 4 reset, 5 factory settings, 6 data off, 7 radio off.
    pub struct Control<'a> {
        command: u8 => Num, names("command", "命令字", "command", CONTROL);
        /// Parted by `;`, GBK.
        parameters: &'a [u8] => Rest, text("parameters", "命令参数", "parameters");
    }
}

const CONTROL: &[Name] = &[
    (1, "无线升级", "upgrade"),
    (2, "连接指定服务器", "connect"),
    (3, "关机", "off"),
    (4, "复位", "reset"),
    (5, "恢复出厂设置", "factory settings"),
    (6, "关闭数据通信", "data off"),
    (7, "关闭所有无线通信", "radio off"),
];

/// 0x0107
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// Bits of the vehicles it suits.
    pub kind: u16,
    pub maker: &'a [u8],
    pub model: &'a [u8],
    pub terminal_id: &'a [u8],
    pub iccid: [u8; 10],
    pub hardware: &'a [u8],
    pub firmware: &'a [u8],
    /// Bit 0 GPS, 1 `BeiDou`, 2 GLONASS, 3 Galileo.
    pub gnss: u8,
    /// Bit 0 GPRS … 5 TD-LTE, 7 other.
    pub radio: u8,
}

impl<'a> Attributes<'a> {
    fn read_form<S: Source<'a>>(source: &mut S, model: usize, terminal: usize) -> Result<Self, WireError> {
        Ok(Self {
            kind: source.u16(&hex("kind", "终端类型", "kind of terminal"))?,
            maker: source.take(5, &text("maker", "制造商 ID", "maker"))?,
            model: source.take(model, &text("model", "终端型号", "model"))?,
            terminal_id: source.take(terminal, &text("terminal_id", "终端 ID", "terminal id"))?,
            iccid: source.array(&bytes("iccid", "SIM 卡 ICCID", "ICCID"))?,
            hardware: Len::<B>::read(source, &text("hardware", "硬件版本号", "hardware version"))?,
            firmware: Len::<B>::read(source, &text("firmware", "固件版本号", "firmware version"))?,
            gnss: source.u8(&hex("gnss", "GNSS 模块属性", "GNSS module"))?,
            radio: source.u8(&hex("radio", "通信模块属性", "radio module"))?,
        })
    }
}

impl<'a> Body<'a> for Attributes<'a> {
    /// Model and id have 20 and 7 bytes, 30 and 30 in 2019; where only the other layout fits the length, it is taken.
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let older = source.fits(|probe| Self::read_form(probe, 20, 7));
        let newer = source.fits(|probe| Self::read_form(probe, 30, 30));
        let is_2019 = if older == newer { source.version().is_2019() } else { newer };
        if is_2019 != source.version().is_2019() {
            source.problem(super::ProblemCode::OtherIssue, source.offset(), None);
        }
        if is_2019 { Self::read_form(source, 30, 30) } else { Self::read_form(source, 20, 7) }
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        // As it was read, whatever the header; the header decides for fields without padding.
        let is_2019 = match (self.model.len(), self.terminal_id.len()) {
            (30, 30) => true,
            (20, 7) => false,
            _ => version.is_2019(),
        };
        let (model, terminal) = if is_2019 { (30, 30) } else { (20, 7) };
        out.extend(self.kind.to_be_bytes());
        padded(out, self.maker, 5);
        padded(out, self.model, model);
        padded(out, self.terminal_id, terminal);
        out.extend(self.iccid);
        <Len<B> as Codec<'_, &[u8]>>::write(&self.hardware, out, version);
        <Len<B> as Codec<'_, &[u8]>>::write(&self.firmware, out, version);
        out.extend([self.gnss, self.radio]);
    }
}

layout! {
    /// 0x8108, always in sub-packets: an upgrade package.
    pub struct Upgrade<'a> {
        /// 0 terminal, 12 IC card reader, 52 GNSS module.
        kind: u8 => Num, names("kind", "升级类型", "kind", UPGRADE);
        maker: &'a [u8] => Fixed<5>, text("maker", "制造商 ID", "maker");
        version: &'a [u8] => Len<B>, text("version", "版本号", "version");
        data: &'a [u8] => Len<D>, bytes("data", "升级数据包", "package");
    }
}

layout! {
    /// 0x0108: 0 done, 1 failed, 2 cancelled.
    pub struct UpgradeResult {
        kind: u8 => Num, names("kind", "升级类型", "kind", UPGRADE);
        result: u8 => Num, names("result", "升级结果", "result", &[(0, "成功", "done"), (1, "失败", "failed"), (2, "取消", "cancelled")]);
    }
}

const UPGRADE: &[Name] =
    &[(0, "终端", "terminal"), (12, "IC 卡读卡器", "IC card reader"), (52, "卫星定位模块", "GNSS module")];

/// 0x0201 and 0x0500: a position as the answer to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionReply<'a> {
    /// Of the order.
    pub serial: u16,
    pub position: Position<'a>,
}

impl<'a> Body<'a> for PositionReply<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        Ok(Self { serial: source.u16(&ASKED)?, position: Position::read_from(source)? })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.serial.to_be_bytes());
        self.position.write(out, version);
    }
}

pub(super) const ASKED: super::field::Field = hex("asked_serial", "应答流水号", "serial of the order");

layout! {
    /// 0x8202: positions at an interval for a while; interval 0 stops it and ends the message.
    pub struct Tracking {
        interval_s: u16 => Num, field("interval", "时间间隔", "interval").unit("s");
        validity_s: Option<u32> => super::source::More<Num>, field("validity", "有效期", "validity").unit("s");
    }
}

layout! {
    /// 0x8203: alarms that a person has seen.
    pub struct AlarmConfirmation {
        /// Of the position; 0 = all of the kinds.
        serial: u16 => Num, hex("alarm_serial", "报警消息流水号", "serial of the alarm");
        /// Alarm bits 0, 3, 20, 21, 22, 27, 28.
        kinds: u32 => Num, field("kinds", "人工确认报警类型", "alarms confirmed")
            .show(super::field::Show::Flags(super::flags::ALARM, super::flags::Issue::V2019));
    }
}

layout! {
    /// 0x8300. 2013: bit 0 urgent, 2 display, 3 TTS, 4 sign, 5 source; in 2019 bits 0–1 are a class.
    pub struct Text<'a> {
        flags: u8 => Num, hex("flags", "标志", "flags");
        /// 2019: 1 notice, 2 service.
        kind: Option<u8> => super::source::New<Num>, names("kind", "文本类型", "kind", &[(1, "通知", "notice"), (2, "服务", "service")]);
        /// GBK, at most 1024 bytes.
        text: &'a [u8] => Rest, text("text", "文本信息", "text");
    }
}

/// 0x8500
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VehicleControl<'a> {
    /// 2013: bit 0 locks the doors.
    Flags(u8),
    /// 2019: kinds and parameters; how it is laid out is not confirmed, so the bytes are kept.
    Orders { count: u16, data: &'a [u8] },
}

impl<'a> Body<'a> for VehicleControl<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        if source.remaining() == 1 {
            return Ok(Self::Flags(source.u8(&hex("flags", "控制标志", "flags"))?));
        }
        let count = source.u16(&field("count", "控制类型数量", "orders"))?;
        Ok(Self::Orders { count, data: source.rest(&bytes("orders", "控制类型", "orders")) })
    }

    fn write(&self, out: &mut Vec<u8>, _version: Version) {
        match self {
            Self::Flags(flags) => out.push(*flags),
            Self::Orders { count, data } => {
                out.extend(count.to_be_bytes());
                out.extend_from_slice(data);
            }
        }
    }
}

layout! {
    /// 0x0900 and 0x8900: bytes for or from something behind the terminal.
    pub struct Passthrough<'a> {
        /// 0 GNSS, 0x0B IC card, 0x41 and 0x42 serial ports, 0xF0–0xFF user.
        kind: u8 => Num, names("kind", "透传消息类型", "kind", PASSTHROUGH);
        data: &'a [u8] => Rest, bytes("data", "透传消息内容", "data");
    }
}

const PASSTHROUGH: &[Name] = &[
    (0, "GNSS 模块详细定位数据", "GNSS"),
    (0x0B, "IC 卡信息", "IC card"),
    (0x41, "串口1", "serial port 1"),
    (0x42, "串口2", "serial port 2"),
];

layout! {
    /// 0x0901: a GZIP block, kept packed.
    pub struct Compressed<'a> {
        data: &'a [u8] => Rest, bytes("data", "压缩消息", "GZIP block");
    }
}

/// 0x0702
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver<'a> {
    /// 1 card in, 2 card out.
    pub status: u8,
    pub time_bcd: [u8; 6],
    /// With status 1: 0 read; 1–4 why not.
    pub result: Option<u8>,
    /// With result 0.
    pub card: Option<DriverCard<'a>>,
}

layout! {
    /// What the card says.
    pub struct DriverCard<'a> {
        /// GBK.
        name: &'a [u8] => Len<B>, text("name", "驾驶员姓名", "driver's name");
        licence: &'a [u8] => Fixed<20>, text("licence", "从业资格证编码", "licence");
        office: &'a [u8] => Len<B>, text("office", "发证机构", "office");
        valid_until_bcd: [u8; 4] => Num, bytes("valid_until", "证件有效期", "valid until");
        /// 2019.
        id_card: Option<&'a [u8]> => super::source::More<Fixed<20>>, text("id_card", "驾驶员身份证号", "identity card");
    }
}

const CARD: &[Name] = &[(1, "插入", "in"), (2, "拔出", "out")];
const CARD_RESULT: &[Name] = &[
    (0, "读卡成功", "read"),
    (1, "密钥认证未通过", "key refused"),
    (2, "卡已锁定", "locked"),
    (3, "卡被拔出", "pulled out"),
    (4, "数据校验错误", "data wrong"),
];

impl<'a> Body<'a> for Driver<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let status = source.u8(&names("status", "状态", "status", CARD))?;
        let time_bcd = source.array(&super::field::time("time", "插拔卡时间", "time"))?;
        // Terminals send the rest with the card out, too.
        let card_in = status == 1;
        let has_result = card_in || source.remaining() > 0;
        let result = if has_result {
            Some(source.u8(&names("result", "IC 卡读取结果", "result", CARD_RESULT))?)
        } else {
            None
        };
        let has_card = result == Some(0) && (card_in || source.remaining() > 0);
        let card = if has_card { Some(DriverCard::read(source)?) } else { None };
        Ok(Self { status, time_bcd, result, card })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.push(self.status);
        out.extend(self.time_bcd);
        out.extend(self.result);
        if let Some(card) = &self.card {
            card.write(out, version);
        }
    }
}

layout! {
    /// One frame of the vehicle's bus.
    pub struct CanFrame {
        id: u32 => Num, hex("can_id", "CAN ID", "CAN id");
        data: [u8; 8] => Num, bytes("can_data", "CAN DATA", "CAN data");
    }
}

/// 0x0705
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanBatch {
    /// `hhmmssmsms`.
    pub time_bcd: [u8; 5],
    pub frames: Vec<CanFrame>,
}

impl<'a> Body<'a> for CanBatch {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let at = source.offset();
        let count = W::read(source, &super::field::COUNT)?;
        let time_bcd = source.array(&bytes("time", "CAN 总线数据接收时间", "time"))?;
        let frame = field("can", "CAN 总线数据项", "bus frame");
        let frames = super::source::elements::<CanFrame, super::source::Nested, S>(source, &frame, count, at);
        Ok(Self { time_bcd, frames })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        let count = W::write(self.frames.len(), out);
        out.extend(self.time_bcd);
        for frame in self.frames.iter().take(count) {
            frame.write(out, version);
        }
    }
}
