//! What the API and the pages see of alerts and cases. Plain rows; times are UTC milliseconds in the model's types.

use model::case::{CaseMove, CaseState};
use model::episode::{Episode, EpisodeClass};
use model::id::{AlertId, CaseId, DeviceId, EpisodeId, GridId, OfficeId, SubjectId, UserId};
use model::time::{EventTime, IngestTime};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The episode lasts, nobody has looked.
    Open,
    /// A person has seen it.
    Acknowledged,
    /// The episode ended.
    Cleared,
    /// Late or corrected data took the episode back.
    Withdrawn,
}

/// An alert: one per episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertRow {
    pub id: AlertId,
    /// Grows with every change of any alert; `after_seq` pages by it.
    pub seq: i64,
    pub state: AlertState,
    pub rule: String,
    pub rule_version: u32,
    pub rule_name_zh: String,
    pub rule_name_en: String,
    pub demo: bool,
    pub class: EpisodeClass,
    pub subject: SubjectId,
    pub subject_name: String,
    pub device: DeviceId,
    pub grid: Option<GridId>,
    pub office: Option<OfficeId>,
    /// Start, end, extreme, threshold, limit, permit, place, standing, evidence positions.
    pub episode: Episode,
    pub case: Option<CaseId>,
    pub raised: IngestTime,
    pub changed: IngestTime,
    pub acknowledged_by: Option<UserId>,
    pub acknowledged_at: Option<IngestTime>,
    /// Whose it is to look after.
    pub assignee: Option<UserId>,
    /// `{"unit","quantity","window_ms","not_converted","limit_source","limit_verified",…}`
    pub details: serde_json::Value,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertQuery {
    pub states: Vec<AlertState>,
    pub rule: Option<String>,
    pub class: Option<EpisodeClass>,
    pub subject: Option<SubjectId>,
    pub office: Option<OfficeId>,
    pub case: Option<CaseId>,
    pub assignee: Option<UserId>,
    /// What this person has open comes first, then what nobody has seen.
    pub first_of: Option<UserId>,
    /// Vendors and other limited accounts: these devices only.
    pub devices: Option<Vec<DeviceId>>,
    /// Only rows with a greater `seq`, oldest change first; otherwise newest alert first.
    pub after_seq: Option<i64>,
    /// Default and largest: see [`crate::flow::PAGE_MAX`].
    pub limit: Option<u32>,
    pub offset: Option<u32>,
}

/// A page of rows and how many there are in all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub total: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRow {
    pub id: CaseId,
    /// `2026-000123`
    pub number: String,
    /// For the optimistic check of a move.
    pub version: i64,
    pub state: CaseState,
    /// `iot` (物联感知)
    pub source: String,
    pub category: String,
    pub category_name: String,
    pub is_local_extension: bool,
    /// `low`, `normal`, `high`, `urgent`
    pub severity: String,
    pub demo: bool,
    pub rule: String,
    pub rule_version: u32,
    pub subject: SubjectId,
    pub subject_name: String,
    pub grid: Option<GridId>,
    /// In charge by grid at registration, or the one it was dispatched to.
    pub office: Option<OfficeId>,
    pub opened: IngestTime,
    /// Start of its first episode.
    pub happened: EventTime,
    /// The review must be done by then (working time).
    pub review_due: IngestTime,
    pub closed: Option<IngestTime>,
    pub changed: IngestTime,
    pub episodes: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaseQuery {
    pub states: Vec<CaseState>,
    /// `Some(true)`: open ones only.
    pub open: Option<bool>,
    pub rule: Option<String>,
    pub subject: Option<SubjectId>,
    pub office: Option<OfficeId>,
    pub grid: Option<GridId>,
    /// Part of the number or the subject's name.
    pub text: Option<String>,
    pub limit: Option<u32>,
    pub offset: Option<u32>,
}

/// One line of a case's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    pub number: i64,
    pub at: IngestTime,
    /// `None`: the machine.
    pub user: Option<UserId>,
    pub user_name: String,
    /// `registered`, `moved`, `episode_joined`, `episode_withdrawn`, `comment`
    pub what: String,
    pub wanted: Option<CaseMove>,
    pub from: Option<CaseState>,
    pub to: Option<CaseState>,
    pub office: Option<OfficeId>,
    pub reason: String,
    pub note: String,
    pub episode: Option<EpisodeId>,
}

/// A raw frame pinned for a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    pub episode: EpisodeId,
    pub partition: u16,
    pub seq: i64,
    /// Hex SHA-256 of the raw bytes; empty when the frame could not be read.
    pub sha256: String,
    pub bytes: i64,
    pub received: Option<IngestTime>,
    pub channel: String,
    pub pinned: IngestTime,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseDetail {
    pub case: CaseRow,
    pub moves: Vec<CaseMove>,
    pub history: Vec<HistoryRow>,
    pub evidence: Vec<EvidenceRow>,
    pub alerts: Vec<AlertRow>,
}

/// Told after commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertEvent {
    pub alert: AlertRow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEvent {
    pub case: CaseRow,
}

/// For the live push: a bounded broadcast; who is too slow is told so by the channel and asks again by `after_seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum LiveEvent {
    Alert(Box<AlertEvent>),
    Case(Box<CaseEvent>),
}
