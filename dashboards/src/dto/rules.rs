//! Rules: list, text, history, check, put, roll back.

use super::common::{FieldProblem, Time};
use super::words::EpisodeClass;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleRow {
    pub code: String,
    pub name: String,
    pub name_en: String,
    /// `exceedance`, `offline`, `off_route`.
    pub kind: String,
    pub class: EpisodeClass,
    pub severity: super::alerts::Severity,
    pub version: u32,
    pub active: bool,
    /// Shortened windows: 演示参数.
    pub demo: bool,
    pub open_alerts: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleDetail {
    #[serde(flatten)]
    pub row: RuleRow,
    /// TOML as written.
    pub text: String,
    /// What it does, one Chinese sentence.
    pub sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleRevision {
    pub version: u32,
    pub at: Time,
    pub author: String,
    pub active: bool,
    pub text: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    pub text: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRule {
    pub text: String,
    /// False switches it off.
    #[serde(default = "yes")]
    pub active: bool,
    /// The version this edit starts from; another live one answers 409 `conflict`. 0 for a new rule.
    pub version: u32,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The old version whose text becomes a new version.
    pub to_version: u32,
    /// The live version as seen.
    pub version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleCheck {
    pub ok: bool,
    /// All problems at once.
    pub problems: Vec<FieldProblem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
}
