//! Commands to devices: what was ordered, what became of it.
//!
//! ```text
//! POST /devices/17/commands {"command":{"kind":"hj212_set_time"}}
//! POST /devices/17/commands {"command":{"kind":"hj212_history","what":"minute","from":"2026-01-01T00:00:00Z","to":"2026-01-01T01:00:00Z"},"wait_s":3600}
//! POST /devices/23/commands {"route_of_permit":5}
//! ```
//! The kinds and their fields are listed in `docs/commands.md`.

use super::common::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A command to put in the device's line: `command`, or `route_of_permit` in its place.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCommand {
    /// `{"kind": …, …}`; see `docs/commands.md`.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    pub command: Option<Value>,
    /// JT/T 808: the corridor of this permit of the device's truck becomes a route of the terminal.
    #[serde(default)]
    pub route_of_permit: Option<i64>,
    /// How long it may wait for the device and its answer: 10 s to 7 days, default a day.
    #[serde(default)]
    pub wait_s: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CommandQuery {
    /// Commands before this one.
    pub before: Option<i64>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandRow {
    pub id: i64,
    pub device: i64,
    pub state: CommandState,
    /// As ordered, without secrets.
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    pub command: Value,
    /// Log-in name; `platform` for what the platform does by itself.
    pub author: String,
    /// The person's address, or why the platform did it: `1013`, `gap`, `first_contact`.
    pub origin: String,
    pub created: Time,
    pub deadline: Time,
    pub changed: Time,
    /// QN, message and serial, or id it was sent under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What happened to it, oldest first.
    pub story: Vec<CommandStep>,
    /// What the device answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    pub result: Option<Value>,
}

/// Where a command stands: waits, may have left, the device has it, ended in one of five ways. `unknown`: it was sent, its answer may be
/// lost, and it was not sent again since twice is not once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    Queued,
    Sent,
    Confirmed,
    Done,
    Failed,
    Expired,
    Cancelled,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandStep {
    pub at: Time,
    pub state: CommandState,
    /// `number`, `again`, `no_answer`, `no_result`, `no_data`, `refused`, `not_done`, `connection_lost`, `restart`, `not_subscribed`,
    /// `cannot_be_written`, `was_sent`; absent when the state says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the device said; numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl From<model::downlink::State> for CommandState {
    fn from(state: model::downlink::State) -> Self {
        use model::downlink::State as S;
        match state {
            S::Queued => Self::Queued,
            S::Sent => Self::Sent,
            S::Confirmed => Self::Confirmed,
            S::Done => Self::Done,
            S::Failed => Self::Failed,
            S::Expired => Self::Expired,
            S::Cancelled => Self::Cancelled,
            S::Unknown => Self::Unknown,
        }
    }
}

impl From<&ledger::CommandRow> for CommandRow {
    fn from(row: &ledger::CommandRow) -> Self {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            id: row.id.0,
            device: row.device.0,
            state: row.state.into(),
            command: serde_json::to_value(&row.command).unwrap_or_default(),
            author: row.author.clone(),
            origin: row.origin.clone(),
            created: row.created.into(),
            deadline: row.deadline.into(),
            changed: row.changed.into(),
            number: row.number.clone(),
            story: row
                .story
                .iter()
                .map(|step| CommandStep {
                    at: step.at.into(),
                    state: step.state.into(),
                    why: some(&step.why),
                    text: some(&step.text),
                })
                .collect(),
            result: row.result.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        }
    }
}
