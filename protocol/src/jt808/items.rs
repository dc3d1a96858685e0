//! The additional items of 0x0200: the standard's, those of JT/T 1078, and alarms of active safety. An item's own length
//! counts: real terminals send other lengths than the standard's, so a number is read from as many bytes as there are, and
//! what cannot be read is kept as bytes. One item never costs the message.

use super::attachment::AlarmForm;
use super::field::{Field, Show, bytes, field, hex, names, signed_word};
use super::flags::{ABNORMAL_DRIVING, Flag, IN_OUT, Issue, SIGNALS, VIDEO_ALARM};
use super::header::Version;
use super::safety::{SafetyAlarm, TyreAlarm, form, read_safety, read_tyre};
use super::source::{Plain, Source};
use crate::error::WireError;
use crate::explain::Label;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    pub id: u8,
    pub value: &'a [u8],
}

/// What an item of the standard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemValue<'a> {
    /// 0.1 km
    Mileage(u32),
    /// 0.1 L
    Fuel(u16),
    /// 0.1 km/h
    RecorderSpeed(u16),
    AlarmToConfirm(u16),
    /// 2019: a byte a tyre, 0xFF where there is none.
    Tyres(&'a [u8]),
    /// 2019: °C.
    CabinTemperature(i16),
    /// Kind of place (0 none, 1 circle, 2 rectangle, 3 polygon, 4 segment) and its id.
    Overspeed {
        kind: u8,
        area: Option<u32>,
    },
    /// 0 in, 1 out.
    AreaCrossed {
        kind: u8,
        area: u32,
        direction: u8,
    },
    /// 0 too fast, 1 too slow.
    SegmentTime {
        segment: u32,
        seconds: u16,
        result: u8,
    },
    /// JT/T 1078.
    VideoAlarm(u32),
    /// Bits of channels.
    VideoLoss(u32),
    VideoOcclusion(u32),
    StorageFault(u16),
    /// Bits, and the degree of fatigue where it is sent.
    AbnormalDriving {
        kinds: u16,
        fatigue: Option<u8>,
    },
    VehicleSignals(u32),
    InOut(u16),
    /// AD0 in the low word, AD1 in the high.
    Analog(u32),
    Signal(u8),
    Satellites(u8),
    /// Length of the vendor's own items that follow.
    CustomLength(u32),
    Adas(SafetyAlarm<'a>),
    Dsm(SafetyAlarm<'a>),
    TyrePressure(TyreAlarm<'a>),
    BlindSpot(SafetyAlarm<'a>),
    /// 0xF1 of Yue-biao terminals: faults of installation. Other makers use the id for other things.
    InstallFault(u32),
    /// 0xF2 of Yue-biao terminals: faults of algorithms.
    AlgorithmFault(u32),
    /// Any other id, or a length that does not fit.
    Other(&'a [u8]),
}

impl<'a> Item<'a> {
    pub fn read(&self) -> ItemValue<'a> {
        let mut problems = Vec::new();
        let mut source = Plain::new(self.value, Version::V2013, 0, &mut problems);
        let read = read_item(&mut source, self.id, self.value.len());
        read.ok().flatten().unwrap_or(ItemValue::Other(self.value))
    }

    /// Whether the length is the standard's; items without a standard have any.
    pub fn length_fits(&self) -> bool {
        lengths(self.id).is_none_or(|lengths| match self.id {
            0x64..=0x67 => super::safety::length_fits(self.id, self.value.len()),
            _ => lengths.iter().any(|len| usize::from(*len) == self.value.len()),
        })
    }
}

/// The lengths an item may have. 0x18: the table of items says 2, the table of its fields lists 3.
fn lengths(id: u8) -> Option<&'static [u8]> {
    Some(match id {
        0x01 | 0x14 | 0x15 | 0x16 | 0x25 | 0x2B => &[4],
        0x02 | 0x03 | 0x04 | 0x06 | 0x17 | 0x2A => &[2],
        0x05 => &[30],
        0x11 => &[1, 5],
        0x12 => &[6],
        0x13 => &[7],
        0x18 => &[2, 3],
        0x30 | 0x31 => &[1],
        0x64..=0x67 => &[],
        _ => return None,
    })
}

/// The standard's length, for a message about another one.
pub(super) fn standard_length(id: u8) -> Option<usize> {
    lengths(id).and_then(<[u8]>::first).map(|len| usize::from(*len))
}

const VIDEO: &str = "JT/T 1078-2016";

const fn flags(field: Field, table: &'static [Flag]) -> Field {
    field.show(Show::Flags(table, Issue::V2019))
}

/// Reads the value of an item from all that is left. `None`: an unknown id, or a length that cannot be its; then nothing is
/// consumed.
pub(super) fn read_item<'a, S: Source<'a>>(
    source: &mut S,
    id: u8,
    len: usize,
) -> Result<Option<ItemValue<'a>>, WireError> {
    Ok(match id {
        0x01 => number(source, &field("mileage", "里程", "mileage").tenths().unit("km"))?.map(ItemValue::Mileage),
        0x02 => word(source, &field("fuel", "油量", "fuel").tenths().unit("L"))?.map(ItemValue::Fuel),
        0x03 => word(source, &field("recorder_speed", "行驶记录速度", "recorder's speed").tenths().unit("km/h"))?
            .map(ItemValue::RecorderSpeed),
        0x04 => word(source, &hex("alarm_to_confirm", "需人工确认报警事件 ID", "alarm to confirm"))?
            .map(ItemValue::AlarmToConfirm),
        0x05 => Some(ItemValue::Tyres(source.rest(&bytes("tyres", "胎压", "tyre pressures")))),
        0x06 => {
            word(source, &field("cabin_temperature", "车厢温度", "cabin temperature").show(Show::Signed).unit("℃"))?
                .map(|word| ItemValue::CabinTemperature(signed_word(word)))
        }
        0x11 if len == 1 || len >= 5 => {
            let kind = source.u8(&names("kind", "位置类型", "kind of place", PLACES))?;
            let area = if len == 1 { None } else { Some(source.u32(&AREA_ID)?) };
            Some(ItemValue::Overspeed { kind, area })
        }
        0x12 if len >= 6 => Some(ItemValue::AreaCrossed {
            kind: source.u8(&names("kind", "位置类型", "kind of place", PLACES))?,
            area: source.u32(&AREA_ID)?,
            direction: source.u8(&names("direction", "方向", "direction", &[(0, "进", "in"), (1, "出", "out")]))?,
        }),
        0x13 if len >= 7 => Some(ItemValue::SegmentTime {
            segment: source.u32(&field("segment_id", "路段 ID", "id of the segment"))?,
            seconds: source.u16(&field("seconds", "路段行驶时间", "time in the segment").unit("s"))?,
            result: source.u8(&names(
                "result",
                "结果",
                "result",
                &[(0, "不足", "too fast"), (1, "过长", "too slow")],
            ))?,
        }),
        0x14..=0x18 => video(source, id, len)?,
        0x25 => number(source, &flags(field("vehicle_signals", "扩展车辆信号状态位", "vehicle signals"), SIGNALS))?
            .map(ItemValue::VehicleSignals),
        0x2A => word(source, &flags(field("in_out", "IO 状态位", "inputs and outputs"), IN_OUT))?.map(ItemValue::InOut),
        0x2B => number(source, &hex("analog", "模拟量 AD1 AD0", "analog AD1 AD0"))?.map(ItemValue::Analog),
        0x30 => byte(source, &field("signal", "无线通信网络信号强度", "signal"))?.map(ItemValue::Signal),
        0x31 => byte(source, &field("satellites", "GNSS 定位卫星数", "satellites"))?.map(ItemValue::Satellites),
        0x64..=0x67 => safety(source, id, len)?,
        0xE0 => number(source, &field("custom_length", "后续自定义信息长度", "length of custom items"))?
            .map(ItemValue::CustomLength),
        0xF1 if len == 4 => Some(ItemValue::InstallFault(source.u32(&hex(
            "install_fault",
            "安装异常(粤标终端)",
            "installation fault (Yue-biao terminals)",
        ))?)),
        0xF2 if len == 4 => Some(ItemValue::AlgorithmFault(source.u32(&hex(
            "algorithm_fault",
            "算法异常(粤标终端)",
            "algorithm fault (Yue-biao terminals)",
        ))?)),
        _ => None,
    })
}

fn video<'a, S: Source<'a>>(source: &mut S, id: u8, len: usize) -> Result<Option<ItemValue<'a>>, WireError> {
    Ok(match id {
        0x14 => number(source, &flags(field("video_alarm", "视频相关报警", "video alarm"), VIDEO_ALARM).clause(VIDEO))?
            .map(ItemValue::VideoAlarm),
        0x15 => number(source, &hex("video_loss", "视频信号丢失通道", "channels without signal").clause(VIDEO))?
            .map(ItemValue::VideoLoss),
        0x16 => number(source, &hex("video_occlusion", "视频信号遮挡通道", "channels occluded").clause(VIDEO))?
            .map(ItemValue::VideoOcclusion),
        0x17 => word(source, &hex("storage_fault", "存储器故障", "storage fault").clause(VIDEO))?
            .map(ItemValue::StorageFault),
        _ if len == 0 => None,
        _ => {
            let kinds = flags(field("abnormal_driving", "异常驾驶行为类型", "abnormal driving"), ABNORMAL_DRIVING)
                .clause("JT/T 1078-2016 表15");
            let kinds = if len == 1 { u16::from(source.u8(&kinds)?) } else { source.u16(&kinds)? };
            let fatigue = field("fatigue", "疲劳程度", "degree of fatigue");
            let fatigue = if len >= 3 { Some(source.u8(&fatigue)?) } else { None };
            Some(ItemValue::AbnormalDriving { kinds, fatigue })
        }
    })
}

fn safety<'a, S: Source<'a>>(source: &mut S, id: u8, len: usize) -> Result<Option<ItemValue<'a>>, WireError> {
    let Some(form): Option<AlarmForm> = form(id, len) else { return Ok(None) };
    Ok(Some(match id {
        0x64 => ItemValue::Adas(read_safety(source, id, form)?),
        0x65 => ItemValue::Dsm(read_safety(source, id, form)?),
        0x66 => ItemValue::TyrePressure(read_tyre(source, form)?),
        _ => ItemValue::BlindSpot(read_safety(source, id, form)?),
    }))
}

