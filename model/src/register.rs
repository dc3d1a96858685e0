//! The registers (台账) as far as they can change a verdict. Each object is a plain row with serde form; the ledger
//! writes [`Revision`]s of them to the journal, and [`crate::facts::Facts`] is the fold of those revisions. Secrets and
//! people are not here: they change no verdict and never enter the journal.

use crate::envelope::ProtocolKind;
use crate::event_rule::EventRule;
use crate::geo::Wgs84;
use crate::id::{DeviceId, GridId, InstallationId, LimitId, OfficeId, PermitId, SubjectId};
pub use crate::modbus::ModbusPoll;
use crate::principal::Strictness;
use crate::record::Statistic;
use crate::time::{EventTime, IngestTime};
use crate::truck::Truck;
use crate::unit::Unit;
use serde::{Deserialize, Serialize};

mod area;
mod background;
mod cleaning;
mod maintenance;
mod manifest;
mod night_permit;
mod notice;
mod schedule;
mod suspension;
pub mod windows;

pub use area::{Area, AreaPurpose, Circle};
pub use background::Background;
pub use cleaning::{Cleaning, CleaningPart};
pub use maintenance::Maintenance;
pub use manifest::{Manifest, ManifestSource};
pub use night_permit::NightPermit;
pub use notice::{Notice, NoticeLevel, Stops};
pub use schedule::Schedule;
pub use suspension::Suspension;

/// An office (机构): bureau, squadron (中队), sub-district office (办事处).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Office {
    pub id: OfficeId,
    pub code: String,
    pub name: String,
    #[serde(default)]
    pub parent: Option<OfficeId>,
}

/// A grid cell (单元网格) with the office in charge of each kind of matter in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    pub id: GridId,
    /// 15 digits in GB/T 47678.3; free text is accepted.
    pub code: String,
    pub name: String,
    pub office: OfficeId,
    /// Outer ring, first point not repeated; empty when unknown.
    #[serde(default)]
    pub outline: Vec<Wgs84>,
}

/// A supervised subject (监管对象).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    pub id: SubjectId,
    pub code: String,
    pub name: String,
    #[serde(default)]
    pub grid: Option<GridId>,
    /// Where it stands; a truck has none.
    #[serde(default)]
    pub place: Option<Wgs84>,
    pub details: SubjectDetails,
    /// False when it was retired.
    #[serde(default = "yes")]
    pub active: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum SubjectDetails {
    Restaurant {
        /// Size class of GB 18483-2001 table 1: `small`, `medium`, `large`.
        #[serde(default)]
        size_class: Option<String>,
        /// Working stoves n of the conversion.
        #[serde(default)]
        stoves: Option<f64>,
        #[serde(default)]
        address: String,
        #[serde(default)]
        licence: String,
        #[serde(default)]
        contact: String,
        #[serde(default)]
        phone: String,
    },
    Site {
        /// `earthwork`, `foundation`, `structure`, `finishing`.
        #[serde(default)]
        stage: Option<String>,
        #[serde(default)]
        address: String,
        #[serde(default)]
        builder: String,
        #[serde(default)]
        outline: Vec<Wgs84>,
    },
    /// A gate of a site.
    Gate { site: SubjectId },
    DisposalSite {
        #[serde(default)]
        outline: Vec<Wgs84>,
        #[serde(default)]
        capacity_m3: Option<f64>,
    },
    Truck {
        plate: String,
        #[serde(default)]
        plate_colour: String,
        #[serde(default)]
        company: String,
        /// Approved load, tonnes.
        #[serde(default)]
        load_t: Option<f64>,
    },
}

impl SubjectDetails {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Restaurant { .. } => "restaurant",
            Self::Site { .. } => "site",
            Self::Gate { .. } => "gate",
            Self::DisposalSite { .. } => "disposal_site",
            Self::Truck { .. } => "truck",
        }
    }
}

