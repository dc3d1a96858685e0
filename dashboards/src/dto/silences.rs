//! Silences: while one lasts, nobody is told of the alerts it matches; they are raised and shown.

use super::common::{DeviceRef, NamedRef, SubjectRef, Time};
use super::words::EpisodeClass;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    Planned,
    Active,
    Ended,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SilenceRow {
    pub id: i64,
    pub state: SilenceState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<EpisodeClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<NamedRef>,
    pub from: Time,
    pub until: Time,
    pub reason: String,
    pub by: String,
    pub created: Time,
    /// Who ended it early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// What is set must hold for an alert to be silenced; at least one of them is set.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    #[serde(default)]
    pub rule: Option<String>,
    #[serde(default)]
    pub class: Option<EpisodeClass>,
    #[serde(default)]
    pub subject: Option<i64>,
    #[serde(default)]
    pub device: Option<i64>,
    #[serde(default)]
    pub grid: Option<i64>,
    /// Absent: now.
    #[serde(default)]
    pub from: Option<Time>,
    /// At most 180 days after it begins.
    pub until: Time,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SilenceQuery {
    /// Those that have ended, too.
    pub all: Option<bool>,
}
