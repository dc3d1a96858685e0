//! Maintenance windows: while one lasts, what its device or subject says leads to nothing, and everybody sees why.

use crate::id::{DeviceId, MaintenanceId, SubjectId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// A span of maintenance of a device, of a subject, or of everything when neither is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    pub id: MaintenanceId,
    #[serde(default)]
    pub device: Option<DeviceId>,
    #[serde(default)]
    pub subject: Option<SubjectId>,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
    pub why: String,
    /// Entered by mistake: never held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}

impl Maintenance {
    pub fn is_valid(&self, at: EventTime) -> bool {
        !self.void && self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }

    /// Whether it is of the device, of the subject, or of everything.
    pub fn concerns(&self, device: Option<DeviceId>, subject: Option<SubjectId>) -> bool {
        let all = self.device.is_none() && self.subject.is_none();
        all || (self.device.is_some() && self.device == device) || (self.subject.is_some() && self.subject == subject)
    }
}
