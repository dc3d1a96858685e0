//! Cases: list with counts, one with its timeline, moves.

use super::alerts::{AlertRow, Evidence, Severity};
use super::common::{NamedRef, SubjectRef, Time};
use super::pictures::PictureRow;
use super::words::{CaseMove, CaseState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CaseRow {
    pub id: i64,
    /// The number people say.
    pub number: String,
    pub state: CaseState,
    /// Grows with every move; send it back with the next one.
    pub version: i64,
    /// Code of the case class.
    pub category: String,
    pub category_name: String,
    /// The category is ours, not the standard's.
    pub is_local_extension: bool,
    pub severity: Severity,
    /// `iot` (物联感知) or `person`.
    pub source: String,
    pub demo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<NamedRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<NamedRef>,
    pub opened: Time,
    /// Deadline of the present step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Time>,
    pub overdue: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Time>,
    pub rule: String,
    pub rule_version: u32,
    /// Episodes that joined it.
    pub episodes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CaseDetail {
    #[serde(flatten)]
    pub row: CaseRow,
    /// Oldest first.
    pub timeline: Vec<CaseEvent>,
    pub evidence: Vec<Evidence>,
    /// Of the subject's devices while its episodes lasted, newest first; they are kept as long as the case.
    pub pictures: Vec<PictureRow>,
    pub alerts: Vec<AlertRow>,
    /// What this person may do with it now; the page offers nothing else.
    pub allowed_moves: Vec<AllowedMove>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseEvent {
    pub at: Time,
    /// `registered`, `moved`, `episode_joined`, `episode_withdrawn`, `comment`.
    pub what: String,
    /// Display name, or the machine.
    pub by: String,
    #[serde(rename = "move", skip_serializing_if = "Option::is_none")]
    pub wanted: Option<CaseMove>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<CaseState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<CaseState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<NamedRef>,
    /// The alert an `episode_…` line is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AllowedMove {
    #[serde(rename = "move")]
    pub wanted: CaseMove,
    pub to: CaseState,
    pub needs_reason: bool,
    pub needs_office: bool,
}

/// Body of `POST /cases/{id}/moves`; the header `Idempotency-Key` makes a repeat harmless.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    #[serde(rename = "move")]
    pub wanted: CaseMove,
    /// The case's version as seen; another one answers 409 `conflict`.
    pub version: i64,
    /// Needed for reject, return, rework and void.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub note: Option<String>,
    /// Needed for dispatch.
    #[serde(default)]
    pub office: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseCount {
    pub state: CaseState,
    pub count: u64,
    pub overdue: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CaseList {
    pub items: Vec<CaseRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Per state, all states, not filtered by state.
    pub counts: Vec<CaseCount>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CaseQuery {
    /// Comma-separated states; default the open ones; `all` for all.
    pub state: Option<String>,
    pub office: Option<i64>,
    pub subject: Option<i64>,
    /// Only those past their deadline.
    pub overdue: Option<bool>,
    /// Part of the number or of the subject's name.
    pub q: Option<String>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}
