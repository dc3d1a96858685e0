//! Why a subject is judged by a rule right now, or why not. For pages: each reason is data, the words are the page's.

use model::id::{DeviceId, LimitId, PermitId};
use model::record::Flag;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

/// One rule's view of one device on one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub rule: String,
    pub rule_version: u32,
    pub device: DeviceId,
    /// Event time of the newest observation; `None` when there is none.
    pub as_of: Option<EventTime>,
    pub state: JudgedState,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum JudgedState {
    /// Compared: `value` is the window's mean (exceedance), the distance in metres (off-route) or the seconds without contact.
    Judged {
        value: f64,
        threshold: f64,
        limit: Option<LimitId>,
        permit: Option<PermitId>,
        /// The condition holds at this moment.
        over: bool,
        /// An episode stands and lasts.
        in_episode: bool,
    },
    NotJudged {
        reason: NotJudged,
    },
}

/// Not judged, because …
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum NotJudged {
    /// Nothing has been received that the rule reads.
    NoData,
    /// No limit row fits the subject's region, class and kind at that time.
    NoLimit,
    /// Too few valid values in the window: `valid` of `expected`, `needed` at least.
    TooFewValid { valid: u32, expected: u32, needed: u32 },
    /// The newest value carries a flag that excludes it.
    Flagged { flag: Flag },
    /// The device is not installed at the subject now, or is switched off.
    NotInstalled,
    /// The truck has no permit in force.
    NoPermit,
    /// The truck has a permit, but the time is outside its windows.
    OutsideHours,
    /// The newest position is no fresh fix.
    NoFix,
    /// The newest position is a jump that no truck can drive.
    GpsJump,
    /// Data is missing because of an outage of ours.
    OurOutage,
}

/// One operand of a condition at one moment: what it was, what it was compared with, and how that came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operand {
    /// As the rule writes it: `mean(fume, 10min, valid 75%)`.
    pub name: String,
    /// `None`: not known at that moment; `reason` says why.
    pub value: Option<f64>,
    /// The value's unit; empty: a state or a share.
    pub unit: String,
    /// What it was compared with, in the same unit.
    pub threshold: Option<f64>,
    /// How the comparison came out; `None`: not judged.
    pub holds: Option<bool>,
    /// Event time of the reading it rests on.
    pub as_of: Option<EventTime>,
    pub reason: Option<NotJudged>,
}

/// What a rule made of a subject at an event time, operand by operand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    pub rule: String,
    pub rule_version: u32,
    pub device: DeviceId,
    /// Event time of the last reading at or before the time asked for; `None`: there is none.
    pub as_of: Option<EventTime>,
    /// The time lies before the horizon: what was judged then is final and its operands are no longer known.
    pub beyond_horizon: bool,
    pub state: JudgedState,
    pub operands: Vec<Operand>,
}
