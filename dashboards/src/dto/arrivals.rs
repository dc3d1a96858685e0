//! What a device or a platform that pushes over HTTP is answered.

use crate::dto::Time;
use crate::dto::common::JournalPlace;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The simplest record; an array of them, positions and events are taken as over MQTT, see docs/vendors. Authenticated by HTTP Basic with
/// the device's MQTT user name and token; `{id}` is the device's code.
#[derive(Debug, Clone, ToSchema)]
pub struct DevicePayload {
    /// Event time in milliseconds since 1970, UTC; absent: the time of arrival.
    pub ts: Option<i64>,
    /// By the codes of the device's profile.
    pub values: BTreeMap<String, f64>,
}

/// Something of a payload that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PayloadProblem {
    /// Stable word: `time_unreadable`.
    pub code: &'static str,
    /// `[3].values.fume`; empty: the whole payload.
    pub place: String,
    /// Byte offset in the payload.
    pub offset: u64,
}

/// The payload is on disk. Records are settled after this answer: they may still be duplicates, or be quarantined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arrived {
    pub position: JournalPlace,
    pub received: Time,
    /// Records that were read in it.
    pub records: u64,
    /// What could not be read; the raw bytes are kept, and what can be used is used.
    pub problems: Vec<PayloadProblem>,
}
