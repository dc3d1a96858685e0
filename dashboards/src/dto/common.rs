//! Pieces that every answer shares: times, pages, problems, short references.

use model::geo::Wgs84;
use model::time::{EventTime, IngestTime, parse_rfc3339};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// A moment as RFC 3339 text: `2026-11-22T00:00:00.000Z`. Any offset is read, UTC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T00:00:00.000Z")]
pub struct Time(pub i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&IngestTime(self.0).to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_rfc3339(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

impl From<EventTime> for Time {
    fn from(at: EventTime) -> Self {
        Self(at.0)
    }
}

impl From<IngestTime> for Time {
    fn from(at: IngestTime) -> Self {
        Self(at.0)
    }
}

impl From<Time> for EventTime {
    fn from(at: Time) -> Self {
        Self(at.0)
    }
}

/// A WGS-84 place as `[lon, lat]`, like `GeoJSON`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Vec<f64>, min_items = 2, max_items = 2)]
pub struct Place(pub [f64; 2]);

impl From<Wgs84> for Place {
    fn from(place: Wgs84) -> Self {
        Self([place.lon, place.lat])
    }
}

impl Place {
    /// `None` when it is no place on earth.
    pub fn to_wgs84(self) -> Option<Wgs84> {
        let [lon, lat] = self.0;
        Wgs84::new(lon, lat)
    }
}

/// One page of a list. `next` goes into the next request's `cursor`; absent on the last page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many rows match altogether, where that is cheap to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// An error, `application/problem+json`. `code` is stable and translated by the page; `message` is for people without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `bad_request`, `invalid_field`, `not_found`, `unauthenticated`, `wrong_password`, `too_many_attempts`,
    /// `password_change_required`, `forbidden`, `bad_origin`, `conflict`, `illegal_move`, `duplicate`, `too_large`,
    /// `timeout`, `rule_invalid`, `overloaded`, `unavailable`, `internal`.
    pub code: String,
    pub message: String,
    /// The field or the place in a file the problem is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When several things are wrong at once: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<FieldProblem>,
}

/// One of several problems of a submitted rule, row or file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Line of the text, from 1, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column or key path.
    pub place: String,
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// A subject in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectRef {
    pub id: i64,
    pub kind: super::words::SubjectKind,
    pub code: String,
    pub name: String,
    /// For trucks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
}

/// A device in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceRef {
    pub id: i64,
    pub code: String,
    pub name: String,
}

/// An office or grid in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedRef {
    pub id: i64,
    pub code: String,
    pub name: String,
}

/// A place in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalPlace {
    pub partition: u16,
    pub seq: u64,
}

impl From<model::envelope::Position> for JournalPlace {
    fn from(position: model::envelope::Position) -> Self {
        Self { partition: position.partition, seq: position.seq }
    }
}

impl From<JournalPlace> for model::envelope::Position {
    fn from(place: JournalPlace) -> Self {
        Self { partition: place.partition, seq: place.seq }
    }
}
