//! When a subject is open, and when its kitchen cooks most.

use super::WeekWindow;
use crate::id::{ScheduleId, SubjectId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// Open hours and meal peaks of one subject, or of all subjects of a kind that have no row of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub id: ScheduleId,
    #[serde(default)]
    pub subject: Option<SubjectId>,
    /// `restaurant`, `site` …, when no subject is named.
    #[serde(default)]
    pub subject_kind: String,
    /// Open hours; empty = always open.
    #[serde(default)]
    pub open: Vec<WeekWindow>,
    /// Meal peaks; empty = none is known.
    #[serde(default)]
    pub peaks: Vec<WeekWindow>,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
}

impl Schedule {
    pub fn is_valid(&self, at: EventTime) -> bool {
        self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }
}