/// A window of the week in local (Beijing) time. `from > to` crosses midnight and belongs to the day it starts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeekWindow {
    /// 1 = Monday … 7 = Sunday, 8 = public holiday; empty = every day. What 8 does to the others: [`windows`].
    #[serde(default)]
    pub weekdays: Vec<u8>,
    /// Minutes after midnight, 0–1439.
    pub from_minute: u16,
    /// Minutes after midnight, 1–1440.
    pub to_minute: u16,
}

/// A haul permit: which truck may drive which corridor when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    pub id: PermitId,
    pub code: String,
    pub trucks: Vec<SubjectId>,
    #[serde(default)]
    pub site: Option<SubjectId>,
    #[serde(default)]
    pub disposal_site: Option<SubjectId>,
    /// The permitted route as a polyline.
    pub corridor: Vec<Wgs84>,
    /// Half the corridor's width: the farthest a truck may be from the line.
    pub corridor_half_width_m: f64,
    /// Empty = at all hours.
    #[serde(default)]
    pub windows: Vec<WeekWindow>,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
    /// Withdrawn for as long as this is set, at all event times. A suspension of known length stands in `suspensions`.
    #[serde(default)]
    pub suspended: bool,
    /// When it did not hold, as of event time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspensions: Vec<Suspension>,
}

/// A limit row. Limits differ by province, year and class; they are rows, never constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub id: LimitId,
    /// A quantity's code, see [`crate::quantity`].
    pub quantity: String,
    pub value: f64,
    pub unit: Unit,
    /// Administrative region code or name the row is for; empty = any.
    #[serde(default)]
    pub region: String,
    /// Number of the standard: `GB 18483-2001`.
    pub standard: String,
    /// Size class or construction stage; empty = any.
    #[serde(default)]
    pub class: String,
    /// Subject kind (`restaurant`, `site`); empty = any.
    #[serde(default)]
    pub subject_kind: String,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
    /// Where the number was read: page or document. Without it the page says "configured value, unverified".
    #[serde(default)]
    pub source: String,
    /// A person compared the number with the source.
    #[serde(default)]
    pub verified: bool,
    #[serde(default)]
    pub retired: bool,
}

/// How a device model speaks: what its codes mean, in which units, how forgiving to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceProfile {
    /// Unique name of the model's profile: `fume-hj212-generic`.
    pub code: String,
    pub name: String,
    pub protocol: ProtocolKind,
    #[serde(default)]
    pub strictness: Strictness,
    /// Minutes the device's clock is ahead of UTC.
    #[serde(default = "beijing")]
    pub offset_minutes: i32,
    /// Seconds between two records the device is expected to send; drives gaps and silence.
    #[serde(default = "minute")]
    pub expected_interval_s: u32,
    #[serde(default)]
    pub factors: Vec<Factor>,
    /// For Modbus devices: the register map.
    #[serde(default)]
    pub registers: Vec<Register>,
    /// Positions are in GCJ-02 and are converted once, in settle.
    #[serde(default)]
    pub gcj02: bool,
    /// For JT/T 808 trucks: where cover, bed and load are. Without it a position has the standard's load alone, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truck: Option<Truck>,
    /// For cameras that speak ONVIF: what their events are. One that no row is for keeps its topic as its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventRule>,
    /// For HJ 212 loggers: what the platform tells them by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downlink: Option<crate::downlink::Policy>,
}

const fn beijing() -> i32 {
    crate::time::BEIJING_OFFSET_MINUTES
}
const fn minute() -> u32 {
    60
}
const fn one() -> f64 {
    1.0
}

/// One code of a device: HJ 212 factor, JSON key or register name → quantity, with its unit on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// As the device writes it, compared without case.
    pub code: String,
    /// A quantity's code.
    pub quantity: String,
    /// The unit on the wire.
    pub unit: Unit,
    /// canonical = (wire × scale + offset) converted from `unit`.
    #[serde(default = "one")]
    pub scale: f64,
    #[serde(default)]
    pub offset: f64,
    /// For codes whose name does not say the statistic.
    #[serde(default)]
    pub statistic: Option<Statistic>,
    /// Narrower than the quantity's own range, in the canonical unit.
    #[serde(default)]
    pub min: Option<f64>,
    #[serde(default)]
    pub max: Option<f64>,
}

