//! The body of 0x0200 and its additional items. An item's own length counts: real terminals send other lengths than the
//! standard's, so an item is read when its length fits and kept as bytes in any case.

use super::bcd_time;
use super::message::{Problem, ProblemCode};
use crate::Stamp;
use crate::error::WireError;
use crate::reader::Reader;

/// Items read of one position; the rest is left out with a problem.
const ITEMS_MAX: usize = 256;

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
    VehicleSignals(u32),
    InOut(u16),
    Analog(u32),
    Signal(u8),
    Satellites(u8),
    /// Any other id, or a length that does not fit.
    Other(&'a [u8]),
}

impl<'a> Item<'a> {
    pub fn read(&self) -> ItemValue<'a> {
        let number = match self.value.len() {
            1..=4 => self.value.iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)),
            _ => return ItemValue::Other(self.value),
        };
        let word = u16::try_from(number).ok();
        let byte = u8::try_from(number).ok();
        let read = match self.id {
            0x01 => Some(ItemValue::Mileage(number)),
            0x02 => word.map(ItemValue::Fuel),
            0x03 => word.map(ItemValue::RecorderSpeed),
            0x04 => word.map(ItemValue::AlarmToConfirm),
            0x25 => Some(ItemValue::VehicleSignals(number)),
            0x2A => word.map(ItemValue::InOut),
            0x2B => Some(ItemValue::Analog(number)),
            0x30 => byte.map(ItemValue::Signal),
            0x31 => byte.map(ItemValue::Satellites),
            _ => None,
        };
        read.unwrap_or(ItemValue::Other(self.value))
    }
}

impl<'a> Position<'a> {
    /// # Errors
    /// When the fixed 28 bytes are not there. Items that run over the end end the list, with a problem.
    pub fn read(body: &'a [u8], offset: usize, problems: &mut Vec<Problem>) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let (alarm, status) = (reader.u32()?, reader.u32()?);
        let (lat, lon) = (reader.u32()?, reader.u32()?);
        let (altitude_m, speed_dkmh, course_degree) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let time_at = reader.offset();
        let mut time_bcd = [0; 6];
        time_bcd.copy_from_slice(reader.take(6)?);
        if bcd_time(&time_bcd).is_none() {
            problems.push(Problem { code: ProblemCode::TimeNotDigits, offset: offset + time_at });
        }
        let mut position = Self {
            alarm,
            status,
            lat_e6: signed(lat, status & status::SOUTH != 0),
            lon_e6: signed(lon, status & status::WEST != 0),
            altitude_m,
            speed_dkmh,
            course_degree,
            time_bcd,
            items: Vec::new(),
        };
        if position.lat_e6.unsigned_abs() > 90_000_000 || position.lon_e6.unsigned_abs() > 180_000_000 {
            problems.push(Problem { code: ProblemCode::PlaceImpossible, offset: offset + 8 });
        }
        position.read_items(&mut reader, offset, problems);
        Ok(position)
    }

    fn read_items(&mut self, reader: &mut Reader<'a>, offset: usize, problems: &mut Vec<Problem>) {
        while reader.remaining() > 0 {
            let at = offset + reader.offset();
            if self.items.len() >= ITEMS_MAX {
                problems.push(Problem { code: ProblemCode::TooManyItems, offset: at });
                return;
            }
            let head = (reader.u8(), reader.u8());
            let (Ok(id), Ok(len)) = head else {
                problems.push(Problem { code: ProblemCode::ItemTruncated, offset: at });
                return;
            };
            let Ok(value) = reader.take(usize::from(len)) else {
                problems.push(Problem { code: ProblemCode::ItemTruncated, offset: at });
                self.items.push(Item { id, value: reader.rest() });
                return;
            };
            self.items.push(Item { id, value });
        }
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

fn signed(degree_e6: u32, negative: bool) -> i32 {
    let magnitude = i32::try_from(degree_e6).unwrap_or(i32::MAX);
    if negative { -magnitude } else { magnitude }
}
