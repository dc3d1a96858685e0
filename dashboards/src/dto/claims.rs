//! Claim codes and the devices that show them.

use super::common::{DeviceRef, Time};
use super::devices::CredentialHandout;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

super::words::mirror! {
    /// What becomes of a device that claims.
    ClaimPolicy = ledger::Policy { Accepted, Pending }
}

super::words::mirror! {
    /// Why a device got nothing; it is told only that.
    ClaimRefusal = ledger::ClaimRefusal { Unknown, Revoked, Expired, UsedUp, Known, Serial }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClaimList {
    /// The newest first.
    pub claims: Vec<ClaimRow>,
    /// The latest first; refused ones since start.
    pub attempts: Vec<ClaimAttemptRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClaimRow {
    pub id: i64,
    pub name: String,
    pub profile: String,
    pub vendor: String,
    /// Codes of its devices begin so.
    pub prefix: String,
    pub policy: ClaimPolicy,
    pub uses: u32,
    pub uses_max: u32,
    pub created: Time,
    pub expires: Time,
    pub revoked: bool,
    /// It makes devices now.
    pub open: bool,
    /// Who made it.
    pub author: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClaimAttemptRow {
    pub at: Time,
    pub origin: String,
    pub serial: String,
    /// Absent: no such code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<i64>,
    /// The device that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<ClaimRefusal>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClaim {
    pub name: String,
    pub profile: String,
    #[serde(default)]
    pub vendor: String,
    #[serde(default)]
    pub prefix: String,
    pub policy: ClaimPolicy,
    pub uses_max: u32,
    pub expires: Time,
}

/// A claim code, shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClaimHandout {
    pub code: String,
    pub claim: ClaimRow,
}

/// What a device shows.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// The claim code, with or without its strokes.
    pub code: String,
    /// Its serial number; HJ 212: its MN; JT/T 808: its phone.
    pub serial: String,
}

/// What it gets, this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Provisioned {
    pub policy: ClaimPolicy,
    pub credential: CredentialHandout,
}
