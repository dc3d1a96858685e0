//! Terminal parameters (0x8103, 0x8104, 0x8106, 0x0104). A parameter of a known id and the right length has a typed value;
//! any other is kept as bytes.

use super::control::ASKED;
use super::field::{Field, Show, bytes, field, hex, names, text};
use super::header::Version;
use super::source::{B, Body, Codec, Len, List, Nested, Num, Source, layout};
use crate::error::WireError;
use crate::explain::Label;

/// One parameter as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    pub id: u32,
    pub value: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterValue<'a> {
    Dword(u32),
    Word(u16),
    Byte(u8),
    /// GBK.
    Text(&'a [u8]),
    /// An unknown id, or a length that is not its type's.
    Bytes(&'a [u8]),
}

impl<'a> Parameter<'a> {
    pub fn read(&self) -> ParameterValue<'a> {
        let typed = match kind(self.id).map(|kind| kind.holds) {
            Some(Holds::Dword) => {
                self.value.try_into().ok().map(|value| ParameterValue::Dword(u32::from_be_bytes(value)))
            }
            Some(Holds::Word) => {
                self.value.try_into().ok().map(|value| ParameterValue::Word(u16::from_be_bytes(value)))
            }
            Some(Holds::Byte) => self.value.try_into().ok().map(|[value]: [u8; 1]| ParameterValue::Byte(value)),
            Some(Holds::Text) => Some(ParameterValue::Text(self.value)),
            Some(Holds::Bytes) | None => None,
        };
        typed.unwrap_or(ParameterValue::Bytes(self.value))
    }

    /// The name of the parameter, where it has one.
    pub fn label(&self) -> Option<Label> {
        kind(self.id).map(|kind| kind.label)
    }

    /// Whether the length is the one of its type; unknown ids have any.
    pub fn length_fits(&self) -> bool {
        match kind(self.id).map(|kind| kind.holds) {
            Some(Holds::Dword) => self.value.len() == 4,
            Some(Holds::Word) => self.value.len() == 2,
            Some(Holds::Byte) => self.value.len() == 1,
            Some(Holds::Text | Holds::Bytes) | None => true,
        }
    }
}

/// Why a value cannot be a parameter's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("wants a number from 0 to {max}")]
    Number { max: u32 },
    #[error("wants text of GBK characters, at most 255 bytes")]
    Text,
    #[error("is no parameter of the standard, or one of bytes: write the bytes as hex")]
    Hex,
}

/// The bytes of a parameter from a number.
///
/// # Errors
/// The id wants text or bytes, or the number is too big for it.
pub fn parameter_of_number(id: u32, number: u32) -> Result<Vec<u8>, ParameterError> {
    match kind(id).map(|kind| kind.holds) {
        Some(Holds::Dword) => Ok(number.to_be_bytes().to_vec()),
        Some(Holds::Word) => {
            let word = u16::try_from(number).map_err(|_big| ParameterError::Number { max: u16::MAX.into() })?;
            Ok(word.to_be_bytes().to_vec())
        }
        Some(Holds::Byte) => {
            let byte = u8::try_from(number).map_err(|_big| ParameterError::Number { max: u8::MAX.into() })?;
            Ok(vec![byte])
        }
        Some(Holds::Text) => Err(ParameterError::Text),
        Some(Holds::Bytes) | None => Err(ParameterError::Hex),
    }
}

