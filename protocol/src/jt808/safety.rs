//! Alarms of active safety in items 0x64 – 0x67 (Su-biao T/JSATL 12-2017, Yue-biao T/GDRTA 002-2020). Whose layout an item
//! has follows from its length, never from the header.

use super::attachment::{AlarmForm, AlarmId};
use super::field::{Field, Name, field, hex, names, time};
use super::source::{Num, Source, layout};
use crate::error::WireError;

/// Items 0x64 (ADAS), 0x65 (DSM) and, without level and specifics, 0x67 (blind spot).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyAlarm<'a> {
    pub id: u32,
    /// 0 not applicable, 1 start, 2 end.
    pub flag: u8,
    pub kind: u8,
    /// Not with 0x67.
    pub level: Option<u8>,
    /// Five bytes whose meaning depends on the kind; none with 0x67.
    pub specific: &'a [u8],
    pub place: SafetyPlace,
    pub alarm: AlarmId<'a>,
}

/// Item 0x66.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TyreAlarm<'a> {
    pub id: u32,
    pub flag: u8,
    pub place: SafetyPlace,
    pub alarm: AlarmId<'a>,
    pub count: u8,
    /// Nine bytes a tyre: position, alarm bits, pressure, temperature, battery.
    pub tyres: &'a [u8],
}

/// Where and when the vehicle was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyPlace {
    pub speed_kmh: u8,
    pub altitude_m: u16,
    /// 1e-6 degree, magnitudes.
    pub lat_e6: u32,
    pub lon_e6: u32,
    pub time_bcd: [u8; 6],
    pub vehicle: u16,
}

const FLAG: &[Name] = &[(0, "不可用", "not applicable"), (1, "开始", "start"), (2, "结束", "end")];
const ADAS: &[Name] = &[
    (1, "前向碰撞", "forward collision"),
    (2, "车道偏离", "lane departure"),
    (3, "车距过近", "too close"),
    (4, "行人碰撞", "pedestrian"),
    (5, "频繁变道", "lane changing"),
    (6, "道路标识超限", "over the sign's limit"),
    (7, "障碍物", "obstacle"),
    (10, "道路标志识别事件", "sign event"),
    (11, "主动抓拍事件", "capture"),
];
const DSM: &[Name] = &[
    (1, "疲劳驾驶", "fatigue"),
    (2, "接打电话", "phone"),
    (3, "抽烟", "smoking"),
    (4, "分神驾驶", "distracted"),
    (5, "驾驶员异常", "driver abnormal"),
    (10, "自动抓拍事件", "capture"),
    (11, "驾驶员变更事件", "driver change"),
];
const BLIND: &[Name] = &[(1, "后方接近", "rear"), (2, "左侧后方接近", "left rear"), (3, "右侧后方接近", "right rear")];
const SU: &str = "T/JSATL 12-2017";
const YUE: &str = "T/GDRTA 002-2020";

/// Bytes of an item before its alarm id.
const HEAD_LONG: usize = 31;
const HEAD_TYRE: usize = 24;
const HEAD_BLIND: usize = 25;

/// Which layout an item of this id and length has; `None` when it is neither's.
pub(super) fn form(id: u8, len: usize) -> Option<AlarmForm> {
    let (su, yue) = (AlarmForm::SuBiao, AlarmForm::YueBiao);
    let head = match id {
        0x64 | 0x65 => HEAD_LONG,
        0x66 => HEAD_TYRE + 1,
        0x67 => HEAD_BLIND,
        _ => return None,
    };
    let rest = len.checked_sub(head + su.widths().2)?;
    let wider = yue.widths().2 - su.widths().2;
    match id {
        0x66 if rest % 9 == 0 => Some(su),
        0x66 => (rest >= wider && (rest - wider) % 9 == 0).then_some(yue),
        _ if rest >= wider => Some(yue),
        _ => Some(su),
    }
}

/// Whether the length is exactly one of the two standards'.
pub(super) fn length_fits(id: u8, len: usize) -> bool {
    match id {
        0x64 | 0x65 => len == 47 || len == 71,
        0x67 => len == 41 || len == 65,
        _ => form(id, len).is_some(),
    }
}

fn clause(form: AlarmForm) -> &'static str {
    match form {
        AlarmForm::SuBiao => SU,
        AlarmForm::YueBiao => YUE,
    }
}

pub(super) fn read_safety<'a, S: Source<'a>>(
    source: &mut S,
    item: u8,
    form: AlarmForm,
) -> Result<SafetyAlarm<'a>, WireError> {
    let (id, flag) = read_start(source, form)?;
    let kinds = match item {
        0x64 => ADAS,
        0x65 => DSM,
        _ => BLIND,
    };
    let kind = source.u8(&names("kind", "报警/事件类型", "kind", kinds).clause(clause(form)))?;
    let (level, specific) = if item == 0x67 {
        (None, &[][..])
    } else {
        let level = source.u8(&field("level", "报警级别", "level"))?;
        (Some(level), read_specific(source, item)?)
    };
    Ok(SafetyAlarm {
        id,
        flag,
        kind,
        level,
        specific,
        place: read_place(source)?,
        alarm: AlarmId::read_form(source, form)?,
    })
}

