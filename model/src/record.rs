//! A [`Record`] is what one device said about one moment: one device, kind, slot and event time, with all its values.
//! It is the thing the loss ledger counts. One bad value inside it is a [`Remark`], not a loss.

use crate::envelope::Position;
use crate::geo::Wgs84;
use crate::id::{DeviceId, SubjectId};
use crate::quantity::Quantity;
use crate::time::{EventTime, IngestTime};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// What a record is about. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RecordKind {
    /// Real-time readings at an instant (HJ 212 CN 2011, MQTT telemetry, a Modbus poll).
    Instant = 1,
    /// Statistics of a minute or of the logger's minute interval (CN 2051); the event time is the period's start.
    Minute = 2,
    /// Statistics of an hour (CN 2061); the event time is the period's start.
    Hour = 3,
    /// Statistics of a day (CN 2031); the event time is the period's start.
    Day = 4,
    /// Where a truck was.
    Position = 5,
    /// Equipment states (CN 2021, status messages).
    State = 6,
    /// Something that happened: a pass through a gate, a wash, an alarm of the device.
    Event = 7,
}

impl RecordKind {
    pub const ALL: [Self; 7] =
        [Self::Instant, Self::Minute, Self::Hour, Self::Day, Self::Position, Self::State, Self::Event];

    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Which statistic of its period a value is. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Statistic {
    Instant = 1,
    Mean = 2,
    Min = 3,
    Max = 4,
    /// Cumulated amount over the period (HJ 212 `-Cou`).
    Total = 5,
}

impl Statistic {
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Instant, Self::Mean, Self::Min, Self::Max, Self::Total].into_iter().find(|s| *s as u8 == number)
    }
}

/// How far a value may be trusted, as the device says (HJ 212-2017 6.6.4) or as settle found. Only [`Flag::Normal`]
/// counts toward limits. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Flag {
    /// N
    #[default]
    Normal = 0,
    /// F: the instrument was stopped.
    Stopped = 1,
    /// M: maintenance.
    Maintenance = 2,
    /// S: entered by hand.
    Manual = 3,
    /// D: device fault.
    Fault = 4,
    /// C: calibration.
    Calibration = 5,
    /// T: over the instrument's range.
    OverRange = 6,
    /// B: link to the instrument broken.
    LinkBroken = 7,
    /// A letter the standard does not know.
    Unknown = 8,
    /// Settle found the value outside the quantity's possible range.
    Impossible = 9,
}

impl Flag {
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::Stopped,
        Self::Maintenance,
        Self::Manual,
        Self::Fault,
        Self::Calibration,
        Self::OverRange,
        Self::LinkBroken,
        Self::Unknown,
        Self::Impossible,
    ];

    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| *flag as u8 == number)
    }

    /// The letter of HJ 212, either case.
    pub const fn from_letter(letter: u8) -> Self {
        match letter.to_ascii_uppercase() {
            b'N' => Self::Normal,
            b'F' => Self::Stopped,
            b'M' => Self::Maintenance,
            b'S' => Self::Manual,
            b'D' => Self::Fault,
            b'C' => Self::Calibration,
            b'T' => Self::OverRange,
            b'B' => Self::LinkBroken,
            _ => Self::Unknown,
        }
    }
}

/// One number, in its quantity's canonical unit (foreign quantities: as sent).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Value {
    pub quantity: Quantity,
    pub statistic: Statistic,
    pub flag: Flag,
    pub value: f64,
}

/// A fix of a truck.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    pub place: Wgs84,
    pub speed_kmh: f64,
    /// 0–359, clockwise from north.
    pub heading_deg: u16,
    pub altitude_m: i16,
    /// JT/T 808 status bit 1. When false the place is the last known one and never a fresh location.
    pub fixed: bool,
    /// JT/T 808 status word; 0 for other protocols.
    pub status: u32,
    /// JT/T 808 alarm word; 0 for other protocols.
    pub alarm: u32,
}

/// An event of a camera, washer or other device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// Closed words of ours (`vehicle_exit`, `vehicle_entry`, `wash`, `device_alarm`, `restart`) or the device's own.
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EventTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    /// Further attributes, key-sorted, values as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// References to pictures: content hash or the address the device gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<String>,
}

/// The parts of a record that its key does not say. Any of them may be empty, not all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Body {
    /// Sorted by (quantity, statistic); no two alike.
    pub values: Vec<Value>,
    pub fix: Option<Fix>,
    pub happening: Option<Box<Happening>>,
}

/// Identity of a record: two records with one key and the same body are duplicates; with another body the later one
/// revises the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    pub device: DeviceId,
    pub kind: RecordKind,
    /// Tells apart records of one device, kind and time that are different things: two plates at one gate in one
    /// second, two instruments behind one logger. 0 otherwise.
    pub slot: u32,
    pub at: EventTime,
}

/// Something odd about a stored record. The raw frame is kept; the record is used as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// A stable word: `unknown_factor`, `value_not_a_number`, `out_of_range`, `clock_skew`, `check_bad_accepted` …
    pub code: String,
    /// Where: factor code, field or byte offset.
    pub place: String,
}

/// A decoded record before its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub key: RecordKey,
    pub body: Body,
    pub remarks: Vec<Remark>,
}

/// A record that settle has judged. Everything behind settle consumes these and never decodes again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettledRecord {
    pub key: RecordKey,
    /// The subject the device was installed at, at the event time; `None` when it was installed nowhere.
    pub subject: Option<SubjectId>,
    pub received: IngestTime,
    /// The journal entry it came in.
    pub position: Position,
    /// [`Verdict::Stored`] or [`Verdict::Revised`]; duplicates and quarantined frames go no further than the ledger.
    pub verdict: Verdict,
    pub body: Body,
    pub remarks: Vec<Remark>,
}

impl Body {
    /// The value of a quantity and statistic, if the record has it.
    pub fn value(&self, quantity: Quantity, statistic: Statistic) -> Option<&Value> {
        self.values.iter().find(|v| v.quantity == quantity && v.statistic == statistic)
    }
}
