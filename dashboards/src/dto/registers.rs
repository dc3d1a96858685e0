//! Limits, permits, profiles, calendars, offices, grids as the page shows and edits them.

use super::common::{NamedRef, Place, SubjectRef, Time};
use super::words::{Protocol, Statistic, Strictness};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitRow {
    pub id: i64,
    /// A quantity's code.
    pub quantity: String,
    pub value: f64,
    pub unit: String,
    /// Empty = any.
    pub region: String,
    pub standard: String,
    /// Size class or construction stage; empty = any.
    pub class: String,
    /// `restaurant`, `site`; empty = any.
    pub subject_kind: String,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    /// Where the number was read. Empty: the page says "configured value, unverified".
    pub source: String,
    pub verified: bool,
    pub retired: bool,
}

/// A new limit row, or with `id` the next edit of that row.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutLimit {
    #[serde(default)]
    pub id: Option<i64>,
    pub quantity: String,
    pub value: f64,
    pub unit: String,
    #[serde(default)]
    pub region: String,
    pub standard: String,
    #[serde(default)]
    pub class: String,
    #[serde(default)]
    pub subject_kind: String,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
    /// Required: where the number was read.
    pub source: String,
    #[serde(default)]
    pub verified: bool,
    #[serde(default)]
    pub retired: bool,
}

/// One edit of a row, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LimitRevision {
    pub number: u64,
    pub at: Time,
    pub author: String,
    pub row: LimitRow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// 1 = Monday … 7 = Sunday, 8 = public holiday; empty = every day.
    #[serde(default)]
    pub weekdays: Vec<u8>,
    /// Minutes after midnight, Beijing time.
    pub from_minute: u16,
    pub to_minute: u16,
}

/// A permit does not hold from `from` until `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermitSuspension {
    pub from: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    #[serde(default)]
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PermitRow {
    pub id: i64,
    pub code: String,
    pub trucks: Vec<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposal_site: Option<SubjectRef>,
    pub corridor: Vec<Place>,
    pub corridor_half_width_m: f64,
    pub windows: Vec<Window>,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
    /// At all times.
    pub suspended: bool,
    pub suspensions: Vec<PermitSuspension>,
    /// Withdrawn, or inside one of the suspensions.
    pub suspended_now: bool,
}

/// A new permit, or with `id` the next edit of it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPermit {
    #[serde(default)]
    pub id: Option<i64>,
    pub code: String,
    pub trucks: Vec<i64>,
    #[serde(default)]
    pub site: Option<i64>,
    #[serde(default)]
    pub disposal_site: Option<i64>,
    pub corridor: Vec<Place>,
    pub corridor_half_width_m: f64,
    #[serde(default)]
    pub windows: Vec<Window>,
    pub valid_from: Time,
    #[serde(default)]
    pub valid_to: Option<Time>,
    #[serde(default)]
    pub suspended: bool,
    /// Absent: as they are.
    #[serde(default)]
    pub suspensions: Option<Vec<PermitSuspension>>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PermitQuery {
    pub q: Option<String>,
    pub truck: Option<i64>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProfileRow {
    pub code: String,
    pub name: String,
    pub protocol: Protocol,
    pub strictness: Strictness,
    pub offset_minutes: i32,
    pub expected_interval_s: u32,
    pub gcj02: bool,
    pub factors: Vec<FactorRow>,
    /// Entries of the Modbus register map.
    pub registers: u32,
    /// Devices that use it.
    pub devices: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FactorRow {
    pub code: String,
    pub quantity: String,
    pub unit: String,
    pub scale: f64,
    pub offset: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<Statistic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CalendarRow {
    pub code: String,
    pub hours: Vec<Window>,
    pub holidays: Vec<String>,
    pub workdays: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OfficeRow {
    pub id: i64,
    pub code: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct GridRow {
    pub id: i64,
    pub code: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<NamedRef>,
    pub outline: Vec<Place>,
}

/// A built-in quantity.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QuantityRow {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    pub unit: String,
    pub min: f64,
    pub max: f64,
}
