//! Pictures of devices.

use crate::dto::Time;
use crate::dto::common::DeviceRef;
use serde::Serialize;
use utoipa::ToSchema;

/// A picture of an event; its bytes: `GET /pictures/{hash}`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PictureRow {
    /// SHA-256, 64 hex digits.
    pub hash: String,
    /// What the event was: `vehicle_exit`, `media`, `alarm_attachment` …
    pub what: String,
    pub at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
}
