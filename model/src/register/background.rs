//! Which station tells the background that a site's own dust is measured against.

use super::Grid;
use crate::id::{BackgroundId, DeviceId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// The device whose values are the background of a quantity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    pub id: BackgroundId,
    /// A quantity's code: `pm10`.
    pub quantity: String,
    pub device: DeviceId,
    /// A prefix of the codes of the grids it is for; empty = any.
    #[serde(default)]
    pub region: String,
    /// Who runs the station and where its values come from.
    #[serde(default)]
    pub source: String,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
}

impl Background {
    pub fn is_valid(&self, at: EventTime) -> bool {
        self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }

    pub fn covers(&self, grid: Option<&Grid>) -> bool {
        self.region.is_empty() || grid.is_some_and(|grid| grid.code.starts_with(&self.region))
    }
}
