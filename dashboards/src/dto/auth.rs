//! Log in, who am I, change password.

use super::words::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    pub name: String,
    pub password: String,
}

/// Roles of people. One table says what each may do: `dashboards/src/access.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 只读
    Viewer,
    /// 受理员
    Acceptor,
    /// 值班长
    ShiftLeader,
    /// 派遣员
    Dispatcher,
    /// 专业部门
    Squadron,
    /// 核查员
    Reviewer,
    /// 规则员
    RuleAuthor,
    /// 运维厂商: own devices only
    Vendor,
    /// 管理员
    Administrator,
}

/// What the person may do; the page shows nothing else. The server checks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// See the district: overview, map, subjects, cases.
    SeeDistrict,
    /// See devices (a vendor: own ones), their frames and alerts.
    SeeDevices,
    /// Acknowledge and comment alerts.
    HandleAlerts,
    /// Move cases; which moves is in each case's `allowed_moves`.
    MoveCases,
    /// Edit subjects, permits, installations; import CSV.
    EditRegisters,
    /// Create devices, hand out credentials, accept from quarantine.
    ManageDevices,
    /// Edit limits, rules and profiles.
    EditRules,
    /// People and audit.
    Administer,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Me {
    pub id: i64,
    /// Login name.
    pub name: String,
    pub display_name: String,
    pub role: Role,
    /// For vendor accounts: whose devices they see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<i64>,
    /// Until the password is changed every other route answers 403 `password_change_required`.
    pub must_change_password: bool,
    pub language: Language,
    pub may: Vec<Capability>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    pub old: String,
    /// At least 10 characters, not the old one, not the login name.
    pub new: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLanguage {
    pub language: Language,
}