/// The bytes of a parameter from text, or from hex where the standard names no type.
///
/// # Errors
/// The id wants a number, or the text cannot be written.
pub fn parameter_of_text(id: u32, text: &str) -> Result<Vec<u8>, ParameterError> {
    match kind(id).map(|kind| kind.holds) {
        Some(Holds::Dword) => Err(ParameterError::Number { max: u32::MAX }),
        Some(Holds::Word) => Err(ParameterError::Number { max: u16::MAX.into() }),
        Some(Holds::Byte) => Err(ParameterError::Number { max: u8::MAX.into() }),
        Some(Holds::Text) => super::to_gbk(text).filter(|bytes| bytes.len() <= 255).ok_or(ParameterError::Text),
        Some(Holds::Bytes) | None => hex_bytes(text).filter(|bytes| bytes.len() <= 255).ok_or(ParameterError::Hex),
    }
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl ParameterValue<'_> {
    /// The bytes that stand for it in a message.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Dword(value) => value.to_be_bytes().to_vec(),
            Self::Word(value) => value.to_be_bytes().to_vec(),
            Self::Byte(value) => vec![*value],
            Self::Text(value) | Self::Bytes(value) => value.to_vec(),
        }
    }
}

impl<'a> Body<'a> for Parameter<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let at = source.offset();
        let id = source.u32(&hex("parameter_id", "参数 ID", "parameter id"))?;
        let kind = kind(id);
        let shown = kind.map_or(bytes("value", "参数值", "value"), |kind| {
            let show = if matches!(kind.holds, Holds::Text) { Show::Text } else { kind.show };
            Field { label: kind.label, unit: kind.unit, ..field("value", "", "").show(show) }
        });
        let value = <Len<B> as Codec<'a, &'a [u8]>>::read(source, &shown)?;
        let parameter = Self { id, value };
        if !parameter.length_fits() {
            source.problem(super::ProblemCode::ParameterLength, at, None);
        }
        Ok(parameter)
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend(self.id.to_be_bytes());
        <Len<B> as Codec<'_, &[u8]>>::write(&self.value, out, version);
    }
}

layout! {
    /// 0x8103
    pub struct ParametersSet<'a> {
        list: Vec<Parameter<'a>> => List<B, Nested>, field("parameters", "参数项", "parameters");
    }
}

layout! {
    /// 0x8106
    pub struct ParameterIds {
        ids: Vec<u32> => List<B, Num>, hex("parameter_ids", "参数 ID 列表", "parameter ids");
    }
}

layout! {
    /// 0x0104
    pub struct Parameters<'a> {
        /// Of the question.
        serial: u16 => Num, ASKED;
        list: Vec<Parameter<'a>> => List<B, Nested>, field("parameters", "参数项", "parameters");
    }
}

#[derive(Debug, Clone, Copy)]
enum Holds {
    Byte,
    Word,
    Dword,
    Text,
    Bytes,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    id: u32,
    holds: Holds,
    show: Show,
    label: Label,
    unit: &'static str,
}

fn kind(id: u32) -> Option<&'static Kind> {
    KINDS.binary_search_by_key(&id, |kind| kind.id).ok().and_then(|at| KINDS.get(at))
}

const fn known(id: u32, holds: Holds, zh: &'static str, en: &'static str, unit: &'static str) -> Kind {
    Kind { id, holds, show: Show::Number, label: Label { zh, en }, unit }
}

const fn shown(mut kind: Kind, field: &Field) -> Kind {
    kind.show = field.show;
    kind
}

const STRATEGY: Field =
    names("", "", "", &[(0, "定时", "by time"), (1, "定距", "by distance"), (2, "定时和定距", "by both")]);
