//! Supervised subjects: list, one, edit; and the one search over everything.

use super::common::{DeviceRef, NamedRef, Place, Time};
use super::words::{Presence, SubjectKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SubjectRow {
    pub id: i64,
    pub code: String,
    pub name: String,
    pub active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<NamedRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<NamedRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    pub details: Details,
    pub presence: Presence,
    pub devices: Vec<DeviceRef>,
    pub open_alerts: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SubjectDetail {
    #[serde(flatten)]
    pub row: SubjectRow,
    /// All devices that ever measured it, newest first.
    pub installations: Vec<SubjectInstallation>,
    /// For trucks: permits that name it. For sites: permits from it.
    pub permits: Vec<super::registers::PermitRow>,
    /// For sites: its gates.
    pub gates: Vec<super::common::SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<super::map::MapReading>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<super::map::TruckFix>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SubjectInstallation {
    pub id: i64,
    pub device: DeviceRef,
    pub point: String,
    pub valid_from: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Time>,
}

/// What only one kind has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Details {
    Restaurant {
        /// `small`, `medium`, `large`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_class: Option<String>,
        /// Working stoves n of the conversion.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        #[serde(default)]
        address: String,
        #[serde(default)]
        builder: String,
        #[serde(default)]
        outline: Vec<Place>,
    },
    Gate {
        site: i64,
    },
    DisposalSite {
        #[serde(default)]
        outline: Vec<Place>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capacity_m3: Option<f64>,
    },
    Truck {
        plate: String,
        #[serde(default)]
        plate_colour: String,
        #[serde(default)]
        company: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        load_t: Option<f64>,
    },
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSubject {
    pub code: String,
    pub name: String,
    #[serde(default)]
    pub grid: Option<i64>,
    #[serde(default)]
    pub place: Option<Place>,
    pub details: Details,
    #[serde(default = "yes")]
    pub active: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubjectQuery {
    pub kind: Option<SubjectKind>,
    /// Name, code, plate, address, company.
    pub q: Option<String>,
    pub grid: Option<i64>,
    pub presence: Option<Presence>,
    /// Default true.
    pub active: Option<bool>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    /// Plate, shop name, device, case number. At least 1 character, at most 64.
    pub q: String,
    /// 1–50, default 20.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HitKind {
    Subject,
    Device,
    Case,
    Permit,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SearchHit {
    pub kind: HitKind,
    pub id: i64,
    pub title: String,
    pub subtitle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_kind: Option<SubjectKind>,
}
