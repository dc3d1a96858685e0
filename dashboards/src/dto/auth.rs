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

super::words::mirror! {
    /// Roles of people: 查看员 受理员 值班长 派遣员 专业部门 核查员 规则编制员 设备厂商 管理员.
    Role = ledger::Role {
        Viewer, Acceptor, ShiftLeader, Dispatcher, Squadron, Reviewer, RuleAuthor, Vendor, Administrator
    }
}

super::words::mirror! {
    /// What the person may do; the page shows nothing else, the server checks again. Moves of cases are in each case's
    /// `allowed_moves`.
    Capability = ledger::Permission {
        View, ViewOwnDevices, HandleAlerts, CommandDevices, EditRegisters, ManageDevices, EditLimits, EditRules, ApproveRules,
        ManagePeople
    }
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