const ALARMS: Field = text("", "", "").show(Show::Flags(super::flags::ALARM, super::flags::Issue::V2019));

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    known(0x0001, Holds::Dword, "心跳发送间隔", "heartbeat interval", "s"),
    known(0x0002, Holds::Dword, "TCP 消息应答超时", "TCP answer time-out", "s"),
    known(0x0003, Holds::Dword, "TCP 消息重传次数", "TCP retransmissions", ""),
    known(0x0004, Holds::Dword, "UDP 消息应答超时", "UDP answer time-out", "s"),
    known(0x0005, Holds::Dword, "UDP 消息重传次数", "UDP retransmissions", ""),
    known(0x0006, Holds::Dword, "SMS 消息应答超时", "SMS answer time-out", "s"),
    known(0x0007, Holds::Dword, "SMS 消息重传次数", "SMS retransmissions", ""),
    known(0x0010, Holds::Text, "主服务器 APN", "main server APN", ""),
    known(0x0011, Holds::Text, "主服务器拨号用户名", "main server dial-up user", ""),
    known(0x0012, Holds::Text, "主服务器拨号密码", "main server dial-up password", ""),
    known(0x0013, Holds::Text, "主服务器地址", "main server address", ""),
    known(0x0014, Holds::Text, "备份服务器 APN", "backup server APN", ""),
    known(0x0015, Holds::Text, "备份服务器拨号用户名", "backup server dial-up user", ""),
    known(0x0016, Holds::Text, "备份服务器拨号密码", "backup server dial-up password", ""),
    known(0x0017, Holds::Text, "备份服务器地址", "backup server address", ""),
    known(0x0018, Holds::Dword, "服务器 TCP 端口", "server TCP port", ""),
    known(0x0019, Holds::Dword, "服务器 UDP 端口", "server UDP port", ""),
    shown(known(0x0020, Holds::Dword, "位置汇报策略", "position strategy", ""), &STRATEGY),
    known(0x0021, Holds::Dword, "位置汇报方案", "position scheme", ""),
    known(0x0022, Holds::Dword, "驾驶员未登录汇报间隔", "interval, driver not logged in", "s"),
    known(0x0027, Holds::Dword, "休眠时汇报间隔", "interval asleep", "s"),
    known(0x0028, Holds::Dword, "紧急报警时汇报间隔", "interval in emergency", "s"),
    known(0x0029, Holds::Dword, "缺省时间汇报间隔", "default interval", "s"),
    known(0x002C, Holds::Dword, "缺省距离汇报间隔", "default distance", "m"),
    known(0x002D, Holds::Dword, "驾驶员未登录汇报距离间隔", "distance, driver not logged in", "m"),
    known(0x002E, Holds::Dword, "休眠时汇报距离间隔", "distance asleep", "m"),
    known(0x002F, Holds::Dword, "紧急报警时汇报距离间隔", "distance in emergency", "m"),
    known(0x0030, Holds::Dword, "拐点补传角度", "corner angle", "°"),
    known(0x0031, Holds::Word, "电子围栏半径", "fence radius", "m"),
    known(0x0032, Holds::Bytes, "违规行驶时段范围", "night driving period", ""),
    shown(known(0x0050, Holds::Dword, "报警屏蔽字", "alarm mask", ""), &ALARMS),
    shown(known(0x0051, Holds::Dword, "报警发送文本 SMS 开关", "SMS on alarm", ""), &ALARMS),
    shown(known(0x0052, Holds::Dword, "报警拍摄开关", "photo on alarm", ""), &ALARMS),
    shown(known(0x0053, Holds::Dword, "报警拍摄存储标志", "store photo on alarm", ""), &ALARMS),
    shown(known(0x0054, Holds::Dword, "关键标志", "key alarms", ""), &ALARMS),
    known(0x0055, Holds::Dword, "最高速度", "maximum speed", "km/h"),
    known(0x0056, Holds::Dword, "超速持续时间", "overspeed duration", "s"),
    known(0x0057, Holds::Dword, "连续驾驶时间门限", "driving time limit", "s"),
    known(0x0058, Holds::Dword, "当天累计驾驶时间门限", "daily driving limit", "s"),
    known(0x0059, Holds::Dword, "最小休息时间", "shortest rest", "s"),
    known(0x005A, Holds::Dword, "最长停车时间", "longest parking", "s"),
    shown(known(0x005B, Holds::Word, "超速报警预警差值", "overspeed warning difference", "km/h"), &field("", "", "").tenths()),
    known(0x005C, Holds::Word, "疲劳驾驶预警差值", "fatigue warning difference", "s"),
    known(0x0064, Holds::Dword, "定时拍照控制", "photos by time", ""),
    known(0x0065, Holds::Dword, "定距拍照控制", "photos by distance", ""),
    known(0x0070, Holds::Dword, "图像/视频质量", "picture quality", ""),
    known(0x0071, Holds::Dword, "亮度", "brightness", ""),
    known(0x0072, Holds::Dword, "对比度", "contrast", ""),
    known(0x0073, Holds::Dword, "饱和度", "saturation", ""),
    known(0x0074, Holds::Dword, "色度", "chroma", ""),
    shown(known(0x0080, Holds::Dword, "车辆里程表读数", "odometer", "km"), &field("", "", "").tenths()),
    known(0x0081, Holds::Word, "省域 ID", "province", ""),
    known(0x0082, Holds::Word, "市域 ID", "city", ""),
    known(0x0083, Holds::Text, "机动车号牌", "plate", ""),
    known(0x0084, Holds::Byte, "车牌颜色", "plate colour", ""),
    known(0x0090, Holds::Byte, "GNSS 定位模式", "GNSS mode", ""),
    known(0x0091, Holds::Byte, "GNSS 波特率", "GNSS baud rate", ""),
    known(0x0092, Holds::Byte, "GNSS 输出频率", "GNSS output rate", ""),
    known(0x0093, Holds::Dword, "GNSS 采集频率", "GNSS sampling interval", "s"),
    known(0x0094, Holds::Byte, "GNSS 上传方式", "GNSS upload mode", ""),
    known(0x0095, Holds::Dword, "GNSS 上传设置", "GNSS upload setting", ""),
    known(0x0100, Holds::Dword, "CAN 通道1采集间隔", "CAN 1 sampling interval", "ms"),
    known(0x0101, Holds::Word, "CAN 通道1上传间隔", "CAN 1 upload interval", "s"),
    known(0x0102, Holds::Dword, "CAN 通道2采集间隔", "CAN 2 sampling interval", "ms"),
    known(0x0103, Holds::Word, "CAN 通道2上传间隔", "CAN 2 upload interval", "s"),
    known(0x0110, Holds::Bytes, "CAN ID 单独采集设置", "CAN id sampling", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_typed_by_its_id_and_kept_as_bytes_otherwise() {
        assert!(KINDS.is_sorted_by(|one, next| one.id < next.id));
        let read = |id, value| Parameter { id, value }.read();
        assert_eq!(read(0x0029, &[0, 0, 0, 30]), ParameterValue::Dword(30));
        assert_eq!(read(0x0031, &[1, 0]), ParameterValue::Word(256));
        assert_eq!(read(0x0084, &[2]), ParameterValue::Byte(2));
        assert_eq!(read(0x0013, b"example.org"), ParameterValue::Text(b"example.org"));
        assert_eq!(read(0x0029, &[30]), ParameterValue::Bytes(&[30]));
        assert_eq!(read(0xF001, &[1, 2]), ParameterValue::Bytes(&[1, 2]));
        assert!(!Parameter { id: 0x0029, value: &[30] }.length_fits());
        assert_eq!(ParameterValue::Word(256).to_bytes(), [1, 0]);
    }

    #[test]
    fn a_parameter_is_written_from_what_its_id_wants_and_nothing_else() {
        assert_eq!(parameter_of_number(0x0029, 30), Ok(vec![0, 0, 0, 30]));
        assert_eq!(parameter_of_number(0x0084, 256), Err(ParameterError::Number { max: 255 }));
        assert_eq!(parameter_of_number(0x0083, 1), Err(ParameterError::Text));
        assert_eq!(parameter_of_text(0x0083, "豫A1"), Ok(vec![0xD4, 0xA5, b'A', b'1']));
        assert_eq!(parameter_of_text(0x0029, "30"), Err(ParameterError::Number { max: u32::MAX }));
        assert_eq!(parameter_of_text(0xF001, "0aFF"), Ok(vec![0x0A, 0xFF]));
        assert_eq!(parameter_of_text(0xF001, "0aF"), Err(ParameterError::Hex));
        assert_eq!(parameter_of_number(0xF001, 1), Err(ParameterError::Hex));
    }
}
