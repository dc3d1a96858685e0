//! The trip sheet (趟次单): one load of one truck, from loading at a site to where it was unloaded and back, with what was seen on
//! the way. Derived from what stands; late data changes it like everything that is derived.

use crate::geo::Wgs84;
use crate::id::{AreaId, DeviceId, PermitId, SubjectId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// One trip. Of one truck no two begin at the same time: (truck, loaded) names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TripSheet {
    pub truck: SubjectId,
    pub device: DeviceId,
    /// Where it was loaded.
    pub site: SubjectId,
    /// When it was; without a load sensor when it left.
    pub loaded: EventTime,
    /// When it left the site.
    pub left: EventTime,
    /// The permit whose corridor it kept to best; the first in force otherwise.
    pub permit: Option<PermitId>,
    /// The washes before it left; `None`: the gate did not tell of this exit.
    pub wash: Option<TripWash>,
    /// How its cover was while it drove loaded.
    pub cover: TripCover,
    /// Driven loaded, metres, and how much of it within a permitted corridor; `None`: no permit in force has a line.
    pub metres: u32,
    pub metres_in_corridor: Option<u32>,
    /// Farther from the corridor than its half width, at most [`DEVIATIONS_MAX`].
    pub deviations: Vec<TripDeviation>,
    pub unloading: Option<TripUnloading>,
    /// Back at a site or on a parking ground.
    pub returned: Option<EventTime>,
    pub segments: Vec<TripSegment>,
    pub verdict: TripVerdict,
    /// Why it is not [`TripVerdict::Lawful`].
    pub remarks: Vec<TripRemark>,
}

/// More than these are not kept one by one.
pub const DEVIATIONS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripWash {
    pub gate: SubjectId,
    pub at: EventTime,
    /// Together; `None`: there was a wash and its length is not known. 0: there was none.
    pub seconds: Option<u32>,
}

/// Seconds by the state of the cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TripCover {
    pub closed_s: u32,
    pub open_s: u32,
    /// No sensor, or a broken one.
    pub unknown_s: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TripDeviation {
    pub from: EventTime,
    pub to: EventTime,
    /// The farthest from the line.
    pub metres: u32,
    pub place: Wgs84,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TripUnloading {
    pub from: EventTime,
    pub to: EventTime,
    pub place: Wgs84,
    pub at: TripPlace,
    /// Its permits or the register let it.
    pub is_permitted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum TripPlace {
    DisposalSite(SubjectId),
    /// A temporary dump or transfer station.
    Area(AreaId),
    /// A site: brought back.
    Site(SubjectId),
    /// Nothing that the register knows.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TripSegment {
    pub what: TripPart,
    pub from: EventTime,
    pub to: EventTime,
    pub start: Wgs84,
    pub end: Wgs84,
    pub metres: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripPart {
    Loading,
    Hauling,
    Unloading,
    Returning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripVerdict {
    /// Nothing speaks against it.
    Lawful,
    /// Something was not seen that should have been.
    Incomplete,
    /// A remark that is a violation.
    Suspect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripRemark {
    /// The gate saw it leave without a wash.
    NotWashed,
    /// The gate did not see it leave.
    ExitNotSeen,
    /// More than a minute open.
    Uncovered,
    CoverUnknown,
    /// More than a tenth of the way outside of every corridor.
    OffCorridor,
    NoPermit,
    /// It left while no permit let it.
    OutsideHours,
    /// Unloaded where nobody permitted it.
    WrongDump,
    /// It was never seen to unload.
    NotUnloaded,
}

impl TripRemark {
    pub const ALL: [Self; 9] = [
        Self::NotWashed,
        Self::ExitNotSeen,
        Self::Uncovered,
        Self::CoverUnknown,
        Self::OffCorridor,
        Self::NoPermit,
        Self::OutsideHours,
        Self::WrongDump,
        Self::NotUnloaded,
    ];

    /// Against the rules, as far as it is true; the others say what is not known.
    pub const fn is_violation(self) -> bool {
        !matches!(self, Self::ExitNotSeen | Self::CoverUnknown | Self::NotUnloaded)
    }
}

impl TripSheet {
    /// The verdict that its remarks make.
    pub fn judged(&self) -> TripVerdict {
        if self.remarks.iter().any(|remark| remark.is_violation()) {
            TripVerdict::Suspect
        } else if self.remarks.is_empty() {
            TripVerdict::Lawful
        } else {
            TripVerdict::Incomplete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_a_remark_are_written_as_pages_read_them() {
        let place = serde_json::to_string(&TripPlace::DisposalSite(SubjectId(4))).unwrap();
        assert_eq!(place, r#"{"kind":"disposal_site","id":4}"#);
        assert_eq!(serde_json::to_string(&TripPlace::Unknown).unwrap(), r#"{"kind":"unknown"}"#);
        assert_eq!(serde_json::to_string(&TripRemark::ExitNotSeen).unwrap(), "\"exit_not_seen\"");
        assert!(TripRemark::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
