//! Pollution notices: what an alert level stops, where and when. They override permits.

use super::Grid;
use crate::id::{GridId, NoticeId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// 黄、橙、红色预警; ordered by strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    Yellow,
    Orange,
    Red,
}

impl NoticeLevel {
    pub const ALL: [Self; 3] = [Self::Yellow, Self::Orange, Self::Red];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Red => "red",
        }
    }
}

/// A kind of work that a notice stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stops {
    /// 土方作业 and demolition.
    Earthwork,
    /// 渣土运输.
    MuckTransport,
}

impl Stops {
    pub const ALL: [Self; 2] = [Self::Earthwork, Self::MuckTransport];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Earthwork => "earthwork",
            Self::MuckTransport => "muck_transport",
        }
    }
}

/// A pollution notice. Without region and grids it holds in the whole district.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    pub id: NoticeId,
    /// Number of the paper it stands in.
    pub code: String,
    pub level: NoticeLevel,
    /// A prefix of the codes of the grids it is for; empty = any.
    #[serde(default)]
    pub region: String,
    /// The grids it is for; empty = any.
    #[serde(default)]
    pub grids: Vec<GridId>,
    #[serde(default)]
    pub stops: Vec<Stops>,
    /// Its text, or where that was read.
    #[serde(default)]
    pub source: String,
    pub valid_from: EventTime,
    /// None until it is lifted.
    #[serde(default)]
    pub valid_to: Option<EventTime>,
    /// Entered by mistake: never held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}

impl Notice {
    pub fn is_valid(&self, at: EventTime) -> bool {
        !self.void && self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }

    /// Whether it is for the grid; what is in no grid is reached by district-wide notices alone.
    pub fn covers(&self, grid: Option<&Grid>) -> bool {
        if self.region.is_empty() && self.grids.is_empty() {
            return true;
        }
        let by_region = |grid: &Grid| !self.region.is_empty() && grid.code.starts_with(&self.region);
        grid.is_some_and(|grid| self.grids.contains(&grid.id) || by_region(grid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::OfficeId;

    #[test]
    fn a_notice_for_grids_leaves_the_others_alone() {
        let grid = |id, code: &str| Grid {
            id: GridId(id),
            code: code.into(),
            name: String::new(),
            office: OfficeId(1),
            outline: Vec::new(),
        };
        let notice = |more: &str| -> Notice {
            let row = format!(
                r#"{{"id": 1, "code": "n", "level": "orange", "stops": ["earthwork"], "valid_from": 0{more}}}"#
            );
            serde_json::from_str(&row).unwrap()
        };
        let (one, two) = (grid(1, "410100001"), grid(2, "410200001"));
        let covers = |notice: &Notice| [Some(&one), Some(&two), None].map(|grid| notice.covers(grid));
        assert_eq!(covers(&notice("")), [true, true, true]);
        assert_eq!(covers(&notice(r#", "grids": [2]"#)), [false, true, false]);
        assert_eq!(covers(&notice(r#", "region": "4101""#)), [true, false, false]);
        assert_eq!(covers(&notice(r#", "region": "4101", "grids": [2]"#)), [true, true, false]);
        assert!(!notice(r#", "void": true"#).is_valid(EventTime(1)));
    }

    #[test]
    fn red_is_the_strictest() {
        assert_eq!(NoticeLevel::ALL.iter().max(), Some(&NoticeLevel::Red));
        for level in NoticeLevel::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.code());
        }
        for stops in Stops::ALL {
            assert_eq!(serde_json::to_value(stops).unwrap(), stops.code());
        }
    }
}
