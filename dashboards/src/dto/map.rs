//! What the map draws first; afterwards trucks and states come by the live topic `map`.

use super::common::{Place, Time};
use super::words::{Presence, SubjectKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MapData {
    pub at: Time,
    /// Middle of all places; absent when nothing has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centre: Option<Place>,
    /// Name of the district as configured.
    pub district: String,
    /// Text that must stand on the map.
    pub attribution: String,
    pub subjects: Vec<MapSubject>,
    pub corridors: Vec<MapCorridor>,
    /// Those whose span has begun and not ended.
    pub areas: Vec<super::papers::AreaRow>,
    pub grids: Vec<MapOutline>,
    pub trucks: Vec<TruckFix>,
}

/// Everything but trucks.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MapSubject {
    pub id: i64,
    pub kind: SubjectKind,
    pub code: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Outer ring, first point not repeated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<Place>,
    #[serde(flatten)]
    pub state: SubjectState,
    /// For gates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<i64>,
}

/// The part of a map subject that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectState {
    pub presence: Presence,
    pub open_alerts: u32,
    /// The reading that matters for its kind (fume, PM10), when it is fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<MapReading>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MapReading {
    pub device: i64,
    pub quantity: String,
    pub value: f64,
    pub unit: String,
    /// It may be trusted.
    pub valid: bool,
    pub at: Time,
    /// The limit valid now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MapCorridor {
    pub permit: i64,
    pub code: String,
    pub line: Vec<Place>,
    pub half_width_m: f64,
    pub trucks: Vec<i64>,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub suspended: bool,
    /// Its windows allow driving now.
    pub open_now: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MapOutline {
    pub id: i64,
    pub name: String,
    pub outline: Vec<Place>,
}

/// The newest fix of a truck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TruckFix {
    /// The truck.
    pub subject: i64,
    pub device: i64,
    pub plate: String,
    pub place: Place,
    pub speed_kmh: f64,
    /// 0–359, clockwise from north.
    pub heading_deg: u16,
    /// False: the last known place, not a fresh one.
    pub fixed: bool,
    pub at: Time,
    pub presence: Presence,
    pub open_alerts: u32,
}
