//! What the rules find: episodes, stretches of event time in which a rule was broken by a subject.
//!
//! The set of episodes that stand, each as {rule, subject, start, end, extreme, class, limit}, is the same for any order,
//! delay, duplication or restart within the horizon. Their history (raised, moved, withdrawn) depends on arrival and is
//! dated by journal times only.

use crate::envelope::Position;
use crate::geo::Wgs84;
use crate::id::{DeviceId, EpisodeId, LimitId, PermitId, SubjectId};
use crate::time::{EventTime, IngestTime};
use serde::{Deserialize, Serialize};

/// Three different things that must never be mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeClass {
    /// 违规
    Violation,
    /// 设备故障
    DeviceFault,
    /// 数据存疑
    DoubtfulData,
}

/// Where an episode stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "into")]
pub enum Standing {
    Stands,
    /// Late or corrected data took it back.
    Withdrawn,
    /// Late data joined it with an older one.
    MergedInto(EpisodeId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    pub id: EpisodeId,
    pub rule: String,
    pub rule_version: u32,
    pub subject: SubjectId,
    pub device: DeviceId,
    pub start: EventTime,
    /// `None` while it lasts.
    pub end: Option<EventTime>,
    /// Largest value (or distance in metres, or length of silence in seconds) so far, in the rule's unit.
    pub extreme: f64,
    /// When the extreme was.
    pub extreme_at: EventTime,
    /// The limit it was compared with, in the same unit.
    pub threshold: f64,
    pub class: EpisodeClass,
    pub limit: Option<LimitId>,
    pub permit: Option<PermitId>,
    /// Where it was at the extreme, when the subject moves.
    pub place: Option<Wgs84>,
    /// Journal time at which it was first raised; the moment of truth for "learned at".
    pub raised: IngestTime,
    pub raised_at: Position,
    pub standing: Standing,
    /// Journal positions of the records that show it best (the first, the extreme, the last), at most 16: the evidence
    /// pins their raw frames.
    pub evidence: Vec<Position>,
}

/// What one step of the engine changed, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum EpisodeChange {
    /// A new episode; an alert follows at once.
    Raised { episode: Episode },
    /// Start, end, extreme or evidence moved.
    Changed { episode: Episode },
    /// Its rule's settle time has passed since it was raised and it has lasted long enough (ended or not): a case may be opened. Once an episode.
    Settled { episode: Episode },
    /// It no longer stands; `episode.standing` says why.
    Fell { episode: Episode },
}

impl EpisodeChange {
    pub const fn episode(&self) -> &Episode {
        match self {
            Self::Raised { episode }
            | Self::Changed { episode }
            | Self::Settled { episode }
            | Self::Fell { episode } => episode,
        }
    }
}
