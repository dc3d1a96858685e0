//! The body of 0x0200, and the batch of them, 0x0704. What an item says is in [`super::ItemValue`].

use super::bcd_time;
use super::field::{Field, Show, field, hex, names, time};
use super::flags::{ALARM, Issue};
use super::header::Version;
use super::items::{Item, ItemValue, item_label, read_item, standard_length};
use super::message::{Problem, ProblemCode};
use super::source::{Body, Plain, Source, W, Width};
use crate::Stamp;
use crate::error::WireError;
use crate::explain::Label;

/// Items read of one position; the rest is left out with a problem.
const ITEMS_MAX: usize = 256;
const ITEMS_USUAL: usize = 8;

/// Bits of the status word.
pub mod status {
    pub const IGNITION: u32 = 1;
    /// Without it the place is the last fix or 0, 0.
    pub const FIXED: u32 = 1 << 1;
    pub const SOUTH: u32 = 1 << 2;
    pub const WEST: u32 = 1 << 3;
    pub const ENCRYPTED: u32 = 1 << 5;
    /// 0 empty, 1 half, 3 full. Reserved in 2011.
    pub const LOAD_SHIFT: u32 = 8;
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position<'a> {
    pub alarm: u32,
    pub status: u32,
    /// 1e-6 degree, south negative.
    pub lat_e6: i32,
    /// 1e-6 degree, west negative.
    pub lon_e6: i32,
    pub altitude_m: u16,
    /// 0.1 km/h
    pub speed_dkmh: u16,
    pub course_degree: u16,
    /// As sent, BCD.
    pub time_bcd: [u8; 6],
    pub items: Vec<Item<'a>>,
}

impl<'a> Position<'a> {
    /// # Errors
    /// When the fixed 28 bytes are not there. Items that run over the end end the list, with a problem.
    pub fn read(body: &'a [u8], offset: usize, problems: &mut Vec<Problem>) -> Result<Self, WireError> {
        Self::read_from(&mut Plain::new(body, Version::V2013, offset, problems))
    }

    /// Takes all that is left.
    pub(super) fn read_from<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let mut position = Self::read_fixed(source)?;
        // Most terminals send about eight items; three bytes are the least one has.
        position.items.reserve(ITEMS_USUAL.min(source.remaining() / 3));
        while source.remaining() > 0 {
            let at = source.offset();
            if position.items.len() >= ITEMS_MAX {
                source.problem(ProblemCode::TooManyItems, at, None);
                source.rest(&UNREAD);
                break;
            }
            let id = source.peek().first().copied().unwrap_or(0);
            let label = if S::TRACING { item_label(id) } else { Label { zh: "", en: "" } };
            let whole = source.group(&Field { label, ..ITEM }, |source| read_one(source, at, &mut position.items));
            if !whole {
                source.problem(ProblemCode::ItemTruncated, at, None);
                break;
            }
        }
        Ok(position)
    }

    /// The 28 bytes before the items.
    pub(super) fn read_fixed<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let issue = if source.version().is_2019() { Issue::V2019 } else { Issue::V2013 };
        let alarm = source.u32(&field("alarm", "报警标志", "alarms").show(Show::Flags(ALARM, issue)))?;
        let status = source.u32(&field("status", "状态", "status").show(Show::Status(issue)))?;
        let place_at = source.offset();
        let lat = source.u32(&field("lat", "纬度", "latitude").degree())?;
        let lon = source.u32(&field("lon", "经度", "longitude").degree())?;
        let altitude_m = source.u16(&field("altitude", "高程", "altitude").unit("m"))?;
        let speed_dkmh = source.u16(&field("speed", "速度", "speed").tenths().unit("km/h"))?;
        let course_degree = source.u16(&field("course", "方向", "course").unit("°"))?;
        let time_at = source.offset();
        let time_bcd = source.array(&time("time", "时间 (GMT+8)", "time (GMT+8)"))?;
        match bcd_time(&time_bcd) {
            None => source.problem(ProblemCode::TimeNotDigits, time_at, None),
            Some((_, 1..=12, 1..=31, 0..=23, 0..=59, 0..=59, _)) => {}
            Some(_) => source.problem(ProblemCode::TimeImpossible, time_at, None),
        }
        if lat > 90_000_000 || lon > 180_000_000 {
            source.problem(ProblemCode::PlaceImpossible, place_at, None);
        }
        Ok(Self {
            alarm,
            status,
            lat_e6: signed(lat, status & status::SOUTH != 0),
            lon_e6: signed(lon, status & status::WEST != 0),
            altitude_m,
            speed_dkmh,
            course_degree,
            time_bcd,
            items: Vec::new(),
        })
    }

    /// South and west are in the status word, which the caller sets.
    pub(super) fn write_fixed(&self, out: &mut Vec<u8>) {
        out.extend(self.alarm.to_be_bytes());
        out.extend(self.status.to_be_bytes());
        out.extend(self.lat_e6.unsigned_abs().to_be_bytes());
        out.extend(self.lon_e6.unsigned_abs().to_be_bytes());
        out.extend(self.altitude_m.to_be_bytes());
        out.extend(self.speed_dkmh.to_be_bytes());
        out.extend(self.course_degree.to_be_bytes());
        out.extend(self.time_bcd);
    }

    /// The time of the fix on the terminal's clock; `None` when the bytes are no digits.
    pub fn time(&self) -> Option<Stamp> {
        bcd_time(&self.time_bcd)
    }

    pub const fn is_fixed(&self) -> bool {
        self.status & status::FIXED != 0
    }

    pub const fn ignition(&self) -> bool {
        self.status & status::IGNITION != 0
    }

    /// 0 empty, 1 half, 2 reserved, 3 full.
    pub fn load(&self) -> u8 {
        u8::try_from(self.status >> status::LOAD_SHIFT & 3).unwrap_or(0)
    }

    pub fn item(&self, id: u8) -> Option<Item<'a>> {
        self.items.iter().copied().find(|item| item.id == id)
    }

    /// 0.1 km
    pub fn mileage_dkm(&self) -> Option<u32> {
        match self.item(0x01)?.read() {
            ItemValue::Mileage(mileage) => Some(mileage),
            _ => None,
        }
    }
}

