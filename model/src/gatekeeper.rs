//! Who is kept out for a while, and who is slowed: what the edge knows of the peers' addresses, for those who show it, lift a
//! ban, or meet guesses elsewhere than at the edge (HTTP).

use crate::id::DeviceId;
use crate::time::IngestTime;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Why an address is refused for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanReason {
    /// It tried many different wrong secrets.
    Guessing,
    /// It named many different identities that nobody knows.
    Strangers,
    /// It sent much that could not be taken: garbage, or frames that are refused.
    Rubbish,
}

impl BanReason {
    pub const ALL: [Self; 3] = [Self::Guessing, Self::Strangers, Self::Rubbish];
    pub const fn code(self) -> &'static str {
        match self {
            Self::Guessing => "guessing",
            Self::Strangers => "strangers",
            Self::Rubbish => "rubbish",
        }
    }
}

/// An address that is refused until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// IPv6: the network of 64 bits.
    pub address: IpAddr,
    pub reason: BanReason,
    pub since: IngestTime,
    pub until: IngestTime,
    /// How often it was banned of late; each time is twice as long as the one before, up to a bound.
    pub times: u32,
    /// Connections that were refused in this ban.
    pub refused: u64,
}

/// A device that sent more than its limit, so that it was read more slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowed {
    pub device: DeviceId,
    pub last: IngestTime,
    /// How often reading paused.
    pub pauses: u64,
    /// How long, in all.
    pub paused_ms: u64,
}

/// The edge's memory of addresses. Bounded inside; never blocks.
pub trait Gatekeeper: Send + Sync + std::fmt::Debug {
    /// Whether the address is refused now; asking counts as a refusal.
    fn is_banned(&self, address: IpAddr) -> bool;
    /// A wrong secret for an identity. The same pair again tells its sender nothing and counts as nothing.
    fn guessed(&self, address: IpAddr, identity: &str, secret: &[u8]);
    /// Takes what a device sent elsewhere than at the edge out of its allowance. `Err`: milliseconds until it has one again;
    /// nothing was taken.
    fn take(&self, device: DeviceId, frames: usize, bytes: usize) -> Result<(), u64>;
    /// Those who are refused now, the latest first.
    fn bans(&self) -> Vec<Ban>;
    /// Ends a ban and forgets what led to it. False: there is none.
    fn lift(&self, address: IpAddr) -> bool;
    /// Devices that were slowed since start, the latest first.
    fn slowed(&self) -> Vec<Slowed>;
}
