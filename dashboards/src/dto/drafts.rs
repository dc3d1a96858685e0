//! Drafts of rules, their tests, backtests, previews, and why a rule did not fire.

use super::common::{FieldProblem, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

super::words::mirror! {
    /// 草稿 影子运行 待审批 已生效 已撤回.
    DraftState = ledger::DraftState { Draft, Shadow, Submitted, Live, Withdrawn }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DraftRow {
    pub id: i64,
    pub code: String,
    /// The live version it was written against; 0 for a new rule.
    pub base: u32,
    pub state: DraftState,
    pub text: String,
    /// Its unit tests, TOML.
    pub tests: String,
    pub author: String,
    pub created: Time,
    pub changed: Time,
    /// Everyone who wrote any of it; none of them may approve.
    pub writers: Vec<String>,
    /// With exactly this text: `tested`, `shadowed`, `backtested`.
    pub done: Vec<String>,
    /// Whether the caller may approve it.
    pub may_approve: bool,
    pub steps: Vec<DraftStepRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DraftStepRow {
    pub at: Time,
    pub who: String,
    /// `written`, `tested`, `shadowed`, `backtested`, `submitted`, `approved`, `rejected`, `withdrawn`.
    pub what: String,
    pub note: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteDraft {
    pub text: String,
    #[serde(default)]
    pub tests: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DraftMove {
    /// Run its tests and write down that they pass.
    Test,
    Shadow,
    Submit,
    Withdraw,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveDraft {
    pub step: DraftMove,
    #[serde(default)]
    pub note: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideDraft {
    pub approve: bool,
    /// Needed to send it back.
    #[serde(default)]
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TestReport {
    /// Of the rule or of its tests; nothing was run.
    pub problems: Vec<FieldProblem>,
    pub tests: Vec<TestOutcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TestOutcome {
    pub name: String,
    pub line: usize,
    pub passed: bool,
    /// Lines: `=` as expected, `-` missing, `+` found instead, then why.
    pub differences: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartBacktest {
    pub text: String,
    pub from: Time,
    pub to: Time,
    /// The draft to note the result on; its text must be the one tried.
    #[serde(default)]
    pub draft: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BacktestJob {
    pub id: u64,
    /// `running`, `done`, `failed`.
    pub state: String,
    pub done: u64,
    pub total: u64,
    pub records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When done: counts, the first changes, and alerts and cases for each grid and day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRule {
    pub text: String,
    pub device: i64,
}

/// What the rule would have found on a device in the last 24 hours.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RulePreview {
    pub from: Time,
    pub to: Time,
    pub records: u64,
    pub episodes: Vec<PreviewEpisode>,
    /// The quantity to draw, when it judges one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PreviewEpisode {
    pub start: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    pub extreme: f64,
    pub threshold: f64,
}

#[derive(Debug, Clone, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WhyQuery {
    pub subject: i64,
    /// RFC 3339.
    pub at: String,
    /// Minutes before and after; 15.
    #[serde(default)]
    pub around_min: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WhyReport {
    /// What follows: `fired`, `nothing_seen`, `not_judged`, `not_met`, `not_long_enough`, `not_held`, with its numbers.
    #[schema(value_type = Object)]
    pub conclusion: serde_json::Value,
    /// Each step with its operands.
    #[schema(value_type = Vec<Object>)]
    pub steps: Vec<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchOff {
    /// Why; it stays in the audit.
    pub note: String,
}
