//! A corner of the world for tests: places in metres around an origin, subjects, fixes and observations.

use super::plane::METRES_A_DEGREE;
use crate::engine::judge::{Observation, Source};
use model::envelope::ProtocolKind;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Fix, Flag, RecordKind, Statistic, Value};
use model::register::{Subject, SubjectDetails};

pub(crate) const HERE: Wgs84 = Wgs84 { lon: 113.5, lat: 34.8 };
pub(crate) const TRUCK: SubjectId = SubjectId(20);
pub(crate) const TRACKER: DeviceId = DeviceId(2);

/// Metres east and north of [`HERE`].
pub(crate) fn off(east: f64, north: f64) -> Wgs84 {
    let east_m = METRES_A_DEGREE * HERE.lat.to_radians().cos();
    Wgs84 { lon: HERE.lon + east / east_m, lat: HERE.lat + north / METRES_A_DEGREE }
}

pub(crate) fn fix(place: Wgs84, speed_kmh: f64) -> Fix {
    Fix { place, speed_kmh, heading_deg: 90, altitude_m: 0, fixed: true, status: 0, alarm: 0 }
}

pub(crate) fn subject(id: i64, place: Option<Wgs84>, details: SubjectDetails) -> Subject {
    let (id, code, name) = (SubjectId(id), id.to_string(), id.to_string());
    Subject { id, code, name, grid: None, place, details, active: true }
}

pub(crate) fn truck(id: i64, plate: &str) -> Subject {
    let plate = plate.to_owned();
    subject(id, None, SubjectDetails::Truck { plate, plate_colour: "黄".into(), company: String::new(), load_t: None })
}

pub(crate) fn site(id: i64, place: Wgs84) -> Subject {
    let (address, builder, outline) = (String::new(), String::new(), Vec::new());
    subject(id, Some(place), SubjectDetails::Site { stage: None, address, builder, outline })
}

pub(crate) fn dump(id: i64, place: Wgs84) -> Subject {
    subject(id, Some(place), SubjectDetails::DisposalSite { outline: Vec::new(), capacity_m3: None })
}

/// What a sensor of a truck tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told;

impl Told {
    pub(crate) fn load(state: f64) -> Value {
        value(Quantity::LOAD_STATE, state)
    }

    pub(crate) fn cover(is_open: bool) -> Value {
        value(Quantity::COVER_OPEN, f64::from(u8::from(is_open)))
    }

    pub(crate) fn bed(is_up: bool) -> Value {
        value(Quantity::BED_LIFTED, f64::from(u8::from(is_up)))
    }

    pub(crate) fn broken(quantity: Quantity) -> Value {
        Value { flag: Flag::Fault, ..value(quantity, 0.0) }
    }
}

pub(crate) fn value(quantity: Quantity, value: f64) -> Value {
    Value { quantity, statistic: Statistic::Instant, flag: Flag::Normal, value }
}

/// A position of the truck without a fix.
pub(crate) fn seen(at: i64, values: &[Value]) -> Observation {
    Observation {
        at,
        device: TRACKER,
        source: Source::Record(RecordKind::Position),
        slot: 0,
        seq: 1,
        received: at,
        subject: TRUCK,
        protocol: ProtocolKind::Jt808,
        values: values.to_vec(),
        fix: None,
        happening: None,
        fact: None,
    }
}
