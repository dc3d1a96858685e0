//! People and the audit trail; for administrators.

use super::auth::Role;
use super::common::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserRow {
    pub id: i64,
    pub name: String,
    pub display_name: String,
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<i64>,
    pub enabled: bool,
    pub must_change_password: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Login name: `[a-z][a-z0-9._-]{1,31}`.
    pub name: String,
    pub display_name: String,
    pub role: Role,
    /// Needed for vendors, else absent.
    #[serde(default)]
    pub vendor: Option<String>,
    #[serde(default)]
    pub office: Option<i64>,
}

/// A generated password, shown this once; it must be changed at the first login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OneTimePassword {
    pub id: i64,
    pub name: String,
    pub password: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditRow {
    pub id: i64,
    pub at: Time,
    pub who: String,
    /// Peer address, or the command.
    pub origin: String,
    /// `edit`, `login`, `credential_issued` …
    pub action: String,
    /// `device`, `person` …
    pub kind: String,
    pub key: String,
    /// JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Login name.
    pub who: Option<String>,
    /// `device`, `limit`, `person` …
    pub kind: Option<String>,
    pub key: Option<String>,
    pub cursor: Option<String>,
    /// 1–200, default 50.
    pub limit: Option<u32>,
}