const AREA_ID: Field = field("area_id", "区域或路段 ID", "id of the area or segment");
const PLACES: &[super::field::Name] = &[
    (0, "无特定位置", "none"),
    (1, "圆形区域", "circle"),
    (2, "矩形区域", "rectangle"),
    (3, "多边形区域", "polygon"),
    (4, "路段/路线", "segment or route"),
];

/// One to four bytes, all that are left.
fn number<'a, S: Source<'a>>(source: &mut S, field: &Field) -> Result<Option<u32>, WireError> {
    bounded(source, field, u32::MAX)
}

fn word<'a, S: Source<'a>>(source: &mut S, field: &Field) -> Result<Option<u16>, WireError> {
    Ok(bounded(source, field, u32::from(u16::MAX))?.and_then(|number| u16::try_from(number).ok()))
}

fn byte<'a, S: Source<'a>>(source: &mut S, field: &Field) -> Result<Option<u8>, WireError> {
    Ok(bounded(source, field, u32::from(u8::MAX))?.and_then(|number| u8::try_from(number).ok()))
}

fn bounded<'a, S: Source<'a>>(source: &mut S, field: &Field, max: u32) -> Result<Option<u32>, WireError> {
    let value = source.peek();
    if !(1..=4).contains(&value.len()) {
        return Ok(None);
    }
    let number = value.iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    if number > max {
        return Ok(None);
    }
    source.take(value.len(), field)?;
    Ok(Some(number))
}

