//! Messages of the live socket `GET /api/v1/live`.
//!
//! ```text
//! page   → {"op":"sub","id":1,"topic":"device/17"}
//! server → {"type":"snapshot","id":1,"seq":0,"t":1763769600000,"data":{"topic":"device","device":17,...}}
//! server → {"type":"delta","id":1,"seq":1,"t":...,"data":{"topic":"device",...}}
//! ```
//!
//! Topics: `map` (trucks and subject states, 1 Hz, newest wins), `device/{id}` (pushed within 50 ms), `alerts`, `cases`
//! (every change, in order of their `seq`), `kpi`, `health` (1 Hz when changed). `seq` counts from 0 with the snapshot
//! for each subscription; after a `refetch` the page reloads by REST (`GET /alerts?after_seq=`).

use super::alerts::AlertRow;
use super::cases::CaseRow;
use super::commands::CommandRow;
use super::common::Time;
use super::devices::LatestValue;
use super::health::Health;
use super::map::{SubjectState, TruckFix};
use super::overview::Kpi;
use super::words::{Presence, RecordKind, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the page sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum LiveRequest {
    /// At most 32 subscriptions a connection. A used `id` replaces its subscription.
    Sub {
        id: u32,
        topic: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<LiveFilter>,
    },
    Unsub {
        id: u32,
    },
    /// Answered by `pong`.
    Ping,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveFilter {
    /// For `map`: west, south, east, north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bbox: Option<[f64; 4]>,
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveMessage {
    /// The whole state; first, and again when the page was too slow.
    Snapshot { id: u32, seq: u64, t: i64, data: LiveData },
    /// What changed since.
    Delta { id: u32, seq: u64, t: i64, data: LiveData },
    /// Something was lost on the way; reload by REST what this subscription shows.
    Refetch { id: u32, seq: u64 },
    /// The subscription was refused: `unknown_topic`, `not_found`, `too_many`, `bad_filter`.
    Refused { id: u32, code: String },
    /// Every 20 s and as the answer to `ping`; `t` is our clock.
    Pong { t: i64 },
    /// The last message before we close: `session_ended`, `stopping`, `bad_message`.
    Bye { code: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "topic", rename_all = "snake_case")]
pub enum LiveData {
    Map(MapLive),
    Device(DeviceLive),
    Alerts(AlertsLive),
    Cases(CasesLive),
    Kpi(Kpi),
    Health(Health),
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct MapLive {
    pub trucks: Vec<TruckFix>,
    pub subjects: Vec<SubjectStateOf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectStateOf {
    pub id: i64,
    #[serde(flatten)]
    pub state: SubjectState,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceLive {
    pub device: i64,
    pub presence: Presence,
    pub connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<Time>,
    /// Snapshot: all; delta: those that changed.
    pub values: Vec<LatestValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<TruckFix>,
    /// Events of cameras and washers since the last message.
    pub events: Vec<EventLive>,
    /// Commands that changed since the last message.
    pub commands: Vec<CommandRow>,
    /// How the newest frame ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventLive {
    pub kind: RecordKind,
    pub what: String,
    pub at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    /// SHA-256 of pictures that we have; their bytes: `GET /pictures/{hash}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<String>,
}

/// Snapshot: the open ones; delta: those that changed, in order of `seq`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct AlertsLive {
    pub alerts: Vec<AlertRow>,
    /// Newest `seq` of all alerts.
    pub head: u64,
    /// Alerts not yet acknowledged.
    pub open: u64,
}

/// Snapshot: the open ones (at most 200, next deadline first); delta: those that changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct CasesLive {
    pub cases: Vec<CaseRow>,
}
