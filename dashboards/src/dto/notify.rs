//! Channels, the policy of notification, and the log of deliveries.

use super::common::Time;
use super::words::EpisodeClass;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Wecom,
    Dingtalk,
    Feishu,
    Email,
    /// `CloudEvents` 1.0 over HTTP.
    Webhook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageLanguage {
    Zh,
    En,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    Tls,
    Starttls,
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    /// Empty: without a log-in.
    #[serde(default)]
    pub user: String,
    pub from: String,
    pub to: Vec<String>,
}

/// A channel; its secrets are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelRow {
    pub id: i64,
    pub version: i64,
    pub name: String,
    pub kind: ChannelKind,
    pub enabled: bool,
    pub language: MessageLanguage,
    pub per_minute_max: u32,
    pub deadline_minutes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<MailSettings>,
    /// Host of the hook, or the mail server.
    pub shown: String,
    pub has_secret: bool,
    pub changed: Time,
}

/// A new channel, or the next state of one.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutChannel {
    /// Absent: a new one.
    #[serde(default)]
    pub id: Option<i64>,
    /// The version that was seen; 0 for a new one.
    #[serde(default)]
    pub version: i64,
    pub name: String,
    pub kind: ChannelKind,
    pub enabled: bool,
    pub language: MessageLanguage,
    /// Absent: as the receiver documents it.
    #[serde(default)]
    pub per_minute_max: Option<u32>,
    /// A message that could not be sent for so long is given up; absent: 360.
    #[serde(default)]
    pub deadline_minutes: Option<u32>,
    #[serde(default)]
    pub email: Option<MailSettings>,
    /// The hook's address; absent: as before.
    #[serde(default)]
    pub url: Option<String>,
    /// Signing secret or password; absent: as before, empty: none.
    #[serde(default)]
    pub secret: Option<String>,
}

/// Alerts it is about: each list that is not empty must hold the alert's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyScope {
    #[serde(default)]
    pub rules: Vec<String>,
    #[serde(default)]
    pub classes: Vec<EpisodeClass>,
    #[serde(default)]
    pub severities: Vec<super::alerts::Severity>,
    #[serde(default)]
    pub offices: Vec<i64>,
    #[serde(default)]
    pub grids: Vec<i64>,
}

/// A time of day in Beijing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyHours {
    /// Minutes after midnight.
    pub from_minute: u16,
    /// At or before `from_minute`: of the next day.
    pub to_minute: u16,
    /// 1 = Monday; empty: every day.
    #[serde(default)]
    pub weekdays: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyGroupBy {
    Rule,
    Subject,
    Office,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyRoute {
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub enabled: bool,
    #[serde(default)]
    pub scope: NotifyScope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<NotifyHours>,
    pub channels: Vec<i64>,
    #[serde(default)]
    pub group_by: Vec<NotifyGroupBy>,
    /// How long the first alert of a group waits for more; 0 with no interval: each is told by itself at once.
    #[serde(default)]
    pub group_wait_s: u32,
    /// Between two messages of a group.
    #[serde(default)]
    pub group_interval_s: u32,
    /// Tell, too, when what was told is over.
    #[serde(default)]
    pub ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifySame {
    Device,
    Subject,
}

/// While an alert of `source` lasts, nobody is told of those of `targets` at the same device or subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyInhibition {
    pub source: String,
    /// Codes of rules; empty: every other rule.
    #[serde(default)]
    pub targets: Vec<String>,
    #[serde(default)]
    pub classes: Vec<EpisodeClass>,
    pub same: NotifySame,
}

/// Nobody acknowledged for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyStep {
    /// Working minutes after people could be told.
    pub after_minutes: u32,
    #[serde(default)]
    pub channels: Vec<i64>,
    /// Whose it becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<i64>,
    /// That person, or the office, as history tells it.
    #[serde(default)]
    pub to: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyEscalation {
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub enabled: bool,
    #[serde(default)]
    pub scope: NotifyScope,
    pub steps: Vec<NotifyStep>,
}

/// Which alerts go where, what silences what, and who is told next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyPolicy {
    #[serde(default)]
    pub routes: Vec<NotifyRoute>,
    #[serde(default)]
    pub inhibitions: Vec<NotifyInhibition>,
    #[serde(default)]
    pub escalations: Vec<NotifyEscalation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PolicyRow {
    /// 0: nothing was ever set; what stands is the default.
    pub version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    pub author: String,
    pub policy: NotifyPolicy,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPolicy {
    /// The version that was seen.
    pub version: i64,
    pub policy: NotifyPolicy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Queued,
    Sending,
    Sent,
    Failed,
    Expired,
    Suppressed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    Raised,
    Ended,
    Withdrawn,
    Escalated,
    Test,
}

/// A line of the log of deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeliveryRow {
    pub id: i64,
    /// The same over all attempts; receivers may keep it to take a message once.
    pub key: String,
    pub channel: i64,
    pub channel_name: String,
    /// Code of the route or escalation.
    pub route: String,
    pub kind: DeliveryKind,
    pub state: DeliveryState,
    /// What the last attempt said, or what suppressed it: `silence:3`, `maintenance:4`, `alert:17`, `withdrawn`, `full`.
    pub reason: String,
    /// When it was decided, in journal time.
    pub made: Time,
    pub due: Time,
    pub expires: Time,
    pub attempts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<Time>,
    pub alerts: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    pub channel: Option<i64>,
    pub alert: Option<i64>,
    pub state: Option<DeliveryState>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}