/// What an item is called.
pub(super) fn item_label(id: u8) -> Label {
    let (zh, en) = match id {
        0x01 => ("里程", "mileage"),
        0x02 => ("油量", "fuel"),
        0x03 => ("行驶记录速度", "recorder's speed"),
        0x04 => ("需人工确认报警事件", "alarm to confirm"),
        0x05 => ("胎压", "tyre pressures"),
        0x06 => ("车厢温度", "cabin temperature"),
        0x11 => ("超速报警附加信息", "overspeed"),
        0x12 => ("进出区域/路线报警附加信息", "area or route crossed"),
        0x13 => ("路段行驶时间报警附加信息", "time in a segment"),
        0x14 => ("视频相关报警", "video alarm"),
        0x15 => ("视频信号丢失", "video loss"),
        0x16 => ("视频信号遮挡", "video occlusion"),
        0x17 => ("存储器故障", "storage fault"),
        0x18 => ("异常驾驶行为", "abnormal driving"),
        0x25 => ("扩展车辆信号状态", "vehicle signals"),
        0x2A => ("IO 状态", "inputs and outputs"),
        0x2B => ("模拟量", "analog"),
        0x30 => ("信号强度", "signal"),
        0x31 => ("卫星数", "satellites"),
        0x64 => ("高级驾驶辅助报警", "ADAS alarm"),
        0x65 => ("驾驶员状态监测报警", "DSM alarm"),
        0x66 => ("胎压监测报警", "tyre alarm"),
        0x67 => ("盲区监测报警", "blind spot alarm"),
        0xE0 => ("后续自定义信息", "custom items follow"),
        0xE1..=0xFF => ("自定义附加信息", "vendor item"),
        _ => ("未知附加信息", "unknown item"),
    };
    Label { zh, en }
}