const ITEM: Field = field("item", "附加信息", "item");
const ITEM_ID: Field = hex("item_id", "附加信息 ID", "item id");
const ITEM_LENGTH: Field = field("item_length", "附加信息长度", "item length");
const VALUE: Field = super::field::bytes("value", "附加信息内容", "value");
const UNREAD: Field = super::field::bytes("unread", "未解析", "not read");

/// One item; false when it runs over the end.
fn read_one<'a, S: Source<'a>>(source: &mut S, at: usize, items: &mut Vec<Item<'a>>) -> bool {
    let id = source.u8(&ITEM_ID);
    let (Ok(id), Ok(len)) = (id, source.u8(&ITEM_LENGTH)) else {
        source.rest(&UNREAD);
        return false;
    };
    let len = usize::from(len);
    let whole = len <= source.remaining();
    let value = source.peek();
    let value = value.get(..len).unwrap_or(value);
    let item = Item { id, value };
    if whole && !item.length_fits() {
        source.problem(ProblemCode::ItemLength, at, standard_length(id).map(|standard| (len, standard)));
    }
    items.push(item);
    if S::TRACING && whole {
        // An item is never an error: what it does not understand is taken as bytes.
        source.within(len, &VALUE, |source| read_item(source, id, len).ok()).ok();
    } else {
        source.take(value.len(), &VALUE).ok(); // as many as there are
    }
    whole
}

fn signed(degree_e6: u32, negative: bool) -> i32 {
    let magnitude = i32::try_from(degree_e6).unwrap_or(i32::MAX);
    if negative { -magnitude } else { magnitude }
}

impl<'a> Body<'a> for Position<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        Self::read_from(source)
    }

    fn write(&self, out: &mut Vec<u8>, _version: Version) {
        self.write_fixed(out);
        for item in &self.items {
            let value = item.value.get(..255).unwrap_or(item.value);
            out.push(item.id);
            out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(value);
        }
    }
}

/// The body of a 0x0200. South and west are in the status word, which the caller sets.
pub fn encode_position(out: &mut Vec<u8>, position: &Position<'_>) {
    position.write(out, Version::V2013);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    Normal,
    /// Stored while the link was down.
    BlindZone,
    Other(u8),
}

/// 0x0704
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    pub kind: BatchKind,
    pub positions: Vec<Position<'a>>,
}

/// `None` when it runs over the end.
fn read_element<'a, S: Source<'a>>(source: &mut S) -> Option<Result<Position<'a>, WireError>> {
    let len = source.u16(&super::field::LENGTH).ok()?;
    source.within(usize::from(len), &UNREAD, Position::read_from).ok()
}

impl<'a> Body<'a> for Batch<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let start = source.offset();
        let count = usize::from(source.u16(&field("count", "数据项个数", "positions"))?);
        let kinds =
            names("kind", "位置数据类型", "kind", &[(0, "正常位置批量汇报", "normal"), (1, "盲区补报", "blind zone")]);
        let kind = match source.u8(&kinds)? {
            0 => BatchKind::Normal,
            1 => BatchKind::BlindZone,
            other => BatchKind::Other(other),
        };
        let mut positions = Vec::new();
        let mut seen = 0;
        while source.remaining() > 0 && seen < count {
            let at = source.offset();
            seen += 1;
            let element = field("position", "位置汇报数据", "position");
            match source.group(&element, read_element) {
                Some(Ok(position)) => positions.push(position),
                Some(Err(_)) => source.problem(ProblemCode::BatchElement, at, None),
                // Where the next one would begin is not known.
                None => {
                    source.problem(ProblemCode::BatchElement, at, None);
                    break;
                }
            }
        }
        if seen != count || source.remaining() > 0 {
            source.problem(ProblemCode::BatchCount, start, Some((seen, count)));
            source.rest(&UNREAD);
        }
        Ok(Self { kind, positions })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        let count = W::write(self.positions.len(), out);
        out.push(match self.kind {
            BatchKind::Normal => 0,
            BatchKind::BlindZone => 1,
            BatchKind::Other(other) => other,
        });
        for position in self.positions.iter().take(count) {
            let mut element = Vec::new();
            position.write(&mut element, version);
            element.truncate(usize::from(u16::MAX));
            W::write(element.len(), out);
            out.extend(element);
        }
    }
}
