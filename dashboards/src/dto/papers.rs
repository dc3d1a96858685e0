//! Areas, notices, night permits, cleaning records, manifests, maintenance, schedules and background stations: each as a row that
//! the page shows, and as what it sends. A body without `id` is a new row, with one the next edit of that row.

use super::common::{DeviceRef, NamedRef, Place, SubjectRef, Time};
use super::registers::Window;
use super::words::{SubjectKind, mirror};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

mirror! {
    /// What an area is for.
    AreaPurpose = model::register::AreaPurpose { NoGo, Parking, TemporaryDump, Speed, Transfer, Sensitive }
    /// Level of a pollution notice.
    NoticeLevel = model::register::NoticeLevel { Yellow, Orange, Red }
    /// Work that a notice stops.
    StoppedWork = model::register::Stops { Earthwork, MuckTransport }
    /// What was cleaned.
    CleaningPart = model::register::CleaningPart { Hood, Duct, Purifier, Fan }
    /// Who says that a load was driven.
    ManifestSource = model::register::ManifestSource { Driver, Gps }
}

/// Where a row's span stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    InForce,
    Upcoming,
    Over,
    /// Entered by mistake.
    Void,
}

/// Which rows; newest first.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PaperQuery {
    /// Part of a code, a name, a plate.
    pub q: Option<String>,
    /// Rows about this subject.
    pub subject: Option<i64>,
    pub standing: Option<Standing>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaCircle {
    pub centre: Place,
    pub radius_m: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AreaRow {
    pub id: i64,
    pub code: String,
    pub name: String,
    pub purpose: AreaPurpose,
    /// Outer ring, first point not repeated; empty when it is a circle.
    pub outline: Vec<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circle: Option<AreaCircle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_limit_kmh: Option<f64>,
    pub windows: Vec<Window>,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub standing: Standing,
    /// In force, and inside one of its windows.
    pub open_now: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutArea {
    #[serde(default)]
    pub id: Option<i64>,
    pub code: String,
    pub name: String,
    pub purpose: AreaPurpose,
    #[serde(default)]
    pub outline: Vec<Place>,
    #[serde(default)]
    pub circle: Option<AreaCircle>,
    #[serde(default)]
    pub speed_limit_kmh: Option<f64>,
    #[serde(default)]
    pub windows: Vec<Window>,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NoticeRow {
    pub id: i64,
    pub code: String,
    pub level: NoticeLevel,
    /// A prefix of grid codes; empty = any.
    pub region: String,
    /// Empty = any.
    pub grids: Vec<NamedRef>,
    pub stops: Vec<StoppedWork>,
    /// Its text, or where that was read.
    pub source: String,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub standing: Standing,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutNotice {
    #[serde(default)]
    pub id: Option<i64>,
    pub code: String,
    pub level: NoticeLevel,
    #[serde(default)]
    pub region: String,
    #[serde(default)]
    pub grids: Vec<i64>,
    pub stops: Vec<StoppedWork>,
    #[serde(default)]
    pub source: String,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
    #[serde(default)]
    pub void: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NightPermitRow {
    pub id: i64,
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SubjectRef>,
    pub windows: Vec<Window>,
    pub issuer: String,
    pub reason: String,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub standing: Standing,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutNightPermit {
    #[serde(default)]
    pub id: Option<i64>,
    pub code: String,
    pub site: i64,
    #[serde(default)]
    pub windows: Vec<Window>,
    #[serde(default)]
    pub issuer: String,
    #[serde(default)]
    pub reason: String,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
    #[serde(default)]
    pub void: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CleaningRow {
    pub id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    pub cleaned_at: Time,
    pub cleaned_by: String,
    pub parts: Vec<CleaningPart>,
    /// `sha256:…` of a picture that is kept, or where the paper lies.
    pub picture: String,
    pub note: String,
    pub void: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutCleaning {
    #[serde(default)]
    pub id: Option<i64>,
    pub subject: i64,
    pub cleaned_at: Time,
    #[serde(default)]
    pub cleaned_by: String,
    pub parts: Vec<CleaningPart>,
    #[serde(default)]
    pub picture: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub void: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ManifestRow {
    pub id: i64,
    pub code: String,
    pub source: ManifestSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truck: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposal_site: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit: Option<NamedRef>,
    pub loaded_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unloaded_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_m3: Option<f64>,
    pub void: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutManifest {
    #[serde(default)]
    pub id: Option<i64>,
    pub code: String,
    pub source: ManifestSource,
    pub truck: i64,
    #[serde(default)]
    pub site: Option<i64>,
    #[serde(default)]
    pub disposal_site: Option<i64>,
    #[serde(default)]
    pub permit: Option<i64>,
    pub loaded_at: Time,
    #[serde(default)]
    pub unloaded_at: Option<Time>,
    #[serde(default)]
    pub volume_m3: Option<f64>,
    #[serde(default)]
    pub void: bool,
}

/// Of a device, of a subject, or of everything when neither is named.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MaintenanceRow {
    pub id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub why: String,
    pub standing: Standing,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutMaintenance {
    #[serde(default)]
    pub id: Option<i64>,
    #[serde(default)]
    pub device: Option<i64>,
    #[serde(default)]
    pub subject: Option<i64>,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
    pub why: String,
    #[serde(default)]
    pub void: bool,
}

/// Of a subject, or of all subjects of a kind that have none of their own.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ScheduleRow {
    pub id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_kind: Option<SubjectKind>,
    /// Open hours; empty = always.
    pub open: Vec<Window>,
    /// Meal peaks; empty = not known.
    pub peaks: Vec<Window>,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub standing: Standing,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSchedule {
    #[serde(default)]
    pub id: Option<i64>,
    #[serde(default)]
    pub subject: Option<i64>,
    #[serde(default)]
    pub subject_kind: Option<SubjectKind>,
    #[serde(default)]
    pub open: Vec<Window>,
    #[serde(default)]
    pub peaks: Vec<Window>,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BackgroundRow {
    pub id: i64,
    /// A quantity's code.
    pub quantity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    /// A prefix of grid codes; empty = any.
    pub region: String,
    pub source: String,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    pub standing: Standing,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutBackground {
    #[serde(default)]
    pub id: Option<i64>,
    pub quantity: String,
    pub device: i64,
    #[serde(default)]
    pub region: String,
    #[serde(default)]
    pub source: String,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
}