/// One value in a Modbus register map. The decoded number goes through the profile's factor of the same code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// A factor's code.
    pub code: String,
    /// 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers.
    pub function: u8,
    /// As the device's manual writes it; `base` says how that counts. [`Register::wire_address`] is the one on the wire.
    pub address: u16,
    #[serde(default)]
    pub base: AddressBase,
    pub kind: RegisterKind,
    /// Order of the bytes of a multi-register value.
    #[serde(default)]
    pub order: WordOrder,
    /// For `kind = "bit"`: which bit of the register, 0 = least.
    #[serde(default)]
    pub bit: Option<u8>,
    /// These bits of an integer, moved down to bit 0: `0x0F00` of `0xABCD` is 11.
    #[serde(default)]
    pub mask: Option<u64>,
    /// For `kind = "text"`: how many registers, two characters each.
    #[serde(default)]
    pub length: Option<u8>,
    /// Raw register value that means "no reading".
    #[serde(default)]
    pub sentinel: Option<i64>,
    /// Raw numbers below the first or above the second are no reading: `[4000, 20000]` for a current loop in µA.
    #[serde(default)]
    pub valid: Option<(i64, i64)>,
    /// Do not read this register in one block with its neighbours.
    #[serde(default)]
    pub alone: bool,
    /// Begin a new block here: what lies before this register must not be read along.
    #[serde(default)]
    pub split: bool,
}

impl Register {
    /// The 0-based address of its first register on the wire; `None` when the written number is none of its table.
    pub const fn wire_address(&self) -> Option<u16> {
        let first = match (self.base, self.function) {
            (AddressBase::Zero, _) => 0,
            (AddressBase::One, _) | (AddressBase::Table, 1) => 1,
            (AddressBase::Table, 2) => 10_001,
            (AddressBase::Table, 4) => 30_001,
            (AddressBase::Table, _) => 40_001,
        };
        if matches!(self.base, AddressBase::Table) && self.address >= first + 9_999 {
            return None;
        }
        self.address.checked_sub(first)
    }

    /// Registers (or bits) it takes.
    pub fn width(&self) -> u16 {
        match self.kind {
            RegisterKind::Bit
            | RegisterKind::U8Low
            | RegisterKind::U8High
            | RegisterKind::I8Low
            | RegisterKind::I8High
            | RegisterKind::U16
            | RegisterKind::I16
            | RegisterKind::F16 => 1,
            RegisterKind::U32 | RegisterKind::I32 | RegisterKind::F32 => 2,
            RegisterKind::U64 | RegisterKind::I64 | RegisterKind::F64 => 4,
            RegisterKind::Text => u16::from(self.length.unwrap_or(1).max(1)),
        }
    }
}

/// How a manual counts addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressBase {
    /// From 0, as on the wire.
    #[default]
    Zero,
    /// From 1.
    One,
    /// 1… coils, 10001… discrete inputs, 30001… input registers, 40001… holding registers.
    Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterKind {
    Bit,
    /// The low byte of a register.
    U8Low,
    /// The high byte of a register.
    U8High,
    I8Low,
    I8High,
    U16,
    I16,
    U32,
    I32,
    /// Half precision.
    F16,
    F32,
    U64,
    I64,
    F64,
    /// Characters, `length` registers of them; no measurement, shown by probes.
    Text,
}

/// Byte order of a value over several registers, in the usual letters; `abcd` is big-endian throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordOrder {
    #[default]
    Abcd,
    Cdab,
    Badc,
    Dcba,
}

/// A device in the register, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub id: DeviceId,
    /// `[a-z0-9][a-z0-9-]{0,47}`, unique; the device's name in topics.
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub protocol: ProtocolKind,
    /// MN, phone digits, or MQTT user name; unique per protocol.
    pub identity: String,
    /// Code of its profile.
    pub profile: String,
    #[serde(default)]
    pub vendor: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub poll: Option<ModbusPoll>,
}

