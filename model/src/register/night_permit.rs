//! Night work permits (夜间施工证明) of sites.

use super::WeekWindow;
use crate::id::{NightPermitId, SubjectId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// A paper that lets a site work at night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NightPermit {
    pub id: NightPermitId,
    /// Number of the paper.
    pub code: String,
    pub site: SubjectId,
    /// Hours it is for; empty = the whole night.
    #[serde(default)]
    pub windows: Vec<WeekWindow>,
    /// The office that issued it.
    #[serde(default)]
    pub issuer: String,
    /// What for: continuous concreting, emergency repair.
    #[serde(default)]
    pub reason: String,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
    /// Entered by mistake or withdrawn from the start: never held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}

impl NightPermit {
    /// Between its two ends. The windows are asked by [`crate::facts::Facts::night_permit_at`], which knows the holidays.
    pub fn is_valid(&self, at: EventTime) -> bool {
        !self.void && self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }
}
