//! Addresses that are refused for a while, and devices that are read more slowly.

use super::common::{DeviceRef, Time};
use model::gatekeeper;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AddressList {
    /// Refused now, the latest first.
    pub bans: Vec<BannedAddress>,
    /// Slowed since start, the latest first.
    pub slowed: Vec<SlowedDevice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BannedAddress {
    /// IPv6: the network of 64 bits.
    pub address: String,
    pub reason: BanReason,
    pub since: Time,
    pub until: Time,
    /// How often of late; each time is twice as long.
    pub times: u32,
    /// Connections refused in this ban.
    pub refused: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BanReason {
    /// Many different wrong secrets.
    Guessing,
    /// Many different unknown identities.
    Strangers,
    /// Much that could not be taken.
    Rubbish,
}

impl From<gatekeeper::BanReason> for BanReason {
    fn from(reason: gatekeeper::BanReason) -> Self {
        match reason {
            gatekeeper::BanReason::Guessing => Self::Guessing,
            gatekeeper::BanReason::Strangers => Self::Strangers,
            gatekeeper::BanReason::Rubbish => Self::Rubbish,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SlowedDevice {
    pub device: DeviceRef,
    pub last: Time,
    /// How often reading paused.
    pub pauses: u64,
    /// How long, in all.
    pub paused_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftBan {
    /// As in the list.
    pub address: String,
}