/// Device ≠ measuring point ≠ subject: which device measures which subject, from when to when (event time).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    pub id: InstallationId,
    pub device: DeviceId,
    pub subject: SubjectId,
    /// Name of the measuring point: `outlet`, `gate-1`.
    #[serde(default)]
    pub point: String,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
}

/// Working time of a bureau, for deadlines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    pub code: String,
    /// Working windows of a working day.
    pub hours: Vec<WeekWindow>,
    /// `YYYY-MM-DD` that are no working days although their weekday is.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// `YYYY-MM-DD` that are working days although they fall on a weekend (调休).
    #[serde(default)]
    pub workdays: Vec<String>,
}

/// A version of a rule that went live (or was switched off).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleVersion {
    pub code: String,
    /// Counts up from 1 for each code; a rollback is a new version with old text.
    pub version: u32,
    /// The rule file as written, TOML.
    pub text: String,
    pub active: bool,
}

/// A version that runs in shadow stands beside the live one under a code of its own: `fume-exceedance.shadow`. It makes alerts
/// that are marked, no cases and no notifications. Codes of rules have no dot, so nothing else looks like it.
const SHADOW: &str = ".shadow";

/// The code under which a rule runs in shadow.
pub fn shadow_code(code: &str) -> String {
    format!("{code}{SHADOW}")
}

/// The rule that a code runs in shadow; `None` for live ones.
pub fn shadowed(code: &str) -> Option<&str> {
    code.strip_suffix(SHADOW)
}

/// One edit of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "object", content = "row")]
pub enum Object {
    Office(Office),
    Grid(Grid),
    Subject(Subject),
    Permit(Permit),
    Limit(Limit),
    Profile(DeviceProfile),
    Device(Device),
    Installation(Installation),
    Calendar(Calendar),
    Rule(RuleVersion),
    Area(Area),
    Notice(Notice),
    NightPermit(NightPermit),
    Cleaning(Cleaning),
    Manifest(Manifest),
    Maintenance(Maintenance),
    Schedule(Schedule),
    Background(Background),
}

/// An edit with its author and number. `number` grows by one with every edit of any register; a consumer that has applied
/// number n ignores every revision ≤ n, so a revision that stands twice in the journal does no harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub number: u64,
    pub at: IngestTime,
    pub author: String,
    #[serde(flatten)]
    pub object: Object,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(json: &str) -> Register {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_row_written_before_there_were_bases_and_masks_reads_as_it_did() {
        let old = register(r#"{"code": "v", "function": 3, "address": 7, "kind": "u16"}"#);
        assert_eq!((old.wire_address(), old.width(), old.base), (Some(7), 1, AddressBase::Zero));
        assert_eq!((old.mask, old.valid, old.length, old.split), (None, None, None, false));
    }

    #[test]
    fn addresses_are_counted_as_the_manual_counts() {
        let cases = [
            ("zero", 3, 0, Some(0)),
            ("one", 3, 1, Some(0)),
            ("one", 1, 0, None),
            ("table", 3, 40_001, Some(0)),
            ("table", 3, 49_999, Some(9_998)),
            ("table", 3, 50_000, None),
            ("table", 3, 30_001, None),
            ("table", 4, 30_010, Some(9)),
            ("table", 4, 40_001, None),
            ("table", 2, 10_001, Some(0)),
            ("table", 1, 1, Some(0)),
        ];
        for (base, function, address, expected) in cases {
            let row = register(&format!(
                r#"{{"code": "v", "function": {function}, "address": {address}, "base": "{base}", "kind": "f32", "valid": [0, 20]}}"#
            ));
            assert_eq!(row.wire_address(), expected, "{base} {function} {address}");
            assert_eq!((row.valid, row.width()), (Some((0, 20)), 2));
        }
    }
}
