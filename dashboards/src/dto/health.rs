//! What the banners show: disk, clock, lag, projection, our own outages.

use super::common::{JournalPlace, Time};
use super::words::{OutageKind, Protocol};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    pub at: Time,
    pub version: String,
    pub started: Time,
    /// Rules with shortened windows are live (演示参数).
    pub demo: bool,
    pub disk: DiskHealth,
    pub clock: ClockHealth,
    pub lag: LagHealth,
    pub projection: ProjectionHealth,
    /// Brokers that are read from.
    pub brokers: Vec<BrokerHealth>,
    pub rates: Vec<ProtocolRate>,
    /// What a person should know now, worst first; empty when all is well.
    pub banners: Vec<Banner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Banner {
    /// `disk_low`, `disk_full`, `journal_failed`, `clock_unsynchronised`, `lag`, `projection_behind`, `projection_down`,
    /// `broker_down`, `listener_down`, `outage`, `quarantine_waiting`, `demo`.
    pub code: String,
    pub level: Level,
    /// Numbers or names for the page's sentence.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskHealth {
    /// `ok`, `low`, `full`, `failed`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// What the journal and its archive take on the disk, measured every minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockHealth {
    pub synchronised: bool,
    /// Journal time of the last tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_tick: Option<Time>,
}

/// How far each reader of the journal is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagHealth {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable: Option<JournalPlace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<JournalPlace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<JournalPlace>,
    /// Journal time of the newest settled item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_as_of: Option<Time>,
    pub settle_entries: u64,
    pub judge_entries: u64,
    /// Seconds between now and `data_as_of`.
    pub seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectionHealth {
    /// `off`, `ok`, `behind`, `down`.
    pub state: String,
    pub behind: u64,
    pub refused_points: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokerHealth {
    pub name: String,
    /// Connected and subscribed.
    pub up: bool,
    /// Since when it is up, or is not.
    pub since: Time,
    /// Why it is not up; empty when it is.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProtocolRate {
    pub protocol: Protocol,
    pub records_per_s: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutageRow {
    pub from: Time,
    pub to: Time,
    pub what: OutageKind,
}