impl SafetyAlarm<'_> {
    /// The item's value, as [`read_safety`] takes it; five bytes of specifics where there is a level.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.id.to_be_bytes().to_vec();
        out.extend([self.flag, self.kind]);
        if let Some(level) = self.level {
            out.push(level);
            super::source::padded(&mut out, self.specific, 5);
        }
        let place = &self.place;
        out.push(place.speed_kmh);
        out.extend(place.altitude_m.to_be_bytes());
        out.extend(place.lat_e6.to_be_bytes());
        out.extend(place.lon_e6.to_be_bytes());
        out.extend(place.time_bcd);
        out.extend(place.vehicle.to_be_bytes());
        out.extend(self.alarm.to_bytes());
        out
    }
}

fn read_start<'a, S: Source<'a>>(source: &mut S, form: AlarmForm) -> Result<(u32, u8), WireError> {
    let id = source.u32(&field("safety_id", "报警 ID", "alarm number of the terminal").clause(clause(form)))?;
    Ok((id, source.u8(&names("flag", "标志状态", "state", FLAG))?))
}

fn read_specific<'a, S: Source<'a>>(source: &mut S, item: u8) -> Result<&'a [u8], WireError> {
    let all = source.peek();
    if S::TRACING {
        if item == 0x64 {
            source.u8(&field("front_speed", "前车车速", "speed in front").unit("km/h"))?;
            source.u8(&field("front_distance", "前车/行人距离", "distance in front").unit("100ms"))?;
            source.u8(&names("deviation", "偏离类型", "departure", &[(1, "左侧", "left"), (2, "右侧", "right")]))?;
            source.u8(&names(
                "sign_kind",
                "道路标志识别类型",
                "kind of sign",
                &[(1, "限速", "speed"), (2, "限高", "height"), (3, "限重", "weight")],
            ))?;
            source.u8(&field("sign_value", "道路标志识别数据", "value of the sign"))?;
        } else {
            source.u8(&field("fatigue", "疲劳程度", "degree of fatigue"))?;
            source.take(4, &super::field::RESERVED)?;
        }
    } else {
        source.take(5, &super::field::RESERVED)?;
    }
    Ok(all.get(..5).unwrap_or(all))
}

fn read_place<'a, S: Source<'a>>(source: &mut S) -> Result<SafetyPlace, WireError> {
    Ok(SafetyPlace {
        speed_kmh: source.u8(&field("speed", "车速", "speed").unit("km/h"))?,
        altitude_m: source.u16(&field("altitude", "高程", "altitude").unit("m"))?,
        lat_e6: source.u32(&field("lat", "纬度", "latitude").degree())?,
        lon_e6: source.u32(&field("lon", "经度", "longitude").degree())?,
        time_bcd: source.array(&time("time", "日期时间", "time"))?,
        vehicle: source.u16(&hex("vehicle", "车辆状态", "vehicle status"))?,
    })
}

pub(super) fn read_tyre<'a, S: Source<'a>>(source: &mut S, form: AlarmForm) -> Result<TyreAlarm<'a>, WireError> {
    let (id, flag) = read_start(source, form)?;
    let place = read_place(source)?;
    let alarm = AlarmId::read_form(source, form)?;
    let count = source.u8(&field("count", "报警/事件列表总数", "tyres"))?;
    let tyres = source.peek();
    if S::TRACING {
        while source.remaining() >= 9 {
            source.group(&field("tyre", "胎压报警信息", "tyre"), Tyre::trace)?;
        }
    } else {
        source.take(tyres.len(), &TYRES)?;
    }
    Ok(TyreAlarm { id, flag, place, alarm, count, tyres })
}

const TYRES: Field = super::field::bytes("tyres", "胎压报警列表", "tyres");

impl<'a> TyreAlarm<'a> {
    /// The tyres that are there, at most as many as announced.
    pub fn tyres(&self) -> impl Iterator<Item = Tyre> + 'a {
        self.tyres.chunks_exact(9).take(usize::from(self.count)).filter_map(|tyre| {
            let word = |at: usize| Some(u16::from_be_bytes([*tyre.get(at)?, *tyre.get(at + 1)?]));
            Some(Tyre {
                position: *tyre.first()?,
                alarm: word(1)?,
                pressure_kpa: word(3)?,
                temperature_c: word(5)?,
                battery_percent: word(7)?,
            })
        })
    }
}

layout! {
    /// One tyre.
    pub struct Tyre {
        position: u8 => Num, field("position", "胎压报警位置", "position");
        alarm: u16 => Num, hex("alarm", "报警/事件类型", "alarms");
        pressure_kpa: u16 => Num, field("pressure", "胎压", "pressure").unit("kPa");
        temperature_c: u16 => Num, field("temperature", "胎温", "temperature").unit("℃");
        battery_percent: u16 => Num, field("battery", "电池电量", "battery").unit("%");
    }
}

impl Tyre {
    fn trace<'a, S: Source<'a>>(source: &mut S) -> Result<(), WireError> {
        use super::source::Body;
        Self::read(source).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Item, ItemValue};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_alarm_is_written_as_it_is_read(
            item in prop::sample::select(vec![(0x64_u8, 47_usize), (0x64, 71), (0x65, 47), (0x65, 71), (0x67, 41), (0x67, 65)]),
            bytes in prop::collection::vec(any::<u8>(), 71),
        ) {
            let value = &bytes[..item.1];
            let read = Item { id: item.0, value }.read();
            let (ItemValue::Adas(alarm) | ItemValue::Dsm(alarm) | ItemValue::BlindSpot(alarm)) = read else { panic!("{read:?}") };
            prop_assert_eq!(alarm.to_bytes(), value);
            let id = alarm.alarm.to_bytes();
            prop_assert_eq!(AlarmId::of_bytes(&id), Some(alarm.alarm));
        }
    }
}
