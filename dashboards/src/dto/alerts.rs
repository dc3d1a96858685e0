//! Alerts: list, one with its evidence and explanation, acknowledge, comment.

use super::common::{DeviceRef, JournalPlace, Place, SubjectRef, Time};
use super::pictures::PictureRow;
use super::registers::LimitRow;
use super::words::{EpisodeClass, RecordKind, Statistic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Normal,
    High,
    Urgent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Lasts or has ended, nobody has looked at it.
    Open,
    /// A person has seen it.
    Acknowledged,
    /// The episode ended and was final.
    Cleared,
    /// Late or corrected data took it back, or it was merged into an older one.
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRow {
    pub id: i64,
    /// Grows with every change of any alert; `after_seq` in the list continues from it.
    pub seq: u64,
    pub state: AlertState,
    pub class: EpisodeClass,
    pub severity: Severity,
    pub rule: String,
    pub rule_name: String,
    pub rule_name_en: String,
    pub rule_version: u32,
    /// Made by a rule with shortened windows (演示参数).
    pub demo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    pub start: Time,
    /// Absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    pub extreme: f64,
    pub extreme_at: Time,
    pub threshold: f64,
    /// Unit of `extreme` and `threshold`.
    pub unit: String,
    /// Code of the quantity, where the rule is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// When we learned of it (journal time).
    pub raised: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Time>,
    /// Whose it is to look after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<PersonRef>,
    /// A silence that covers it now: nobody is told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<SilenceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonRef {
    pub id: i64,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceRef {
    pub id: i64,
    pub until: Time,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertDetail {
    #[serde(flatten)]
    pub row: AlertRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The limit row it was judged by, as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit: Option<PermitRef>,
    pub evidence: Vec<Evidence>,
    /// Of the subject's devices while it lasted, newest first.
    pub pictures: Vec<PictureRow>,
    pub explain: Explain,
    pub comments: Vec<Comment>,
    pub history: Vec<AlertEvent>,
    /// What to draw beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartHint>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PermitRef {
    pub id: i64,
    pub code: String,
}

/// A pinned raw frame.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Evidence {
    pub position: JournalPlace,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// SHA-256 of the raw frame, hex.
    pub sha256: String,
    pub bytes: u64,
    /// First 512 bytes.
    pub raw_hex: String,
    /// The same as text when it is printable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Why it was raised: each operand with its value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Explain {
    /// The rule in a sentence, Chinese.
    pub sentence: String,
    pub steps: Vec<ExplainStep>,
    /// The rule's text as it was.
    pub rule_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainStep {
    /// A stable word: `window`, `mean`, `limit`, `for`, `distance` …
    pub what: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Comment {
    pub at: Time,
    pub author: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertEvent {
    pub at: Time,
    /// `raised`, `ended`, `withdrawn`, `merged`, `case_capped`, `acknowledged`, `assigned`, `unassigned`, `comment`, `escalated`.
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The series that shows the alert best: arguments for `GET /devices/{id}/series`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChartHint {
    pub device: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    pub kind: RecordKind,
    pub statistic: Statistic,
    pub from: Time,
    pub to: Time,
}

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    #[serde(default)]
    pub comment: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    pub text: String,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AlertQuery {
    /// Comma-separated states; default all.
    pub state: Option<String>,
    pub class: Option<EpisodeClass>,
    pub severity: Option<Severity>,
    pub rule: Option<String>,
    pub subject: Option<i64>,
    pub device: Option<i64>,
    /// Given to this person.
    pub assignee: Option<i64>,
    /// Given to me.
    pub mine: Option<bool>,
    /// Mine that are open first, then what nobody has seen; otherwise newest first.
    pub attention: Option<bool>,
    /// Name, plate or code.
    pub q: Option<String>,
    /// Raised at or after.
    pub from: Option<Time>,
    pub to: Option<Time>,
    /// Only alerts changed after this sequence number, oldest change first; what the page asks after a gap.
    pub after_seq: Option<u64>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

/// Acknowledges many at once.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeMany {
    /// At most 500.
    pub ids: Vec<i64>,
    #[serde(default)]
    pub comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertBatch {
    /// Those that are there, as they are now.
    pub items: Vec<AlertRow>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// Absent: nobody's any more.
    #[serde(default)]
    pub user: Option<i64>,
    #[serde(default)]
    pub comment: Option<String>,
}

/// Someone an alert may be given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Assignee {
    pub id: i64,
    pub name: String,
    pub role: super::auth::Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<i64>,
}
